"""Whole epochs in one call of a program: the numbers of blocks of steps, bit for bit."""

import itertools
import os
import signal
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from corner_support import CLASSES, SPARSE, TABLE, L, N

import kerasbatch as kb
from kerasbatch.engine.model_state import all_variables
from kerasbatch.engine.options import FitOptions, Needs
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.tensorflow.program import TensorFlowProgram
from kerasbatch.engine.training import epoch_calls
from kerasbatch.engine.training.start import start
from kerasbatch.planning import plan as make_plan

WORDS = np.random.RandomState(0).randint(0, 5, (N, 4)).astype("int32")
HELD_OUT = (TABLE[:30], CLASSES[:30])


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of epochs of every call; short trainings make calls too."""
    monkeypatch.setattr(epoch_calls, "MIN_EPOCHS", 2)
    monkeypatch.setattr(epoch_calls, "MIN_LONG_EPOCHS", 2)
    counts: list[int] = []
    honest = TensorFlowProgram.train_epochs

    def train(self: TensorFlowProgram, *arguments: Any, **options: Any) -> Any:
        counts.extend([arguments[4]] if arguments[4] else [])  # 0 compiles
        return honest(self, *arguments, **options)

    monkeypatch.setattr(TensorFlowProgram, "train_epochs", train)
    return counts


class Listener(keras.callbacks.Callback):
    """Keeps the logs of every epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.logs.append(dict(logs))


def ready(optimizer: Any = "adam") -> keras.Model:
    keras.utils.set_random_seed(3)
    layers = [keras.Input((6,)), L.Dense(8, "relu"), L.Dropout(0.2), L.Dense(4, "softmax")]
    model = keras.Sequential(layers)
    model.compile(optimizer, SPARSE, metrics=["accuracy"])
    return model


def fit(model: keras.Model, x: Any = TABLE, y: Any = CLASSES, **options: Any) -> dict[str, Any]:
    given = {"epochs": 12, "batch_size": 16, "verbose": 0, "seed": 1, "engine": "fused"}
    history: dict[str, Any] = kb.fit(model, x, y, **(given | options)).history
    return history


def values(model: keras.Model) -> list[Any]:
    return [np.asarray(variable) for variable in all_variables(model)]


@pytest.mark.parametrize("size", [16, 11, N], ids=["partial batch", "even", "full batch"])
@pytest.mark.parametrize(
    "jit", [pytest.param(True, marks=pytest.mark.slow), False], ids=["xla", "loop"]
)
@pytest.mark.parametrize("validation", [None, HELD_OUT], ids=["alone", "validated"])
def test_the_numbers_are_those_of_blocks(
    size: int, jit: bool, validation: Any, monkeypatch: pytest.MonkeyPatch, calls: list[int]
) -> None:
    """Many epochs in a call, one in a call because a callback listens, and none."""
    options = {"batch_size": size, "jit_compile": jit, "validation_data": validation}
    trained = [ready() for _ in range(3)]
    histories = [fit(trained[0], **options), fit(trained[1], callbacks=[Listener()], **options)]
    assert sum(calls) == 2 * 12
    assert max(calls[: len(calls) // 2 + 1]) > 1
    monkeypatch.setattr(epoch_calls, "MIN_EPOCHS", 1000)
    monkeypatch.setattr(epoch_calls, "MIN_LONG_EPOCHS", 1000)
    histories.append(fit(trained[2], **options))
    assert sum(calls) == 2 * 12
    assert histories[0] == histories[1] == histories[2]
    states = [values(model) for model in trained]
    for one, other in itertools.pairwise(states):
        for value, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(value, expected)


def test_the_numbers_are_those_of_keras() -> None:
    """In the order of the data, without a random layer."""
    models = []
    for train in (keras.Model.fit, kb.fit):
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.Input((6,)), L.Dense(8, "relu"), L.Dense(4, "softmax")])
        model.compile("adam", SPARSE, metrics=["accuracy"])
        options = {"epochs": 12, "batch_size": 16, "shuffle": False, "verbose": 0}
        history = train(model, TABLE, CLASSES, validation_data=HELD_OUT, **options)
        models.append((model, history.history, history.epoch, history.params))
    (plain, plain_history, *plain_rest), (ours, history, *rest) = models
    assert rest == plain_rest
    assert list(history) == list(plain_history)
    for name, column in history.items():
        assert all(type(value) is float for value in column)
        np.testing.assert_allclose(column, plain_history[name], rtol=1e-4, atol=1e-6)
    for value, expected in zip(values(ours), values(plain), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-3, atol=1e-5)


def test_the_losses_of_all_steps(calls: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    losses = []
    for is_possible in (True, False):
        monkeypatch.setattr(epoch_calls, "MIN_EPOCHS", 2 if is_possible else 1000)
        plan = make_plan(N, batch_size=16, epochs=12)
        stream = ExampleStream((TABLE, CLASSES), plan, 0)
        training = start(ready(), stream, engine="fused", needs=Needs(record_steps=True))
        training.fit(FitOptions())
        losses.append(training.step_losses)
    assert losses[0] == losses[1]
    assert len(losses[0]) == 12 * 7
    assert calls


def test_a_callback_may_change_the_model_after_every_epoch(calls: list[int]) -> None:
    rates: list[float] = []

    def rate(epoch: int) -> float:
        return 0.1 / (epoch + 1)

    class Reads(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            rates.append(float(self.model.optimizer.learning_rate))

    schedule = keras.callbacks.LearningRateScheduler(rate)
    fit(ready("sgd"), callbacks=[schedule, Reads()])
    assert rates == [pytest.approx(rate(epoch)) for epoch in range(12)]
    assert set(calls) == {1}


def test_a_training_ends_at_the_epoch_of_its_nan(calls: list[int]) -> None:
    """As in Keras, which ends the epoch with the step whose loss is not finite."""
    ends = []
    for train in (keras.Model.fit, kb.fit):
        model = ready(keras.optimizers.SGD(1e19))
        model.layers[1].rate = 0.0
        options = {"epochs": 12, "batch_size": 16, "shuffle": False, "verbose": 0}
        history = train(
            model, TABLE, CLASSES, callbacks=[keras.callbacks.TerminateOnNaN()], **options
        )
        ends.append((len(history.epoch), int(model.optimizer.iterations)))
    assert ends[0] == ends[1]
    assert calls


def test_metrics_of_the_user_are_reset_by_themselves(calls: list[int]) -> None:
    """Such an epoch is trained in blocks."""
    resets: list[int] = []

    class Own(keras.metrics.Mean):
        def reset_state(self) -> None:
            resets.append(1)
            super().reset_state()

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            super().update_state(y_pred)

    model = ready()
    model.compile("sgd", SPARSE, metrics=[Own(name="own")])
    fit(model)
    assert len(resets) >= 12
    assert not calls


def test_an_invalid_index_in_a_later_epoch(calls: list[int]) -> None:
    """Sampling with replacement may draw it late; the epoch is then repeated in blocks."""
    plan = make_plan(N, batch_size=11, epochs=40)
    stream = ExampleStream((WORDS, TABLE[:, :1]), plan, 0, "replacement")
    drawn = np.concatenate([stream.order(epoch) for epoch in range(1, 41)])
    first = np.array([np.flatnonzero(drawn == example)[0] for example in range(N)])
    bad = int(first.argmax())  # the example that is drawn last
    assert first[bad] > 3 * N
    words = WORDS.copy()
    words[bad] = 9
    stream = ExampleStream((words, TABLE[:, :1]), plan, 0, "replacement")
    keras.utils.set_random_seed(3)
    layers = [keras.Input((4,), dtype="int32"), L.Embedding(5, 3), L.Flatten(), L.Dense(1)]
    model = keras.Sequential(layers)
    model.compile("sgd", "mse")
    training = start(model, stream, engine="fused", needs=Needs(jit_compile=True))
    with pytest.raises(tf.errors.InvalidArgumentError):
        training.fit(FitOptions())
    assert max(calls) > 1
    assert int(model.optimizer.iterations) == first[bad] // 11 + 1  # Keras counts the step too


def test_ctrl_c_between_two_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """All epochs that were trained are in the history."""
    honest = TensorFlowProgram.train_epochs

    def interrupted(self: TensorFlowProgram, *arguments: Any, **options: Any) -> Any:
        result = honest(self, *arguments, **options)
        if arguments[4] > 1:
            os.kill(os.getpid(), signal.SIGINT)
        return result

    monkeypatch.setattr(TensorFlowProgram, "train_epochs", interrupted)
    model = ready()
    with pytest.raises(KeyboardInterrupt):
        fit(model, epochs=5000)
    steps = int(model.optimizer.iterations)
    assert steps == len(model.history.epoch) * 7
    assert 1 < len(model.history.epoch) < 5000


class StopsAtBegin(keras.callbacks.Callback):
    """Stops before the second epoch, of which Keras then trains one step."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.stop_training = epoch == 1


class EvaluatesAtBegin(keras.callbacks.Callback):
    """Evaluates before each epoch, whose metrics then begin with these examples."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.evaluate(*HELD_OUT, verbose=0)


class ReadsAtBegin(keras.callbacks.Callback):
    """Reads the metrics before each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch:  # the metrics are built
            self.seen.append(float(self.model.get_metrics_result()["loss"]))


@pytest.mark.parametrize("make", [StopsAtBegin, EvaluatesAtBegin, ReadsAtBegin])
def test_hooks_before_an_epoch_are_those_of_keras(make: Any) -> None:
    """They look at the metrics as Keras leaves them, and decide about the epoch that follows."""

    def trained(**options: Any) -> tuple[Any, ...]:
        model, callback = ready(keras.optimizers.SGD(0.01)), make()
        model.layers[1].rate = 0.0
        given = {"epochs": 3, "batch_size": 16, "verbose": 0, "callbacks": [callback]}
        history = kb.fit(model, TABLE, CLASSES, shuffle=False, **given, **options).history
        return history, int(model.optimizer.iterations), getattr(callback, "seen", None)

    history, steps, seen = trained(engine="fused")
    expected, expected_steps, expected_seen = trained(engine="keras")
    assert steps == expected_steps
    assert seen == expected_seen
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-4)


def test_a_limit_of_all_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.config, "max_epochs", lambda: 2, raising=False)
    with pytest.raises(kb.EngineError, match="max_epochs cuts every fit"):
        kb.fit(ready(), TABLE, CLASSES, epochs=5, verbose=0, engine="fused")
