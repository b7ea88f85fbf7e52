"""`kerasbatch.fit` with Keras on JAX; run with KERAS_BACKEND=jax."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fit_support import CLASSES, IMAGES, SPARSE, TABLE, WORDS, N, convnet, dropped, lstm, mlp

import kerasbatch as kb
from kerasbatch.engine.options import FitOptions
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.training.plain import PlainTraining
from kerasbatch.planning import plan

pytest.importorskip("jax")
pytestmark = pytest.mark.jax
L = keras.layers


def compiled(make: Any = mlp, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = make()
    model.compile(keras.optimizers.Adam(0.01), SPARSE, metrics=["accuracy"], **options)
    return model


def fused(model: keras.Model, x: Any = TABLE, **options: Any) -> keras.callbacks.History:
    given = {"batch_size": 8, "epochs": 3, "seed": 5, "verbose": 0, "engine": "fused"}
    return kb.fit(model, x, CLASSES, **given | options)


def plain(model: keras.Model, x: Any = TABLE, epochs: int = 3) -> keras.callbacks.History:
    stream = ExampleStream((x, CLASSES), plan(N, batch_size=8, epochs=epochs), seed=5)
    return PlainTraining(model, stream, why="to compare").fit(FitOptions())


def values(model: keras.Model) -> list[Any]:
    return [np.asarray(variable) for variable in (*model.variables, *model.optimizer.variables)]


@pytest.mark.parametrize(("make", "x"), [(mlp, TABLE), (dropped, TABLE), (convnet, IMAGES)])
def test_bit_for_bit_as_plain_fit(make: Any, x: Any) -> None:
    """Weights, optimizer, random states; random layers draw the same numbers."""
    one, other = compiled(make), compiled(make)
    histories = fused(one, x), plain(other, x)
    for mine, theirs in zip(values(one), values(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert histories[0].history == histories[1].history


def test_tensorflow_is_never_imported(tmp_path: Path) -> None:
    """Not by a training, a validation, a checkpoint, nor by a record of it."""
    code = f"""
import sys, keras, numpy as np, kerasbatch as kb
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
x, y = np.random.rand(50, 3), np.random.rand(50, 1)
options = dict(epochs=3, validation_split=0.2, verbose=0, seed=1)
assert kb.fit(model, x, y, **options).kerasbatch.engine == "fused"
assert kb.fit(model, x, y, engine="keras", **options).kerasbatch.engine == "keras"
kb.fit(model, x, y, checkpoint={str(tmp_path / "c")!r}, **options)
kb.fit(model, x, y, results={str(tmp_path / "r")!r}, **options)
print("tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_arrays_that_the_user_holds_stay() -> None:
    """A program overwrites its arguments, but none that came from elsewhere."""
    model, twin = compiled(), compiled()
    held = [variable.value for variable in model.trainable_variables]
    for variable, value in zip(twin.trainable_variables, held, strict=True):
        variable.assign(value)
    before = [np.array(value) for value in held]
    fused(model)
    for value, copy in zip(held, before, strict=True):
        np.testing.assert_array_equal(value, copy)
    for variable, copy in zip(twin.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, copy)


def test_a_fresh_model_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the program of the one before; the values are arguments."""
    from kerasbatch.engine.jax.step_loop import StepLoop

    traces: list[int] = []
    step = StepLoop.step

    def counted(self: StepLoop, *arguments: Any) -> Any:
        traces.append(1)
        return step(self, *arguments)

    monkeypatch.setattr(StepLoop, "step", counted)
    keras.utils.clear_session()
    histories = []
    for number in range(3):
        keras.utils.set_random_seed(number)
        model = mlp()
        model.compile("adam", SPARSE)
        histories.append(fused(model).history)
        if not number:
            first = len(traces)
    assert len(traces) == first > 0
    assert histories[0] != histories[1]


def test_convolutions_are_taken_step_by_step() -> None:
    """Inside a loop they are slow on a CPU; the numbers are those of plain `fit`."""
    history = fused(compiled(convnet), IMAGES)
    assert history.kerasbatch.why.endswith("step by step, because of convolutions")


@pytest.mark.parametrize("mode", ["loop", "step"])
def test_every_mode_has_the_same_numbers(mode: Any) -> None:
    """Also with a ragged last batch, and with a stop in the middle."""
    one, other = compiled(convnet), compiled(convnet)
    fused(one, IMAGES, settings=EngineSettings(xla_mode=mode))
    plain(other, IMAGES)
    for mine, theirs in zip(values(one), values(other), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["loop", "step"])
def test_a_loss_that_is_not_finite_ends_the_training(mode: Any) -> None:
    """At that step, as in every engine."""
    model = compiled(lambda: keras.Sequential([keras.Input((6,)), L.Dense(4)]))
    model.compile(keras.optimizers.SGD(1e30), "mse")
    history = kb.fit(
        model,
        TABLE,
        np.ones((N, 4)),
        batch_size=8,
        epochs=3,
        verbose=0,
        callbacks=[keras.callbacks.TerminateOnNaN()],
        settings=EngineSettings(xla_mode=mode),
    )
    assert len(history.epoch) == 1
    assert 0 < int(model.optimizer.iterations) < 14


def test_counting_in_a_thread_moves_no_state() -> None:
    """Keras calls a callback that is safe in a thread while the next step is taken."""
    model = compiled()
    counter = kb.StepCounter(train_examples=N, batch_size=1, epochs=4)
    model.fit(TABLE, CLASSES, batch_size=1, epochs=4, verbose=0, callbacks=[counter])
    assert counter.check() == "ok"


def test_weights_stay_after_an_error_in_a_validation() -> None:
    """Keras takes the values out of the model while it evaluates."""

    class Broken(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, number: int) -> Any:
            if number == 2:
                raise RuntimeError("no such batch")
            return TABLE[:8], CLASSES[:8]

    model = compiled()
    with pytest.raises(RuntimeError, match="no such batch"):
        fused(model, validation_data=Broken())
    assert np.isfinite(np.asarray(model.layers[0].kernel)).all()
    assert int(model.optimizer.iterations) == 14


@pytest.mark.parametrize("mode", ["loop", "step"])
def test_a_signal_in_a_block_leaves_the_values(mode: Any) -> None:
    """Whatever its handler is: the values come back before it raises."""

    class StoppedError(Exception):
        pass

    def stop(number: int, frame: Any) -> None:
        raise StoppedError

    class Signal(keras.callbacks.Callback):
        accepts_blocks = True

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 3:
                signal.setitimer(signal.ITIMER_REAL, 0.05)

    before = signal.signal(signal.SIGALRM, stop)
    model = compiled(convnet)
    settings = EngineSettings(xla_mode=mode)
    try:
        with pytest.raises(StoppedError):
            fused(model, IMAGES, epochs=500, callbacks=[Signal()], settings=settings)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert all(np.isfinite(value).all() for value in values(model))


def test_a_layer_without_xla_is_left_to_plain_fit() -> None:
    class Eager(L.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.supports_jit = False

        def call(self, inputs: Any) -> Any:
            return inputs

    make = lambda: keras.Sequential([keras.Input((6,)), Eager(), L.Dense(4, "softmax")])  # noqa: E731
    with pytest.warns(UserWarning, match="a layer does not support XLA"):
        history = fused(compiled(make), engine="auto")
    assert history.kerasbatch.engine == "keras"


def test_jit_compile_false_is_plain_fit() -> None:
    with pytest.warns(UserWarning, match="JAX compiles steps with XLA, and jit_compile is False"):
        history = fused(compiled(jit_compile=False), engine="auto")
    assert history.kerasbatch.engine == "keras"


def test_batches_are_left_to_plain_fit() -> None:
    def batches() -> Any:
        for start in range(0, 96, 8):
            yield TABLE[start : start + 8], CLASSES[start : start + 8]

    with pytest.warns(UserWarning, match="blocks of steps over batches need TensorFlow"):
        history = kb.fit(compiled(), batches(), shuffle=False, steps_per_epoch=12, verbose=0)
    assert history.kerasbatch.engine == "keras"


class OwnStep(keras.Model):
    """Its train_step takes twice the loss and returns logs of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.out = L.Dense(4, "softmax")

    def call(self, inputs: Any) -> Any:
        return self.out(inputs)

    def train_step(self, state: Any, data: Any) -> Any:
        import jax

        trainable, non_trainable, optimizer, metrics = state
        x, y = data

        def loss_of(weights: Any) -> Any:
            outputs, _ = self.stateless_call(weights, non_trainable, x)
            loss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(y, outputs))
            return 2.0 * loss

        loss, gradients = jax.value_and_grad(loss_of)(trainable)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        return {"own": loss}, (trainable, non_trainable, optimizer, metrics)


def test_an_own_train_step() -> None:
    one, other = compiled(OwnStep), compiled(OwnStep)
    histories = fused(one), plain(other)
    for mine, theirs in zip(values(one), values(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert histories[0].history == histories[1].history
    assert list(histories[0].history) == ["own"]


@pytest.mark.parametrize("streamed", [False, True])
def test_words_resident_and_streamed(streamed: bool, tmp_path: Path) -> None:
    """Chunks are moved by a thread while the one before is trained on."""
    settings = EngineSettings(memory_share=0.0, chunk_bytes=2_000) if streamed else EngineSettings()
    make = lambda: keras.Sequential(  # noqa: E731
        [keras.Input((8,)), L.Embedding(30, 5), L.Flatten(), L.Dense(4, "softmax")]
    )
    one, other = compiled(make), compiled(make)
    history = fused(one, WORDS, settings=settings)
    plain(other, WORDS)
    assert history.kerasbatch.data == ("streamed" if streamed else "resident")
    for mine, theirs in zip(values(one), values(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_training_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    """Bit for bit: three epochs, and two more."""
    whole, cut = compiled(dropped), compiled(dropped)
    fused(whole, epochs=5)
    fused(cut, epochs=3, checkpoint=tmp_path)
    again = compiled(dropped)
    fused(again, epochs=5, checkpoint=tmp_path)
    for mine, theirs in zip(values(again), values(whole), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_recurrent_network_is_near_plain_fit() -> None:
    sequences = np.random.RandomState(1).normal(size=(N, 7, 3)).astype(np.float32)
    one, other = compiled(lstm), compiled(lstm)
    fused(one, sequences)
    plain(other, sequences)
    for mine, theirs in zip(values(one), values(other), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)
