"""Models that train by a `train_step` of their own, as Keras' guides write them."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasbatch as kb

L = keras.layers
RANDOM = np.random.RandomState(7)
X = RANDOM.normal(size=(75, 6)).astype(np.float32)
Y = RANDOM.randint(0, 3, size=75)


class Autoencoder(keras.Model):
    """Variational, without `call`; its metrics are its own."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = keras.Sequential([keras.Input((6,)), L.Dense(4)])
        self.decoder = keras.Sequential([keras.Input((2,)), L.Dense(6)])
        self.total = keras.metrics.Mean(name="total")

    @property
    def metrics(self) -> list[Any]:
        return [self.total]

    def train_step(self, data: Any) -> Any:
        with tf.GradientTape() as tape:
            mean, scale = tf.split(self.encoder(data), 2, axis=1)
            noise = tf.random.stateless_normal(tf.shape(mean), seed=(1, 2))
            again = self.decoder(mean + tf.exp(scale / 2) * noise)
            loss = tf.reduce_mean((data - again) ** 2)
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        self.total.update_state(loss)
        return {"total": self.total.result()}


class Adversarial(keras.Model):
    """Two models and two optimizers in one; Keras' own optimizer is None."""

    def __init__(self) -> None:
        super().__init__()
        self.critic = keras.Sequential([L.Dense(8, "relu"), L.Dense(1)])
        self.maker = keras.Sequential([L.Dense(8, "relu"), L.Dense(6)])

    def compile(self, first: Any, second: Any) -> None:
        super().compile()
        self.first, self.second = first, second

    def train_step(self, data: Any) -> Any:
        noise = tf.random.stateless_normal((tf.shape(data)[0], 2), seed=(3, 4))
        with tf.GradientTape(persistent=True) as tape:
            real, made = self.critic(data), self.critic(self.maker(noise))
            critical = tf.reduce_mean(made) - tf.reduce_mean(real) + tf.reduce_mean(real**2)
            making = -tf.reduce_mean(made)
        for loss, model, optimizer in (
            (critical, self.critic, self.first),
            (making, self.maker, self.second),
        ):
            weights = model.trainable_weights
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"critic": critical, "maker": making}


class Canonical(keras.Model):
    """The training step of Keras' guide: a dict of all metrics, the compiled ones nested."""

    def __init__(self) -> None:
        super().__init__()
        self.out = L.Dense(3, "softmax")

    def call(self, inputs: Any) -> Any:
        return self.out(inputs)

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=predicted)
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, predicted)
        return {metric.name: metric.result() for metric in self.metrics}


class Shape(L.Layer):
    """Remembers the shape that it was built for."""

    def build(self, input_shape: Any) -> None:
        self.built_for = tuple(input_shape)

    def call(self, inputs: Any) -> Any:
        return inputs


def _autoencoder() -> keras.Model:
    model = Autoencoder()
    model.compile(keras.optimizers.Adam(0.01, epsilon=0.1))
    return model


def _adversarial() -> keras.Model:
    model = Adversarial()
    # Adam divides by the size of a gradient: of one near zero it would make rounding, which
    # differs between processors, as large as a step. A large epsilon keeps it small.
    model.compile(keras.optimizers.Adam(0.01, epsilon=0.1), keras.optimizers.SGD(0.01))
    return model


def _canonical() -> keras.Model:
    model = Canonical()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _same(make: Any, x: Any, y: Any, **options: Any) -> None:
    fixed = {"batch_size": 8, "epochs": 3, "shuffle": False, "verbose": 0} | options
    models, histories = [], []
    for fit in (kb.fit, keras.Model.fit):
        keras.utils.set_random_seed(2)
        models.append(make())
        histories.append(fit(models[-1], x, y, **fixed))
    assert histories[0].kerasbatch.engine == "fused"
    assert list(histories[0].history) == list(histories[1].history)
    for name, values in histories[0].history.items():
        np.testing.assert_allclose(values, histories[1].history[name], rtol=1e-4, atol=1e-6)
    for mine, theirs in zip(models[0].weights, models[1].weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "y"),
    [(_autoencoder, None), (_adversarial, None), (_canonical, Y)],
    ids=["vae", "gan", "canonical"],
)
def test_they_train_in_blocks_as_by_keras(make: Any, y: Any) -> None:
    """Same weights, same logs."""
    _same(make, X, y)


def test_a_metric_that_is_a_dict() -> None:
    """Its values stand in the history by their own names."""

    class Two(keras.metrics.Metric):
        def __init__(self) -> None:
            super().__init__(name="two")
            self.n = self.add_variable((), "zeros", name="n")

        def update_state(self, y: Any, predicted: Any, sample_weight: Any = None) -> None:
            self.n.assign_add(1.0)

        def result(self) -> Any:
            return {"count": self.n.value, "double": 2 * self.n.value}

    def make() -> keras.Model:
        model = keras.Sequential([keras.Input((6,)), L.Dense(3, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=[Two()])
        return model

    _same(make, X, Y)


def test_models_are_built_for_any_batch_size() -> None:
    """Unbuilt ones get None in the place of it, as from Keras."""
    layer = Shape()
    model = keras.Sequential([layer, L.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    kb.fit(model, X, Y, batch_size=8, verbose=0)
    assert layer.built_for == (None, 6)
    assert model.predict(X, verbose=0).shape == (75, 3)


def test_the_reason_of_a_model_that_cannot_be_built_is_its_own() -> None:
    """And not that its step cannot be compiled."""

    class Broken(keras.Model):
        def call(self, inputs: Any) -> Any:
            raise ValueError("no such thing")

    model = Broken()
    model.compile("sgd", "mse")
    with pytest.raises(
        kb.EngineError, match=r"Keras cannot build it \(ValueError: .*no such thing"
    ):
        kb.fit(model, X, Y, engine="fused", verbose=0)


@pytest.mark.parametrize("engine", ["keras", "fused"])
def test_several_steps_per_execution_cut_epochs_as_keras_does(engine: Any) -> None:
    """75 rows at batch 8 are ten steps an epoch, whatever an execution holds."""

    def make() -> keras.Model:
        model = keras.Sequential([keras.Input((6,)), L.Dense(3, "softmax")])
        loss = "sparse_categorical_crossentropy"
        model.compile("sgd", loss, steps_per_execution=4)
        return model

    seen = []

    class Counter(keras.callbacks.Callback):
        accepts_blocks = True

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen.append(int(self.model.optimizer.iterations))

    kb.fit(make(), X, Y, batch_size=8, epochs=3, engine=engine, callbacks=[Counter()], verbose=0)
    assert seen == [10, 20, 30]


def test_none_for_an_optional_input_is_left_to_keras() -> None:
    """With a warning; asked for by engine keras, without."""
    first = keras.Input((6,), name="a")
    second = keras.Input((2,), name="b", optional=True)

    class Maybe(L.Layer):
        def call(self, a: Any, b: Any = None) -> Any:
            return a if b is None else keras.ops.concatenate([a, b], axis=-1)

    out = L.Dense(3, "softmax")(Maybe()(first, None))
    model = keras.Model({"a": first, "b": second}, out)
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.warns(UserWarning, match="an input is None"):
        kb.fit(model, {"a": X, "b": None}, Y, verbose=0)


class Silent(keras.callbacks.Callback):
    """Its hooks do nothing."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Nothing."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        pass


def test_hooks_that_do_nothing_need_no_batch() -> None:
    """A docstring or `pass` is no reason for plain fit."""
    model = _canonical()
    history = kb.fit(model, X, Y, callbacks=[Silent()], engine="fused", verbose=0)
    assert history.kerasbatch.engine == "fused"
