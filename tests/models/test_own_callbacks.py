"""Callbacks of own code: arguments, lists, a folder of their own; rates by a schedule."""

from pathlib import Path
from typing import Any

import keras
import pytest

import kerasbatch as kb
from kerasbatch.records.files import dump_yaml

CODE = """
import keras


class Writer(keras.callbacks.Callback):
    def __init__(self, folder, name):
        super().__init__()
        self.file = folder / name

    def on_epoch_end(self, epoch, logs=None):
        with self.file.open("a") as file:
            file.write(f"{epoch} {float(self.model.optimizer.learning_rate):.3f}\\\\n")


def writers(run_directory, names):
    return [Writer(run_directory, name) for name in names]


def quiet():
    return keras.callbacks.Callback()


class Failing(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise RuntimeError("boom")


def failing():
    return Failing()


def wrong():
    return [3]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(CODE.replace("\\\\n", "\\n"), encoding="utf-8")
    return tmp_path / "own.yaml"


@pytest.mark.slow
def test_callbacks_write_into_the_folder_of_their_run(path: Path, small: dict[str, Any]) -> None:
    own = {"python": "mine.py:writers", "arguments": {"names": ["a.txt", "b.txt"]}}
    spec = small | {"callbacks": [own], "sweep": {"seed": [0, 1]}}
    path.write_text(dump_yaml(spec), encoding="utf-8")
    for result in kb.sweep(path, results=path.parent / "results", trust=True, jobs=2):
        written = [(result.directory / "own" / name).read_text() for name in ("a.txt", "b.txt")]
        assert written == ["0 0.100\n1 0.100\n"] * 2
    single = small | {"callbacks": [{"python": "mine.py:quiet"}]}
    path.write_text(dump_yaml(single), encoding="utf-8")
    result = kb.run(path, results=path.parent / "results", trust=True)
    assert not (result.directory / "own").exists()


def test_an_error_has_its_place(path: Path, small: dict[str, Any]) -> None:
    spec = small | {"callbacks": [{"python": "mine.py:failing"}]}
    path.write_text(dump_yaml(spec), encoding="utf-8")
    result = kb.run(path, results=path.parent / "results", trust=True)
    line = CODE.splitlines().index('        raise RuntimeError("boom")') + 1
    assert result.message == f"RuntimeError: boom (mine.py:{line})"


def test_a_rate_for_every_epoch(path: Path, small: dict[str, Any]) -> None:
    schedule = {"name": "PiecewiseConstantDecay", "boundaries": [0], "values": [0.2, 0.05]}
    own = {"python": "mine.py:writers", "arguments": {"names": ["a.txt"]}}
    callbacks = [{"LearningRateScheduler": {"schedule": schedule}}, own]
    spec = small | {"callbacks": callbacks, "optimizer": "sgd"}
    path.write_text(dump_yaml(spec), encoding="utf-8")
    result = kb.run(path, results=path.parent / "results", trust=True)
    text = (result.directory / "own" / "a.txt").read_text(encoding="utf-8")
    assert text == "0 0.200\n1 0.050\n"


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        ({"python": "mine.py:wrong"}, "returned int; must return a keras.callbacks.Callback"),
        ({"python": "mine.py:writers"}, "needs names; write arguments"),
        ({"python": "mine.py:quiet", "argument": {}}, "did you mean arguments"),
        ({"LearningRateScheduler": {"schedule": 3}}, "found 3"),
        ({"LearningRateScheduler": {}}, "needs the argument schedule"),
        ({"TensorBoard": {}}, "kerasbatch export"),
    ],
)
def test_faults(path: Path, small: dict[str, Any], callback: Any, message: str) -> None:
    path.write_text(dump_yaml(small | {"callbacks": [callback]}), encoding="utf-8")
    with pytest.raises(kb.SpecError, match=message):
        kb.run(path, results=path.parent / "results", trust=True)


def test_a_scheduler_stands_alone(small: dict[str, Any]) -> None:
    schedule = {"name": "ExponentialDecay", "decay_steps": 1, "decay_rate": 0.5}
    schedule["initial_learning_rate"] = 0.1
    spec = small | {"callbacks": [{"LearningRateScheduler": {"schedule": schedule}}]}
    with pytest.raises(kb.SpecError, match="LearningRateScheduler cannot set the rate beside"):
        kb.run(spec | {"learning_rate_rule": {"warmup": {"steps": 2}}})
    with pytest.raises(kb.SpecError, match="leave learning_rate and the rule out"):
        kb.run(spec)


def test_functions_of_python_make_several(small: dict[str, Any], tmp_path: Path) -> None:
    made: list[Path] = []

    class Noted(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            made.append(self.folder)

    def make(run_directory: Path) -> list[keras.callbacks.Callback]:
        callback = Noted()
        callback.folder = run_directory
        return [callback]

    result = kb.run(small | {"callbacks": [make]}, results=tmp_path)
    assert made == [result.directory / "own"]
