"""Datasets whose shapes TensorFlow does not know, or whose parts have different batch sizes."""

import warnings
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasbatch as kb

X = np.random.RandomState(0).rand(320, 3).astype("float32")


class TwoParts(keras.Model):
    """A contrastive step: unlabelled examples beside fewer labelled ones."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.mean = keras.layers.Dense(1), keras.metrics.Mean(name="loss")

    def train_step(self, data: Any) -> dict[str, Any]:
        unlabelled, (labelled, y) = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self.dense(unlabelled) ** 2)
            loss += tf.reduce_mean((self.dense(labelled) - y) ** 2)
        weights = self.dense.trainable_weights
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        self.mean.update_state(loss)
        return {"loss": self.mean.result()}


def test_parts_of_different_sizes_are_left_to_keras() -> None:
    """At once, with the reason; the losses are those of Keras."""
    losses = []
    for fit in (keras.Model.fit, kb.fit):
        keras.utils.set_random_seed(0)
        model = TwoParts()
        model.compile("sgd")
        large = tf.data.Dataset.from_tensor_slices(X).batch(8)
        small = tf.data.Dataset.from_tensor_slices((X[:80], X[:80, :1])).batch(2)
        data = tf.data.Dataset.zip((large, small)).prefetch(1)
        if fit is kb.fit:
            with pytest.warns(UserWarning, match="arrays of a batch are of different lengths"):
                losses.append(fit(model, data, epochs=2, shuffle=False, verbose=0).history["loss"])
        else:
            losses.append(fit(model, data, epochs=2, shuffle=False, verbose=0).history["loss"])
    assert losses[0] == losses[1]


def zipped(large_end: int, small_end: int) -> tf.data.Dataset:
    large = tf.data.Dataset.from_tensor_slices(X[:large_end]).batch(8)
    small = tf.data.Dataset.from_tensor_slices((X[:small_end], X[:small_end, :1])).batch(8)
    return tf.data.Dataset.zip((large, small))


def changing(order: tuple[int, ...]) -> tf.data.Dataset:
    """Return batches of 8 in one part, and of these sizes in the other."""
    x, y = tf.TensorSpec((None, 3)), tf.TensorSpec((None, 1))
    data = tf.data.Dataset.from_generator(lambda: generated(order), output_signature=(x, (x, y)))
    return data.apply(tf.data.experimental.assert_cardinality(len(order)))


def generated(order: tuple[int, ...]) -> Any:
    for size in order:
        yield X[:8], (X[:size], X[:size, :1])


LATE = {
    "at the end": lambda: zipped(84, 88),
    "in between": lambda: changing((8, 8, 3, 8, 2, 2, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 1, 8)),
    "at the beginning": lambda: changing((3, *[8] * 20)),
    "from Python": lambda: generated((8, 8, 8, 3, 5, *[8] * 15, 2)),
}


@pytest.mark.parametrize("name", LATE)
def test_parts_that_become_unequal_late(name: str) -> None:
    """Such a batch is a step of its own; losses and weights are those of Keras, bit for bit."""
    ends = []
    steps = {"steps_per_epoch": 21} if name == "from Python" else {"epochs": 3}
    for fit in (keras.Model.fit, kb.fit):
        keras.utils.set_random_seed(0)
        model = TwoParts()
        model.compile("adam")
        data, options = LATE[name](), steps | ({"engine": "fused"} if fit is kb.fit else {})
        history = fit(model, data, shuffle=False, verbose=0, **options)
        ends.append((history.history["loss"], [w.tolist() for w in model.get_weights()]))
    assert history.kerasbatch.engine == "fused"
    assert ends[0] == ends[1]


def test_a_label_for_a_whole_batch() -> None:
    """Keras' own step repeats it; so does the engine."""

    def batches() -> Any:
        for first in range(0, 320, 8):
            rows = slice(first, first + (1 if first == 80 else 8))
            yield X[first : first + 8], X[rows, :1]

    signature = (tf.TensorSpec((None, 3)), tf.TensorSpec((None, 1)))
    data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    data, found = data.apply(tf.data.experimental.assert_cardinality(40)), []
    for fit in (keras.Model.fit, kb.fit):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        options = {"engine": "fused"} if fit is kb.fit else {}
        found.append(fit(model, data, shuffle=False, verbose=0, **options).history)
    assert found[0] == found[1]


def with_empty_batches(kind: str) -> Any:
    """Return 40 batches; the first, one in the middle and the last have no examples."""

    def batch(number: int) -> Any:
        rows = slice(0, 0) if number in (0, 20, 39) else slice(8 * number, 8 * number + 8)
        return X[rows], X[rows, :1]

    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 40

        def __getitem__(self, number: int) -> Any:
            return batch(number)

    if kind == "PyDataset":
        return Batches()
    if kind == "generator":
        return (batch(number % 40) for number in range(80))
    signature = (tf.TensorSpec((None, 3)), tf.TensorSpec((None, 1)))
    data = tf.data.Dataset.from_generator(lambda: map(batch, range(40)), output_signature=signature)
    return data.apply(tf.data.experimental.assert_cardinality(40))


@pytest.mark.parametrize("kind", ["PyDataset", "generator", "dataset"])
def test_a_batch_without_examples_is_a_step(kind: str) -> None:
    """Momentum moves the weights in it, and the optimizer counts it, as in Keras."""
    found = []
    for fit in (keras.Model.fit, kb.fit):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        options: dict[str, Any] = {"epochs": 2, "shuffle": False, "verbose": 0}
        options |= {"engine": "fused"} if fit is kb.fit else {}
        steps = 40 if kind == "generator" else None
        losses = fit(model, with_empty_batches(kind), steps_per_epoch=steps, **options).history
        assert int(model.optimizer.iterations) == 80
        found.append([*losses["loss"], *np.ravel(model.get_weights()[0])])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_labels_that_run_out() -> None:
    """An error of TensorFlow's, as in Keras: the last batch has eight examples and four labels."""
    labels = tf.data.Dataset.from_tensor_slices(X[:84, 0]).batch(8)
    data = tf.data.Dataset.zip((tf.data.Dataset.from_tensor_slices(X[:88]).batch(8), labels))
    for fit in (keras.Model.fit, kb.fit):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        options = {"engine": "fused"} if fit is kb.fit else {}
        with pytest.raises(tf.errors.InvalidArgumentError):
            fit(model, data, epochs=2, shuffle=False, verbose=0, **options)


def test_windows_of_a_time_series_train_in_blocks() -> None:
    """Their length is that of the model's input; the weights are those of Keras."""
    weights = []
    for fit in (keras.Model.fit, kb.fit):
        keras.utils.set_random_seed(0)
        data = keras.utils.timeseries_dataset_from_array(
            X[:-5], X[5:, :1], sequence_length=5, batch_size=8
        )
        assert data.element_spec[0].shape == (None, None, 3)
        model = keras.Sequential(
            [keras.Input((5, 3)), keras.layers.Flatten(), keras.layers.Dense(1)]
        )
        model.compile("sgd", "mse")
        history = fit(model, data, epochs=2, shuffle=False, verbose=0)
        weights.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    assert history.kerasbatch.engine == "fused"
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-5)


def test_windows_of_another_length_are_an_error() -> None:
    """The model has windows of five; the data of four."""
    data = keras.utils.timeseries_dataset_from_array(X, X, sequence_length=4, batch_size=8)
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("sgd", "mse")
    with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible with expected shape"):
        kb.fit(model, data, shuffle=False, verbose=0)


def test_examples_of_any_length_are_left_to_keras() -> None:
    """The model takes any length, so nothing fixes it; the warning says what would."""
    model = keras.Sequential(
        [keras.Input((None, 3)), keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    data = keras.utils.timeseries_dataset_from_array(X, X[:, :1], sequence_length=5, batch_size=8)
    why = "no fixed shape .*; fix it with dataset.map and tf.ensure_shape"
    with pytest.warns(UserWarning, match=why):
        history = kb.fit(model, data, shuffle=False, verbose=0)
    assert history.kerasbatch.engine == "keras"
    with pytest.raises(kb.EngineError, match=why):
        kb.fit(model, data, shuffle=False, verbose=0, engine="fused")


def test_what_has_no_effect_is_a_warning() -> None:
    """A batch size beside a dataset, which Keras ignores in silence; the steps are the data's."""
    with pytest.warns(UserWarning, match="batch_size has no effect"):
        history = kb.fit(*_line(), batch_size=16, shuffle=False, verbose=0)
    assert history.kerasbatch.engine == "fused"
    assert int(history.model.optimizer.iterations) == 40


def test_the_warning_about_shuffle_is_that_of_keras() -> None:
    """If its version has one."""
    messages = []
    for fit in (keras.Model.fit, kb.fit):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit(*_line(), verbose=0)
        messages.append([str(warning.message) for warning in caught])
    assert messages[0] == messages[1]


def _line() -> tuple[keras.Model, tf.data.Dataset]:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model, tf.data.Dataset.from_tensor_slices((X, X[:, :1])).batch(8)
