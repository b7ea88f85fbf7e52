"""Models and data for the tests of `kerasbatch.fit`, and a fused training beside a plain one."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import kerasbatch as kb
from kerasbatch.engine.options import FitOptions
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.training.plain import PlainTraining
from kerasbatch.planning import plan

L = keras.layers
only_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="other backends always compile with XLA"
)


RANDOM = np.random.RandomState(3)


N = 110


IMAGES = RANDOM.randint(0, 256, size=(N, 12, 12, 1)).astype(np.uint8)


TABLE = RANDOM.normal(size=(N, 6)).astype(np.float32)


SEQUENCES = RANDOM.normal(size=(N, 7, 3)).astype(np.float32)


WORDS = RANDOM.randint(0, 30, size=(N, 8))


CLASSES = RANDOM.randint(0, 4, size=N)


NUMBERS = TABLE @ RANDOM.normal(size=(6, 1)).astype(np.float32)


SPARSE = "sparse_categorical_crossentropy"


def mlp() -> keras.Model:
    return keras.Sequential([keras.Input((6,)), L.Dense(16, "relu"), L.Dense(4, "softmax")])


def convnet() -> keras.Model:
    layers = [L.Rescaling(1 / 255), L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D()]
    return keras.Sequential([keras.Input((12, 12, 1)), *layers, L.Flatten(), L.Dense(4, "softmax")])


def dropped() -> keras.Model:
    layers = [L.Dense(16, "relu"), L.Dropout(0.3), L.GaussianNoise(0.1), L.Dense(4, "softmax")]
    return keras.Sequential([keras.Input((6,)), *layers])


def normalised() -> keras.Model:
    layers = [L.Dense(16), L.BatchNormalization(), L.Activation("relu"), L.Dense(4, "softmax")]
    return keras.Sequential([keras.Input((6,)), *layers])


def lstm() -> keras.Model:
    return keras.Sequential([keras.Input((7, 3)), L.LSTM(8), L.Dense(4, "softmax")])


def embedding() -> keras.Model:
    layers = [L.Embedding(30, 5), L.GlobalAveragePooling1D(), L.Dense(4, "softmax")]
    return keras.Sequential([keras.Input((8,)), *layers])


def regularized() -> keras.Model:
    layer = L.Dense(16, "relu", kernel_regularizer="l2", activity_regularizer="l1")
    return keras.Sequential([keras.Input((6,)), layer, L.Dense(4, "softmax")])


class Subclassed(keras.Model):
    """Built by its first batch; its train_step takes twice the loss and returns its own logs."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = L.Dense(16, "relu"), L.Dense(4, "softmax")
        self.own = keras.metrics.Mean(name="own")

    def call(self, inputs: Any) -> Any:
        return self.out(self.hidden(inputs))

    def train_step(self, *arguments: Any) -> Any:
        if keras.backend.backend() == "jax":
            return self._step_of_jax(*arguments)
        return self._step_of_tensorflow(*arguments)

    def _step_of_jax(self, state: Any, data: Any) -> Any:
        import jax

        trainable, others, optimizer, metrics = state
        x, y = data

        def loss_of(weights: Any, others: Any) -> Any:
            outputs, others = self.stateless_call(weights, others, x)
            return 2.0 * self.compute_loss(x=x, y=y, y_pred=outputs), others

        compute = jax.value_and_grad(loss_of, has_aux=True)
        (loss, others), gradients = compute(trainable, others)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        variables = self.metrics_variables
        mapping = list(zip(variables, metrics, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            self.own.update_state(loss)
            logs = {"own": self.own.result(), "last": loss}
        metrics = [scope.get_current_value(variable) for variable in variables]
        return logs, (trainable, others, optimizer, metrics)

    def _step_of_tensorflow(self, data: Any) -> Any:
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            loss = 2.0 * self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        self.own.update_state(loss)
        return {"own": self.own.result(), "last": loss}


def two_in_two_out() -> keras.Model:
    a, b = keras.Input((6,), name="a"), keras.Input((7, 3), name="b")
    both = L.Concatenate()([L.Dense(8, "relu")(a), L.Flatten()(b)])
    outputs = {"c": L.Dense(4, "softmax", name="c")(both), "d": L.Dense(1, name="d")(both)}
    return keras.Model([a, b], outputs)


def pair(make: Callable[[], keras.Model], x: Any, y: Any, **options: Any) -> tuple[Any, Any]:
    """Train a model fused, and one like it by plain Keras over the same batches."""
    weights = options.pop("sample_weight", None)
    size, epochs = options.pop("batch_size", 8), options.pop("epochs", 8)
    jit, settings = options.pop("jit_compile", None), options.pop("settings", EngineSettings())
    optimizer = options.pop("optimizer", lambda: keras.optimizers.Adam(0.01))
    loss = options.pop("loss", SPARSE)
    histories, models = [], []
    for kind in ("fused", "plain"):
        keras.utils.set_random_seed(1)
        model = make()
        metrics = options.get("metrics", ["accuracy"])
        model.compile(optimizer(), loss, metrics=metrics)
        arrays = (x, y) if weights is None else (x, y, weights)
        if kind == "fused":
            history = kb.fit(
                model,
                x,
                y,
                sample_weight=weights,
                batch_size=size,
                epochs=epochs,
                seed=5,
                engine="fused",
                verbose=0,
                jit_compile=jit,
                settings=settings,
            )
        else:
            stream = ExampleStream(arrays, plan(N, batch_size=size, epochs=epochs), seed=5)
            history = PlainTraining(model, stream, why="to compare").fit(FitOptions())
        histories.append(history)
        models.append(model)
    return models, histories


def assert_equal(models: Any, histories: Any, tolerance: float = 1e-5) -> None:
    fused, plain = models
    for mine, theirs in zip(fused.weights, plain.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=tolerance, rtol=tolerance, err_msg=mine.path)
    assert int(fused.optimizer.iterations) == int(plain.optimizer.iterations)
    mine, theirs = (history.history for history in histories)
    assert list(mine) == list(theirs)
    for name in mine:
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-4, atol=1e-5, err_msg=name)
    assert histories[0].epoch == histories[1].epoch


def ready(make: Callable[[], keras.Model] = mlp, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = make()
    model.compile(keras.optimizers.Adam(0.01), SPARSE, metrics=["accuracy"], **options)
    return model
