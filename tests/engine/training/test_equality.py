"""The fused engine against plain `model.fit` over the same batches: the contract."""

from typing import Any

import keras
import numpy as np
import pytest
from fit_support import (
    CLASSES,
    IMAGES,
    NUMBERS,
    RANDOM,
    SEQUENCES,
    SPARSE,
    TABLE,
    WORDS,
    N,
    Subclassed,
    assert_equal,
    convnet,
    dropped,
    embedding,
    lstm,
    mlp,
    normalised,
    only_tensorflow,
    pair,
    regularized,
    two_in_two_out,
)

pytestmark = [
    pytest.mark.backends,
    pytest.mark.filterwarnings("ignore:`shuffle=True` was passed, but will be ignored:UserWarning"),
]


MODELS = {
    "mlp": (mlp, TABLE),
    "batchnorm": (normalised, TABLE),
    "dropout": (dropped, TABLE),
    "lstm": (lstm, SEQUENCES),
    "embedding": (embedding, WORDS),
    "regularizer": (regularized, TABLE),
    "custom train_step": (Subclassed, TABLE),
}


@pytest.mark.parametrize("jit", [True, pytest.param(False, marks=only_tensorflow)])
@pytest.mark.parametrize("name", MODELS)
def test_models(name: str, jit: bool) -> None:
    """112 steps, the last of every epoch on a partial batch."""
    make, x = MODELS[name]
    optimizer = {"normalised": lambda: keras.optimizers.SGD(0.05)}.get(
        make.__name__, lambda: keras.optimizers.Adam(0.01)
    )
    metrics = None if make is Subclassed else ["accuracy"]
    options = {"optimizer": optimizer, "metrics": metrics, "jit_compile": jit}
    assert_equal(*pair(make, x, CLASSES, **options))


def test_a_convnet_on_uint8_images() -> None:
    """The images lie on the device in their own type."""
    jit = None if keras.backend.backend() == "jax" else False
    assert_equal(*pair(convnet, IMAGES, CLASSES, jit_compile=jit))


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        lambda: keras.optimizers.AdamW(0.01, weight_decay=0.01),
        lambda: keras.optimizers.RMSprop(0.005),
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 20, 0.5)),
        lambda: keras.optimizers.Adam(0.01, clipnorm=0.1),
        lambda: keras.optimizers.SGD(0.05, global_clipnorm=0.5),
        lambda: keras.optimizers.SGD(0.05, gradient_accumulation_steps=3),
        lambda: keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.9),
        lambda: keras.optimizers.SGD(0.05, use_ema=True, ema_overwrite_frequency=5),
    ],
    ids=[
        "momentum",
        "adamw",
        "rmsprop",
        "schedule",
        "clipnorm",
        "global_clipnorm",
        "accumulation",
        "ema",
        "ema5",
    ],
)
def test_optimizers(optimizer: Any) -> None:
    """All state is Keras' own."""
    assert_equal(*pair(mlp, TABLE, CLASSES, optimizer=optimizer, jit_compile=True))


@pytest.mark.parametrize(("size", "epochs"), [(1, 1), (7, 7), (N, 100), (10, 10)])
def test_batch_sizes(size: int, epochs: int) -> None:
    """Stochastic, a ragged last batch, full batch, and one that divides n."""
    assert_equal(*pair(mlp, TABLE, CLASSES, batch_size=size, epochs=epochs, jit_compile=True))


def test_two_inputs_and_two_outputs() -> None:
    """A list of arrays in, a dict of arrays out, weights for each."""
    y = {"c": CLASSES, "d": NUMBERS}
    losses = {"c": SPARSE, "d": "mse"}
    metrics = {"c": ["accuracy"], "d": ["mae"]}
    options = {"loss": losses, "metrics": metrics, "jit_compile": True}
    assert_equal(*pair(two_in_two_out, [TABLE, SEQUENCES], y, **options))


def test_sample_weights() -> None:
    """They travel with their examples."""
    weights = RANDOM.uniform(0.1, 2.0, size=N).astype(np.float32)
    assert_equal(*pair(mlp, TABLE, CLASSES, sample_weight=weights, jit_compile=True))
