"""Data that do not say how many batches they have: Keras attempts one more step in each epoch."""

import warnings
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasbatch as kb

X = np.random.RandomState(0).rand(320, 3).astype("float32")
STEPS = 40


def data(is_counted: bool = False) -> tf.data.Dataset:
    batches = tf.data.Dataset.from_tensor_slices((X, X[:, :1])).batch(8)
    endless = batches.filter(lambda x, y: tf.reduce_sum(x) > 0)
    return endless.apply(tf.data.experimental.assert_cardinality(STEPS)) if is_counted else endless


def losses(fit: Any, optimizer: Any, *layers: Any, x: tf.data.Dataset) -> list[float]:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    options = {"engine": "fused"} if fit is kb.fit else {}
    history = fit(model, x, epochs=3, shuffle=False, verbose=0, **options)
    return [float(value) for value in history.history["loss"]]


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adagrad", "adadelta"])
def test_steps_that_do_not_depend_on_their_number(optimizer: str) -> None:
    """Nothing differs from Keras, so nothing is said."""
    found = []
    for fit in (keras.Model.fit, kb.fit):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Your input ran out of data")
            found.append(losses(fit, optimizer, x=data()))
    assert found[0] == pytest.approx(found[1], rel=1e-6)


DECAY = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
MOVED = {
    "the count of steps in Adam": (lambda: "adam", None),
    "the count of steps in SGD": (lambda: keras.optimizers.SGD(DECAY), None),
    "the count of steps in RMSprop": (lambda: keras.optimizers.RMSprop(weight_decay=0.1), None),
    "the seeds of random layers": (lambda: "sgd", lambda: keras.layers.Dropout(0.5, seed=1)),
}


@pytest.mark.parametrize("name", MOVED)
def test_what_differs_is_a_warning(name: str) -> None:
    """With the change that makes the results equal, which it does."""
    optimizer, layer = MOVED[name]
    layers = [] if layer is None else [layer()]
    with pytest.warns(UserWarning, match=f"{name}; here it is not .*assert_cardinality"):
        losses(kb.fit, optimizer(), *layers, x=data())
    found = []
    for fit in (keras.Model.fit, kb.fit):
        layers = [] if layer is None else [layer()]
        found.append(losses(fit, optimizer(), *layers, x=data(is_counted=True)))
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_data_that_run_out_in_an_epoch() -> None:
    """Keras attempts a step there as well; of data whose length it knows, it does not."""
    batches = ((X[:8], X[:8, :1]) for _ in range(6))
    models = [keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]) for _ in range(2)]
    for model in models:
        model.compile("adam", "mse")
    effect = "6 of 10 steps.* Keras attempts one more step, which moves the count of steps in Adam"
    with pytest.warns(UserWarning, match=effect):
        kb.fit(models[0], batches, steps_per_epoch=10, shuffle=False, verbose=0)
    counted = data(is_counted=True)
    with pytest.warns(UserWarning, match="40 of 50 steps of an epoch; .* for fewer steps$"):
        kb.fit(models[1], counted, steps_per_epoch=50, engine="fused", shuffle=False, verbose=0)


def test_one_epoch_has_no_second() -> None:
    """The attempt comes after the last step whose result is shown."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    kb.fit(model, data(), shuffle=False, verbose=0)
    assert int(model.optimizer.iterations) == STEPS


class Constant(keras.optimizers.schedules.LearningRateSchedule):
    """Without a get_config, which no training needs."""

    def __call__(self, step: Any) -> Any:
        return tf.cast(0.01, tf.float32)


def test_a_schedule_without_a_config() -> None:
    """Is one, whatever else it lacks."""
    with pytest.warns(UserWarning, match="the count of steps in SGD"):
        losses(kb.fit, keras.optimizers.SGD(Constant()), x=data())
