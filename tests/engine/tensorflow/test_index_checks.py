"""An index out of range ends a training by XLA before it changes a weight, wherever it is used."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasbatch as kb
from kerasbatch.engine.model_state import all_variables
from kerasbatch.engine.tensorflow.program import TensorFlowProgram
from kerasbatch.errors import EngineError

N, BAD = 400, 333
X = np.random.RandomState(0).rand(N, 4).astype("float32")
IDS = np.random.RandomState(0).randint(0, 5, (N, 4))
CLASSES = np.arange(N) % 3
TABLE = np.random.RandomState(1).rand(5, 3).astype("float32")
VARIABLE = tf.Variable(TABLE, trainable=False)


class Own(keras.layers.Layer):
    """Uses indices by an operation of TensorFlow's own."""

    def __init__(self, operation: Callable[[Any], Any]) -> None:
        super().__init__()
        self.operation, self.dense = operation, keras.layers.Dense(1)

    def build(self, shape: Any) -> None:
        self.dense.build((None, 3))

    def call(self, ids: Any) -> Any:
        return self.dense(self.operation(tf.cast(ids, tf.int32)))


def _as_batch(rows: Any, ids: Any) -> Any:
    return rows[:1] + tf.zeros_like(ids[:, :1], tf.float32)


@tf.function
def _in_function(ids: Any) -> Any:
    return tf.gather(TABLE, ids[:, 0])


def _in_loop(ids: Any) -> Any:
    zeros = tf.zeros((tf.shape(ids)[0], 3))
    body = lambda i, total: (i + 1, total + tf.gather(TABLE, ids[:, i]))  # noqa: E731
    return tf.while_loop(lambda i, _: i < 4, body, (0, zeros))[1]


def _in_branch(ids: Any) -> Any:
    return tf.cond(
        tf.reduce_sum(ids) >= 0, lambda: tf.gather(TABLE, ids[:, 1]), lambda: tf.zeros((8, 3))
    )


OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "gather": lambda ids: tf.gather(TABLE, ids[:, 0]),
    "along the second axis": lambda ids: tf.transpose(tf.gather(TABLE.T, ids[:, 0], axis=1)),
    "from a variable": lambda ids: tf.nn.embedding_lookup(VARIABLE, ids[:, 0]),
    "nested": lambda ids: tf.gather_nd(TABLE, ids[:, :1]),
    "a slice": lambda ids: _as_batch(tf.slice(TABLE, [tf.reduce_max(ids), 0], [1, 3]), ids),
    "an item": lambda ids: _as_batch(tf.constant(TABLE)[tf.reduce_max(ids)][None], ids),
    "segments": lambda ids: _as_batch(tf.math.unsorted_segment_sum(TABLE, ids[:5, 0], 5), ids),
    "scattered": lambda ids: _as_batch(tf.scatter_nd(ids[:5, :1], TABLE, (5, 3)), ids),
    "added": lambda ids: _as_batch(tf.tensor_scatter_nd_add(TABLE, ids[:5, :1], TABLE), ids),
    "in a loop": _in_loop,
    "in a branch": _in_branch,
}


def own_model(operation: Callable[[Any], Any]) -> keras.Model:
    inputs = keras.Input((4,), dtype="int32")
    return keras.Model(inputs, Own(operation)(inputs))


def train(model: keras.Model, x: Any, y: Any, **options: Any) -> keras.callbacks.History:
    given = {"batch_size": 8, "shuffle": False, "verbose": 0, "engine": "fused"}
    return kb.fit(model, x, y, **(given | {"jit_compile": True} | options))


@pytest.mark.parametrize("name", OPERATIONS)
def test_wherever_an_index_is_used(name: str) -> None:
    """Error and model are those that Keras leaves behind; it counts the step that failed."""
    ids, targets = IDS[:32].copy(), X[:32, :1]  # XLA's own steps to the fault are slow
    ids[24] = 11
    states = []
    for fit in (keras.Model.fit, kb.fit):
        keras.utils.set_random_seed(0)
        model = own_model(OPERATIONS[name])
        model.compile("adam", "mse", metrics=["mae"])
        options = {"engine": "fused", "jit_compile": True} if fit is kb.fit else {}
        with pytest.raises(tf.errors.InvalidArgumentError):
            fit(model, ids, targets, batch_size=8, shuffle=False, verbose=0, **options)
        states.append([np.asarray(variable) for variable in all_variables(model)])
    for value, expected in zip(*states, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6)


def test_in_a_function_that_was_traced_before() -> None:
    """Its operations cannot be checked; TensorFlow's own kernels check them."""
    model = own_model(_in_function)
    model.compile("sgd", "mse")
    history = train(model, IDS, X[:, :1])
    assert "without XLA, which does not check a tf.function" in history.kerasbatch.why
    with pytest.raises(tf.errors.InvalidArgumentError):
        train(model, np.where(IDS == 4, 11, IDS), X[:, :1])


def test_valid_indices_train_as_without_checks() -> None:
    """Bit for bit as by a second training, and with XLA."""
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        model = own_model(OPERATIONS["gather"])
        model.compile("sgd", "mse")
        history = train(model, IDS, X[:, :1], epochs=2)
        assert "with XLA" in history.kerasbatch.why
        weights.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_array_equal(*weights)


def test_the_steps_before_are_those_of_keras() -> None:
    """A training that ends at a wrong label has taken all steps before it."""
    labels = CLASSES.astype("float64")
    labels[BAD] = 7
    trained = []
    for fit in (keras.Model.fit, kb.fit):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        options = {"jit_compile": True, "engine": "fused"} if fit is kb.fit else {}
        with pytest.raises(tf.errors.InvalidArgumentError, match="label value of 7"):
            fit(model, X, labels, batch_size=8, shuffle=False, verbose=0, **options)
        trained.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_allclose(trained[0], trained[1], rtol=1e-5)


@pytest.mark.parametrize("kind", ["assert", "numerics"])
def test_a_step_with_assertions_goes_without_xla(kind: str) -> None:
    """XLA drops them; without it they are seen."""

    def checked(ids: Any) -> Any:
        values = tf.gather(TABLE, ids[:, 0])
        if kind == "numerics":
            return tf.debugging.check_numerics(values / tf.cast(ids[:, 1:2] < 9, tf.float32), "no")
        tf.debugging.assert_less(ids, 9)
        return values

    ids = IDS.copy()
    ids[BAD, 1] = 11
    model = own_model(checked)
    model.compile("sgd", "mse")
    history = train(model, IDS, X[:, :1])
    assert "without XLA, which drops" in history.kerasbatch.why
    with pytest.raises(tf.errors.InvalidArgumentError):
        train(model, ids, X[:, :1])


class Alternating(keras.Model):
    """Trains one weight by two optimizers of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.table = keras.layers.Embedding(5, 1)
        self.first, self.second = keras.optimizers.Adam(), keras.optimizers.SGD(momentum=0.9)

    def train_step(self, data: Any) -> dict[str, Any]:
        for optimizer in (self.first, self.second):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self.table(data[0]) - 1.0) ** 2)
            weights = self.table.trainable_variables
            optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


def test_variables_outside_of_the_model_are_restored() -> None:
    """The moments of the optimizers of an own train_step, for example."""
    ids, first = IDS.copy(), BAD // 8 * 8
    ids[first] = 11
    states = []
    for end in (N, first):
        keras.utils.set_random_seed(0)
        model = Alternating()
        model.compile()
        model.table.build((None, 4))
        for optimizer in (model.first, model.second):
            optimizer.build(model.table.trainable_variables)
        if end == N:
            with pytest.raises(tf.errors.InvalidArgumentError):
                train(model, ids, X)
        else:
            model.fit(ids[:end], X[:end], batch_size=8, shuffle=False, verbose=0)
        moments = (*model.first.variables[2:], *model.second.variables[2:])
        states.append([np.asarray(variable) for variable in moments])
    for value, expected in zip(*states, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6)


def test_an_index_that_keras_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU TensorFlow's own kernels compute with it, too; then the error is ours."""
    ids = IDS.copy()
    ids[BAD] = 11
    model = own_model(OPERATIONS["gather"])
    model.compile("sgd", "mse")
    take = TensorFlowProgram.take

    def with_xla(self: TensorFlowProgram, kind: str, *block: Any, **options: Any) -> Any:
        return take(self, kind, *block, **options) if kind == "xla" else None

    monkeypatch.setattr(TensorFlowProgram, "take", with_xla)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [kind])
    with pytest.raises(EngineError, match=r"GatherV2.* got the index 11, .*not in 0 to 4"):
        train(model, ids, X[:, :1])
    assert int(model.optimizer.iterations) == BAD // 8


UNUSED: dict[str, Callable[[Any], Any]] = {
    "left out by TensorFlow": lambda ids: (
        tf.gather(TABLE, ids[:, 0] + 100),
        tf.cast(ids[:, :3], tf.float32),
    )[1],
    "ignored": lambda ids: tf.gather_nd(TABLE, ids[:, :1], bad_indices_policy="IGNORE"),
}


@pytest.mark.parametrize("name", UNUSED)
def test_what_is_no_mistake_on_a_cpu(name: str) -> None:
    """Keras trains, and so does the engine, with the same numbers."""
    ids, ends = np.where(IDS == 4, 11, IDS), []
    for fit in (keras.Model.fit, kb.fit):
        keras.utils.set_random_seed(0)
        model = own_model(UNUSED[name])
        model.compile("sgd", "mse")
        options = {"engine": "fused", "jit_compile": True} if fit is kb.fit else {}
        history = fit(model, ids, X[:, :1], batch_size=8, shuffle=False, verbose=0, **options)
        ends.append(history.history["loss"])
    assert ends[0] == pytest.approx(ends[1], rel=1e-5)
    assert ("without XLA from step 1 on" in history.kerasbatch.why) == (name != "ignored")


HARMLESS: dict[str, Callable[[Any], Any]] = {
    "a slice in a function": tf.function(lambda ids: tf.cast(ids[:, :3], tf.float32)),
    "a shape in a function": tf.function(
        lambda ids: tf.reshape(tf.cast(ids[:, :3], tf.float32), (tf.shape(ids)[0], 3))
    ),
    "a fixed item": lambda ids: tf.repeat(TABLE[:1], tf.shape(ids)[0], axis=0),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_needs_no_check_goes_with_xla(name: str) -> None:
    """Slices at fixed places."""
    model = own_model(HARMLESS[name])
    model.compile("sgd", "mse")
    assert "with XLA" in train(model, IDS, X[:, :1]).kerasbatch.why


UNKNOWN: dict[str, Callable[[Any], Any]] = {
    "beside dots": lambda ids: _as_batch(tf.constant(TABLE.T)[..., tf.reduce_max(ids)][None], ids),
    "a reversed sequence": lambda ids: tf.reverse_sequence(
        tf.cast(ids, tf.float32), ids[:, 0] % 5, seq_axis=1
    )[:, :3],
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_cannot_be_checked_goes_without_xla(name: str) -> None:
    """The reason is kept, and a second training compiles nothing again."""
    model = own_model(UNKNOWN[name])
    model.compile("sgd", "mse")
    ids = np.minimum(IDS, 3)
    for _ in range(2):
        why = train(model, ids, X[:, :1]).kerasbatch.why
        assert "without XLA, which does not check" in why


@pytest.mark.parametrize("kind", ["label", "id"])
def test_a_number_that_is_not_finite_in_a_dataset(kind: str) -> None:
    """XLA would cast it to 0, a class and a row like any other."""
    x, y = IDS.astype("float32"), CLASSES.astype("float32")
    (y if kind == "label" else x[:, 0])[BAD] = np.nan
    layers = [
        keras.layers.Embedding(5, 2),
        keras.layers.Flatten(),
        keras.layers.Dense(3, "softmax"),
    ]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile("sgd", "sparse_categorical_crossentropy")
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    with pytest.raises(tf.errors.InvalidArgumentError):
        kb.fit(model, data, shuffle=False, verbose=0, engine="fused", jit_compile=True)
    assert int(model.optimizer.iterations) in (BAD // 8, BAD // 8 + 1)


def test_one_hot_is_no_mistake() -> None:
    """Out of range it is zeros, with XLA and without."""
    model = own_model(lambda ids: tf.one_hot(ids[:, 0], 3))
    model.compile("sgd", "mse")
    ids = IDS.copy()
    ids[BAD] = 11
    assert np.isfinite(train(model, ids, X[:, :1]).history["loss"]).all()
