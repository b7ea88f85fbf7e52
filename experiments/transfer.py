"""Data and model of the three transfer experiments: digits, some of which are known already."""

import keras
import numpy as np
from sklearn.datasets import load_digits


def load(first: int, last: int, examples: int) -> tuple:
    """Return images of the digits from `first` to `last`, few for training, and all others.

    Args:
        first: the smallest digit, which is class 0.
        last: the largest one.
        examples: the number of training examples.
    """
    digits = load_digits()
    chosen = np.nonzero((digits.target >= first) & (digits.target <= last))[0]
    order = np.random.default_rng(0).permutation(chosen)
    x = digits.images.astype("float32")[..., None] / 16
    y = digits.target - first
    train, test = order[:examples], order[examples:]
    return (x[train], y[train]), (x[test], y[test])


def build(input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Return a base of two convolutions and a dense layer, and a head for these classes.

    With a network, `keras.applications.MobileNetV2(weights="imagenet", include_top=False,
    pooling="avg")` is a base that has seen a million photos.
    """
    layers = keras.layers
    base = keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
        ],
        name="base",
    )
    image = keras.Input(input_shape)
    head = layers.Dense(classes, activation="softmax", name="head")
    return keras.Model(image, head(base(image)))
