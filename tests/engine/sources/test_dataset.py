"""Batches of a tf.data.Dataset in blocks: the same weights as by `model.fit`."""

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from fit_support import (
    CLASSES,
    NUMBERS,
    SEQUENCES,
    TABLE,
    L,
    N,
    Subclassed,
    mlp,
    normalised,
    ready,
    two_in_two_out,
)

import kerasbatch as kb
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.tensorflow.step_loop import StepLoop

pytestmark = pytest.mark.filterwarnings(
    "ignore:`shuffle=True` was passed, but will be ignored:UserWarning",
)

WEIGHTS = np.linspace(0.1, 2, len(TABLE)).astype(np.float32)
Make = Callable[[], tf.data.Dataset]
SHORT = EngineSettings(short_epoch=0)
"""Settings that train epochs of a few steps in blocks, too."""
WITH_XLA = EngineSettings(short_epoch=0, xla_steps=1)


def rows() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((TABLE, CLASSES))


def fit(model: keras.Model, *data: Any, settings: EngineSettings = SHORT, **options: Any) -> Any:
    return kb.fit(model, *data, verbose=0, settings=settings, **options)


def both(
    make: Callable[[], keras.Model],
    data: Make,
    tolerance: float = 1e-5,
    settings: EngineSettings = SHORT,
    **options: Any,
) -> tuple[Any, Any]:
    """Train by Keras and in blocks, on datasets made alike; weights and histories are equal."""
    models, histories = [make(), make()], []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        histories.append(models[0].fit(data(), verbose=0, shuffle=False, **options))
    histories.append(fit(models[1], data(), settings=settings, **options))
    assert (histories[1].kerasbatch.engine, histories[1].kerasbatch.data) == ("fused", "stacked")
    for theirs, mine in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=tolerance, rtol=tolerance)
    theirs, mine = (history.history for history in histories)
    assert list(theirs) == list(mine)
    for name in theirs:
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-4, atol=1e-5, err_msg=name)
    return models[1], histories[1]


@pytest.mark.parametrize(
    ("data", "options", "steps"),
    [
        pytest.param(lambda: rows().batch(8), {}, 42, id="a smaller last batch"),
        pytest.param(lambda: rows().batch(8, drop_remainder=True), {}, 39, id="none"),
        pytest.param(lambda: rows().batch(1), {}, 330, id="one by one"),
        pytest.param(lambda: rows().shuffle(50, seed=3).batch(8), {}, 42, id="shuffled anew"),
        pytest.param(lambda: rows().repeat(2).batch(7), {}, 96, id="repeated, then batched"),
        pytest.param(
            lambda: rows().batch(7).repeat(),
            {"steps_per_epoch": 10},
            30,
            id="batched, then repeated",
        ),
        pytest.param(
            lambda: rows().batch(5).concatenate(rows().batch(9)), {}, 105, id="two batch sizes"
        ),
        pytest.param(
            lambda: rows().batch(8), {"class_weight": {0: 1.0, 3: 3.0}}, 42, id="class weights"
        ),
        pytest.param(
            lambda: (
                tf.data.Dataset.zip(rows(), tf.data.Dataset.from_tensor_slices(WEIGHTS))
                .map(lambda pair, weight: (*pair, weight))
                .batch(8)
            ),
            {},
            42,
            id="weights of examples",
        ),
        pytest.param(
            lambda: rows().batch(8).cache().prefetch(2),
            {"validation_data": rows().batch(9), "validation_freq": 2},
            42,
            id="validated",
        ),
        pytest.param(
            lambda: rows().batch(8),
            {"validation_data": (TABLE[:50], CLASSES[:50]), "validation_steps": 1},
            42,
            id="validated on arrays",
        ),
    ],
)
def test_the_same_as_by_keras(data: Make, options: dict[str, Any], steps: int) -> None:
    """Order, batch sizes and epochs are the user's own."""
    model, _ = both(ready, data, epochs=3, **options)
    assert int(model.optimizer.iterations) == steps


@pytest.mark.parametrize("rows_of_a_chunk", [16, 24, 64])
def test_batches_that_lie_across_chunks(rows_of_a_chunk: int) -> None:
    """A chunk is a number of rows, and a batch may begin in one and end in the next."""
    settings = EngineSettings(short_epoch=0, unknown_size_rows=rows_of_a_chunk)
    both(ready, lambda: rows().batch(7).repeat(2), settings=settings, epochs=2)
    both(ready, lambda: rows().batch(40), settings=settings, epochs=2)


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int | None, ...]]:
    """The shapes of indices that blocks of steps are traced for."""
    shapes: list[tuple[int | None, ...]] = []
    trace = StepLoop.trace

    def watched(
        self: StepLoop, arrays: Any, tags: Any, indices: Any, *rest: Any, **options: Any
    ) -> Any:
        shapes.append(tuple(indices.shape))
        return trace(self, arrays, tags, indices, *rest, **options)

    monkeypatch.setattr(StepLoop, "trace", watched)
    return shapes


@pytest.mark.parametrize("size", [7, 30, 40])
def test_every_chunk_has_room_for_the_rest_of_the_one_before(size: int, traced: list[Any]) -> None:
    """One program takes all whole batches."""
    settings = EngineSettings(short_epoch=0, unknown_size_rows=32, xla_steps=1)
    fit(ready(), rows().batch(size).repeat(2), epochs=2, settings=settings)
    assert [shape[1] for shape in traced].count(size) == 1


@pytest.mark.parametrize(("xla_steps", "shapes"), [(1, [8, None]), (1000, [None])])
def test_odd_batches_share_a_program(xla_steps: int, shapes: list[Any], traced: list[Any]) -> None:
    """The first batch may be odd: the commonest size counts. Without XLA, all sizes share it."""
    settings = EngineSettings(short_epoch=0, xla_steps=xla_steps)
    sizes = [3, *[8] * 11, 5, 4, 2, 1]

    def odd() -> tf.data.Dataset:
        data, end = rows().take(3).batch(8), 3
        for size in sizes[1:]:
            data, end = data.concatenate(rows().skip(end).take(size).batch(8)), end + size
        return data

    both(ready, odd, settings=settings, epochs=2)
    assert [shape[1] for shape in traced] == shapes


def test_the_data_go_on_over_epochs() -> None:
    """With steps_per_epoch; where they run out, that is said, and the next epoch begins anew."""
    for per_epoch in (5, 14, 20):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            both(ready, lambda: rows().batch(8), epochs=4, steps_per_epoch=per_epoch)
        told = {str(each.message) for each in caught if "ran out after" in str(each.message)}
        assert bool(told) == (per_epoch != 14)


def test_a_batch_that_is_not_what_the_dataset_says() -> None:
    """TensorFlow believes `set_shape`; we do not train on batches that are cut elsewhere."""

    def lying(x: Any, y: Any) -> Any:
        x, y = tf.py_function(lambda *each: each, [x, y], (tf.float32, tf.int64))
        x.set_shape((8, 6))
        y.set_shape((8,))
        return x, y

    with pytest.raises(ValueError, match="fewer than the 8 examples that x says it has"):
        fit(ready(), rows().batch(8).map(lying))


@pytest.mark.parametrize("per_epoch", [None, 5, 9, 14, 20])
def test_a_later_training_on_a_dataset_that_is_shuffled_anew(per_epoch: int | None) -> None:
    """It counts how often it was begun; so do we."""
    data = [rows().shuffle(N, seed=3).batch(8) for _ in range(2)]
    models = [ready(), ready()]
    options: dict[str, Any] = {"epochs": 2, "steps_per_epoch": per_epoch}
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*ran out of data|the data ran out")
            models[0].fit(data[0], verbose=0, shuffle=False, **options)
            fit(models[1], data[1], **options)
    for theirs, mine in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_a_dataset_of_unknown_length() -> None:
    """Every epoch ends with the data; Keras also counts the step that found none."""
    plain, fused = ready(), ready()
    data = rows().batch(8).filter(lambda x, y: tf.reduce_sum(x) > 0)
    count = sum(1 for _ in data)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        plain.fit(data, epochs=1, verbose=0, shuffle=False)
    history = fit(fused, data, epochs=1)
    assert (history.kerasbatch.engine, int(fused.optimizer.iterations)) == ("fused", count)
    for theirs, mine in zip(plain.get_weights(), fused.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_with_xla() -> None:
    """XLA pays in many steps."""
    _, history = both(ready, lambda: rows().batch(8), settings=WITH_XLA, epochs=3)
    assert "compiled with XLA" in history.kerasbatch.why


def test_dicts_of_inputs_and_outputs() -> None:
    """As the model takes them."""

    def make() -> keras.Model:
        keras.utils.set_random_seed(1)
        model = two_in_two_out()
        model.compile("sgd", {"c": "sparse_categorical_crossentropy", "d": "mse"})
        return model

    x, y = {"a": TABLE, "b": SEQUENCES}, {"c": CLASSES, "d": NUMBERS}
    both(make, lambda: tf.data.Dataset.from_tensor_slices((x, y)).batch(8), epochs=2)


def test_batch_normalization_and_a_train_step_of_ones_own() -> None:
    """Everything is Keras' own step, or the user's."""

    def own() -> keras.Model:
        keras.utils.set_random_seed(1)
        model = Subclassed()
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    both(lambda: _with_sgd(normalised), lambda: rows().batch(8), epochs=2)
    both(own, lambda: rows().batch(8), epochs=2)


def _with_sgd(make: Callable[[], keras.Model]) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = make()
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


class Reading(keras.Model):
    """Its train_step finds the input, and a weight, in what it gets."""

    def __init__(self, read: Callable[[Any], tuple[Any, Any]]) -> None:
        super().__init__()
        self.out, self.read = L.Dense(6), read

    def call(self, inputs: Any) -> Any:
        return self.out(inputs)

    def train_step(self, data: Any) -> Any:
        x, weight = self.read(data)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x, training=True) - x) ** 2) * weight
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        return {"loss": loss}


def reading(read: Callable[[Any], tuple[Any, Any]]) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = Reading(read)
    model.compile("sgd")
    return model


def test_a_train_step_without_labels() -> None:
    """The batch is the input alone, a tensor or a dict."""

    def make() -> keras.Model:
        return reading(lambda data: (data["x"] if isinstance(data, dict) else data, 1.0))

    both(make, lambda: tf.data.Dataset.from_tensor_slices(TABLE).batch(8), epochs=2)


def test_an_invalid_label_is_detected() -> None:
    """XLA would compute with it; without XLA comes Keras' error, and the model still trains."""
    wrong = CLASSES.copy()
    wrong[50] = 9
    data = tf.data.Dataset.from_tensor_slices((TABLE, wrong)).batch(8)
    model = ready(lambda: keras.Sequential([L.Dense(4, "softmax")]))  # built by its data
    with pytest.raises(tf.errors.InvalidArgumentError, match="label value of 9"):
        fit(model, data, settings=WITH_XLA)
    assert fit(model, rows().batch(8), settings=WITH_XLA).kerasbatch.engine == "fused"


def test_apparent_mistakes_are_trained_on() -> None:
    """A label that is ignored, two Embeddings of different size, outputs in another order."""
    ignored = np.where(np.arange(N) % 5 == 0, -1, CLASSES)

    def ignoring() -> keras.Model:
        model = ready()
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(ignore_class=-1))
        return model

    def embeddings() -> keras.Model:
        keras.utils.set_random_seed(1)
        ends = {"few": 4, "many": 40}
        inputs = {name: keras.Input((1,), dtype="int32", name=name) for name in ends}
        each = [L.Flatten()(L.Embedding(ends[name], 2)(inputs[name])) for name in ends]
        model = keras.Model(inputs, L.Dense(4, "softmax")(L.Concatenate()(each)))
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    def outputs() -> keras.Model:
        keras.utils.set_random_seed(1)
        x = keras.Input((6,))
        wide, small = L.Dense(9, "softmax", name="z")(x), L.Dense(4, "softmax", name="a")(x)
        model = keras.Model(x, [wide, small])
        sparse = "sparse_categorical_crossentropy"
        model.compile("sgd", [sparse, sparse])
        return model

    words = {"few": CLASSES[:, None], "many": (9 * CLASSES)[:, None]}
    for make, x, y in (
        (ignoring, TABLE, ignored),
        (embeddings, words, CLASSES),
        (outputs, TABLE, (CLASSES + 4, CLASSES)),
    ):
        data = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
        both(make, lambda data=data: data, settings=WITH_XLA, epochs=2)


def test_batches_reach_a_train_step_as_they_are() -> None:
    """A tuple of one stays a tuple, and so does one of four."""

    def make() -> keras.Model:
        return reading(lambda data: (data[0], tf.reduce_mean(data[-1])))

    both(make, lambda: tf.data.Dataset.from_tensor_slices((TABLE,)).batch(8), epochs=2)
    both(make, lambda: tf.data.Dataset.from_tensor_slices((TABLE,) * 4).batch(8), epochs=2)


def test_no_more_rows_are_read_than_needed() -> None:
    """Where steps_per_epoch tells how many batches there will be."""
    read: list[int] = []

    def one(index: Any) -> Any:
        read.append(int(index))
        return TABLE[int(index) % N], CLASSES[int(index) % N]

    def shaped(x: Any, y: Any) -> Any:
        return tf.ensure_shape(x, (6,)), tf.ensure_shape(y, ())

    data = tf.data.Dataset.range(10_000).map(
        lambda index: tf.py_function(one, [index], (tf.float32, tf.int64))
    )
    fit(ready(), data.map(shaped).batch(8), steps_per_epoch=5, epochs=2)
    assert 80 <= len(read) < 100


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (lambda: rows().batch(8).take(0), "x yields no batch"),
        (lambda: rows().batch(8).filter(lambda x, y: False), "x yields no batch"),
    ],
)
def test_a_dataset_without_a_batch(data: Make, told: str) -> None:
    """Nothing was trained, and that is an error."""
    model = ready()
    with pytest.raises(ValueError, match=told):
        fit(model, data())
    assert int(model.optimizer.iterations) == 0


def test_a_dataset_that_fails_on_its_way() -> None:
    """Its own error is shown, and the model can still be trained."""

    def fail(x: Any, y: Any) -> Any:
        tf.debugging.assert_less(
            tf.reduce_max(y), tf.constant(4, y.dtype), message="too many classes"
        )
        return x, y

    wrong = CLASSES.copy()
    wrong[100] = 9
    data = tf.data.Dataset.from_tensor_slices((TABLE, wrong)).batch(8).map(fail)
    model = ready()
    with pytest.raises(tf.errors.InvalidArgumentError, match="too many classes"):
        fit(model, data, settings=WITH_XLA)
    assert fit(model, rows().batch(8), settings=WITH_XLA).kerasbatch.engine == "fused"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (
            lambda: rows().batch(8).map(lambda x, y: (x, y, 1.0)),
            "a batch holds a number that is none of its examples",
        ),
    ],
)
def test_batches_that_only_keras_can_take(data: Make, why: str) -> None:
    """They go to plain fit, with a warning that says why."""
    model = ready()
    with pytest.raises(kb.EngineError, match=why):
        fit(model, data(), engine="fused")
    with pytest.warns(UserWarning, match=why):
        history = fit(model, data(), shuffle=False)
    assert (history.kerasbatch.engine, history.kerasbatch.data) == ("keras", "keras")


def test_large_batches_gain_nothing() -> None:
    """They are left to plain fit, without a warning; the fused engine takes them where asked to."""
    large = EngineSettings(short_epoch=0, large_batch=50)
    data = rows().batch(60).map(lambda x, y: (x, y)).prefetch(1)
    report = fit(ready(), data, settings=large, shuffle=False).kerasbatch
    assert report.why == "plain model.fit, because steps of 60 examples gain nothing from blocks"
    assert fit(ready(), data, settings=large, engine="fused").kerasbatch.data == "stacked"
    assert fit(ready(), rows().batch(40), settings=large).kerasbatch.data == "stacked"
    short = EngineSettings(short_epoch=14 + 1)
    report = fit(ready(), rows().batch(8), settings=short, shuffle=False).kerasbatch
    assert report.why == "plain model.fit, because epochs of 14 steps gain nothing from blocks"
    assert fit(ready(), rows().batch(5), settings=short).kerasbatch.data == "stacked"


def test_a_training_that_is_over() -> None:
    """initial_epoch is the last one already: Keras does nothing, and neither do we."""
    model, options = ready(), {"epochs": 3, "initial_epoch": 3, "steps_per_epoch": 5}
    with pytest.warns(UserWarning, match="there is nothing to do"):
        fit(model, rows().batch(8), shuffle=False, **options)
    assert int(model.optimizer.iterations) == 0


def test_plain_fit_as_asked_for() -> None:
    """Without a warning."""
    history = fit(ready(), rows().batch(8), engine="keras", shuffle=False)
    assert history.kerasbatch.why == "plain model.fit, as asked for"


def test_callbacks_hear_of_every_block_and_stop_it() -> None:
    """The last step of each, with the number that Keras would give it."""

    class Stop(keras.callbacks.Callback):
        accepts_blocks = True

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.heard = batch
            self.model.stop_training = batch >= 3

    stop, model = Stop(), ready(mlp)
    fit(model, rows().batch(1), epochs=3, callbacks=[stop])
    assert int(model.optimizer.iterations) == stop.heard + 1 < len(TABLE)
