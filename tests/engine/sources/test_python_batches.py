"""Batches of generators and PyDatasets in blocks."""

import random
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from fit_support import CLASSES, TABLE, N, ready

import kerasbatch as kb
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.tensorflow.program import TensorFlowProgram
from kerasbatch.engine.training import compile

pytestmark = pytest.mark.filterwarnings(
    "ignore:`shuffle=True` was passed, but will be ignored:UserWarning",
)

SIZE = 10
LATE_XLA = EngineSettings(xla_steps=15)


def pairs(passes: int = 1) -> Iterator[tuple[Any, Any]]:
    for _ in range(passes):
        for at in range(0, N, SIZE):
            yield TABLE[at : at + SIZE], CLASSES[at : at + SIZE]


class Batches(keras.utils.PyDataset):
    """The table, batch by batch; keeps what Keras calls, in order."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.called: list[str] = []

    def __len__(self) -> int:
        return -(-N // SIZE)

    def __getitem__(self, index: int) -> Any:
        return TABLE[index * SIZE :][:SIZE], CLASSES[index * SIZE :][:SIZE]

    def on_epoch_begin(self) -> None:
        self.called.append("begin")

    def on_epoch_end(self) -> None:
        self.called.append("end")


def assert_alike(one: keras.Model, other: keras.Model) -> None:
    assert int(one.optimizer.iterations) == int(other.optimizer.iterations)
    for theirs, mine in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_a_generator() -> None:
    """Each of its batches once, in its order."""
    plain, fused = ready(), ready()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        plain.fit(pairs(3), epochs=3, steps_per_epoch=11, verbose=0, shuffle=False)
    history = kb.fit(fused, pairs(3), epochs=3, steps_per_epoch=11, verbose=0)
    assert (history.kerasbatch.engine, history.kerasbatch.data) == ("fused", "stacked")
    assert_alike(plain, fused)
    one_pass = ready()
    kb.fit(one_pass, pairs(), verbose=0)
    assert int(one_pass.optimizer.iterations) == 11


@pytest.mark.parametrize("compiles", [True, False])
def test_xla_once_many_steps_have_come(compiles: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows how many a generator yields; what XLA cannot compile goes on without."""
    by_xla: list[int] = []
    take, honest = TensorFlowProgram.take, TensorFlowProgram.compile

    def compile_(self: TensorFlowProgram, kind: str, block: Any) -> None:
        if kind == "xla" and not compiles:
            raise NotImplementedError("no such operation")
        honest(self, kind, block)

    def watched(self: TensorFlowProgram, kind: str, block: Any, *start: Any, **options: Any) -> Any:
        by_xla.extend([block.steps] if kind == "xla" else [])
        return take(self, kind, block, *start, **options)

    monkeypatch.setattr(TensorFlowProgram, "compile", compile_)
    monkeypatch.setattr(TensorFlowProgram, "take", watched)
    once, fused = ready(), ready()
    kb.fit(once, pairs(3), verbose=0, jit_compile=False, settings=LATE_XLA)
    why = kb.fit(fused, pairs(3), verbose=0, settings=LATE_XLA).kerasbatch.why
    assert "compiled with XLA after 15 steps" in why
    assert_alike(once, fused)
    assert (sum(by_xla) == 33 - 15) if compiles else not by_xla
    assert ("XLA could not compile it" in why) != compiles


def test_xla_is_not_tried_late_where_it_failed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that it could not compile is known."""
    tried: list[str] = []
    monkeypatch.setattr(TensorFlowProgram, "compile", lambda self, kind, block: tried.append(kind))
    model = ready()
    compile._WITHOUT_XLA[model] = "cannot compile this model"
    why = kb.fit(model, pairs(3), verbose=0, settings=LATE_XLA).kerasbatch.why
    assert "without XLA, which cannot compile this model" in why
    assert "xla" not in tried


def test_no_more_batches_are_asked_for_than_needed() -> None:
    """A generator may be slow, or have side effects."""
    asked: list[int] = []

    def counted() -> Iterator[Any]:
        for number, pair in enumerate(pairs(100)):
            asked.append(number)
            yield pair

    kb.fit(ready(), counted(), epochs=2, steps_per_epoch=5, verbose=0)
    assert len(asked) <= 10 + 2  # Keras looks at two before it begins, and gives them back


def test_a_slow_generator_is_trained_on_as_it_comes() -> None:
    """A few batches at a time, so that progress is seen and Ctrl-C is heard."""
    made, heard = list[int](), list[int]()

    class Listening(keras.callbacks.Callback):
        accepts_blocks = True

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            heard.append(len(made) - batch)

    def slow() -> Iterator[Any]:
        for number, pair in enumerate(pairs(3)):
            made.append(number)
            yield pair

    settings = EngineSettings(chunk_seconds=0.0)
    kb.fit(ready(), slow(), callbacks=[Listening()], verbose=0, settings=settings)
    assert len(heard) == 33
    assert max(heard) <= 4  # the one in use, the next one, and one that Keras looked at


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_py_dataset(shuffle: bool, workers: int) -> None:
    """Its order, its workers, and what it hears at the ends of epochs are as in Keras."""
    plain, fused, theirs, mine = (
        ready(),
        ready(),
        Batches(workers=workers),
        Batches(workers=workers),
    )
    random.seed(1)
    plain.fit(theirs, epochs=3, verbose=0, shuffle=shuffle)
    random.seed(1)
    history = kb.fit(fused, mine, epochs=3, verbose=0, shuffle=shuffle)
    assert history.kerasbatch.data == "stacked"
    assert mine.called == theirs.called
    assert_alike(plain, fused)


def test_a_generator_that_falls_back_loses_no_batch() -> None:
    """Keras looks at two of them before anybody trains."""

    class Hears(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.last = batch

    plain, fallen = ready(), ready()
    plain.fit(pairs(), steps_per_epoch=11, verbose=0, shuffle=False)
    with pytest.warns(UserWarning, match="must be called for every batch"):
        kb.fit(fallen, pairs(), steps_per_epoch=11, callbacks=[Hears()], verbose=0, shuffle=False)
    assert_alike(plain, fallen)


def test_an_error_in_a_generator_is_shown_as_its_own() -> None:
    """With its line, after the batches before it; the model can still be trained."""

    def breaks() -> Iterator[Any]:
        yield from pairs()
        raise RuntimeError("the disk is gone")

    model = ready()
    with pytest.raises(RuntimeError, match="the disk is gone") as caught:
        kb.fit(model, breaks(), epochs=1, verbose=0)
    assert any(entry.name == "breaks" for entry in caught.traceback)
    assert int(model.optimizer.iterations) == 11
    assert kb.fit(model, pairs(), verbose=0).kerasbatch.engine == "fused"


def test_batches_that_are_not_alike_are_refused() -> None:
    """With both shapes."""

    def changes() -> Iterator[Any]:
        yield from pairs()
        yield TABLE[:SIZE, :5], CLASSES[:SIZE]

    with pytest.raises(ValueError, match=r"batch 12 looks like .*\(5,\).* all must be alike"):
        kb.fit(ready(), changes(), verbose=0)

    def scalar() -> Iterator[Any]:
        yield from pairs()
        yield TABLE[:SIZE], np.int64(3)

    with pytest.raises(ValueError, match=r"batch 12 .* none of its examples"):
        kb.fit(ready(), scalar(), verbose=0)


def test_numbers_of_another_type_become_those_of_the_first_batch() -> None:
    """As in Keras: labels may come as int32 once and as int64 then."""

    def mixed() -> Iterator[Any]:
        for number, (x, y) in enumerate(pairs()):
            kind = (np.int32, np.int64, np.uint8)[number % 3]
            yield x.astype((np.float32, np.float64)[number % 2]), y.astype(kind)

    plain, fused = ready(), ready()
    plain.fit(mixed(), steps_per_epoch=11, verbose=0, shuffle=False)
    assert kb.fit(fused, mixed(), verbose=0).kerasbatch.data == "stacked"
    assert_alike(plain, fused)

    def cut_off() -> Iterator[Any]:
        yield from pairs()
        yield TABLE[:SIZE], CLASSES[:SIZE] + 0.5

    with pytest.raises(ValueError, match=r"batch 12 looks like .*float64.* like .*int64"):
        kb.fit(ready(), cut_off(), verbose=0)


def test_arrays_of_different_lengths_go_to_plain_fit() -> None:
    """Keras takes what broadcasts; the first batch tells."""

    def uneven() -> Iterator[Any]:
        for x, _ in pairs():
            yield x, np.zeros((1, 4), np.float32)

    model = ready()
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="the arrays of a batch are of different lengths"):
        kb.fit(model, uneven(), steps_per_epoch=11, verbose=0, shuffle=False)
    assert int(model.optimizer.iterations) == 11


@pytest.mark.parametrize("kind", ["generator", "dataset"])
def test_memory_that_is_filled_again(kind: str) -> None:
    """A batch is copied before the next one is asked for.

    Of a generator, Keras asks for two before anybody copies the first.
    """
    x, y = np.empty((SIZE, 6), np.float32), np.empty(SIZE, np.int64)

    def fill(at: int) -> Any:
        x[:], y[:] = TABLE[at * SIZE :][:SIZE], CLASSES[at * SIZE :][:SIZE]
        return x, y

    class Filling(Batches):
        def __getitem__(self, index: int) -> Any:
            return fill(index)

    def make() -> Any:
        return Filling() if kind == "dataset" else (fill(at) for at in range(11))

    fresh, filled = ready(), ready()
    each = list(pairs())
    kb.fit(fresh, (each[max(at, kind == "generator")] for at in range(11)), verbose=0)
    assert kb.fit(filled, make(), verbose=0, shuffle=False).kerasbatch.data == "stacked"
    assert_alike(fresh, filled)


def test_a_generator_that_runs_out() -> None:
    """An epoch that finds no batch has its place in the history all the same, as in Keras."""
    plain, fused = ready(), ready()
    options: dict[str, Any] = {"steps_per_epoch": 4, "epochs": 4, "verbose": 0, "shuffle": False}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*ran out of data|the data ran out")
        theirs = plain.fit(pairs(), validation_data=(TABLE, CLASSES), **options).history
        mine = kb.fit(fused, pairs(), validation_data=(TABLE, CLASSES), **options).history
    assert mine.keys() == theirs.keys()
    for name, values in theirs.items():
        np.testing.assert_allclose(mine[name], values, rtol=1e-4, err_msg=name)


def test_a_py_dataset_that_grows() -> None:
    """Keras asks for its length once."""

    class Growing(Batches):
        passes = 1

        def __len__(self) -> int:
            return 5 * self.passes

        def on_epoch_end(self) -> None:
            self.passes = 2

    plain, fused = ready(), ready()
    plain.fit(Growing(), epochs=3, verbose=0, shuffle=False)
    kb.fit(fused, Growing(), epochs=3, verbose=0, shuffle=False)
    assert_alike(plain, fused)


def test_shapes_that_change_go_to_plain_fit() -> None:
    """The first two batches tell."""

    class Ragged(Batches):
        def __getitem__(self, index: int) -> Any:
            return np.ones((SIZE, 5 + index % 2), np.float32), CLASSES[:SIZE]

    model = keras.Sequential(
        [keras.layers.Reshape((-1, 1)), keras.layers.LSTM(3), keras.layers.Dense(4, "softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.warns(UserWarning, match="examples have no fixed shape"):
        history = kb.fit(model, Ragged(), verbose=0)
    assert history.kerasbatch.engine == "keras"


def test_what_beside_batches_only_keras_knows() -> None:
    """It is left to Keras, whose errors say what is wrong."""
    with (
        pytest.warns(UserWarning, match="labels and weights come with the batches"),
        pytest.raises(ValueError, match="`y` should not be passed"),
    ):
        kb.fit(ready(), pairs(), CLASSES, verbose=0)
    with pytest.warns(UserWarning, match="steps_per_epoch cuts the epochs of a PyDataset"):
        kb.fit(ready(), Batches(), steps_per_epoch=3, epochs=2, verbose=0)
