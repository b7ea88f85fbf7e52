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
    """Return a MobileNet as the base, and a head for these classes.

    With a network, `weights="imagenet"` (and images of three channels) is a base that has seen a
    million photos.
    """
    base = keras.applications.MobileNet(
        (32, 32, 1), alpha=0.25, weights=None, include_top=False, pooling="avg", name="base"
    )
    image = keras.Input(input_shape)
    larger = keras.layers.Resizing(32, 32)(image)
    head = keras.layers.Dense(classes, activation="softmax", name="head")
    return keras.Model(image, head(base(larger)))
