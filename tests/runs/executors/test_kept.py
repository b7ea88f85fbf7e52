"""Single runs in one process keep data, model and programs from one to the next."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import kerasbatch as kb
from kerasbatch.data import builtin
from kerasbatch.engine.tensorflow.step_loop import StepLoop
from kerasbatch.runs.executors import kept
from kerasbatch.runs.prepare import checks, data_loader
from kerasbatch.runs.training import trainer


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parts of the work that are done again."""
    keras.utils.clear_session()
    done: list[str] = []

    def watch(module: Any, name: str, label: str) -> None:
        honest = getattr(module, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            done.append(label)
            return honest(*arguments, **options)

        monkeypatch.setattr(module, name, watched)

    watch(data_loader, "read_raw", "data")
    watch(trainer, "build_model", "model")
    watch(checks, "build_model", "check")
    watch(StepLoop, "trace", "trace")
    return done


def test_a_loop_over_seeds(small: dict[str, Any], tmp_path: Path, work: list[str]) -> None:
    """The second seed is built anew, to verify the draws of the first; the rest are drawn."""
    loop = [kb.run(small | {"seed": seed}, results=tmp_path / "loop") for seed in range(4)]
    assert sorted(work) == ["check", "data", "model", "model", "trace"]
    for seed, result in enumerate(loop):
        keras.utils.clear_session()
        alone = kb.run(small | {"seed": seed}, results=tmp_path / "alone")
        columns = [name for name in result.history if name != "seconds"]
        pd.testing.assert_frame_equal(result.history[columns], alone.history[columns])
    assert work.count("data") == 5


def test_a_file_that_changes(small: dict[str, Any], tmp_path: Path, work: list[str]) -> None:
    table = pd.DataFrame({"a": np.arange(40) * 1.5, "b": np.arange(40) % 7 + 0.5})
    spec = small | {
        "data": {"csv": str(tmp_path / "t.csv"), "target": "c"},
        "loss": "mse",
        "metrics": [],
        "model": {"layers": [{"Dense": {"units": 1}}]},
    }
    rows = []
    for factor in (1, 1, 2):
        if not rows or factor == 2:
            table.assign(c=table["a"] * factor).to_csv(tmp_path / "t.csv", index=False)
        rows.append(kb.run(spec, results=tmp_path / "r", trust=True, rerun=True).row)
    assert rows[0]["val_loss"] == rows[1]["val_loss"] != rows[2]["val_loss"]
    assert work.count("data") == 2


def test_fallback_data_are_not_kept(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: list[str]
) -> None:
    """The data that the spec names are looked for again, and then used."""
    monkeypatch.setenv("KERASBATCH_DATA", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    spec = small | {"data": {"name": "mnist", "fallback": "iris"}, "steps": 2, "model": "mlp"}
    spec.pop("epochs")
    small_mnist = replace(builtin.DATASETS["mnist"], train_examples=60, test_examples=60)
    monkeypatch.setitem(builtin.DATASETS, "mnist", small_mnist)
    notices: list[list[str]] = []

    class Watcher(kb.Watcher):
        def notice(self, text: str) -> None:
            notices[-1].append(text)

    for seed in range(3):
        if seed == 2:
            x, y = np.zeros((60, 28, 28), np.uint8), np.arange(60) % 3
            np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x, y_test=y)
        notices.append([])
        result = kb.run(spec | {"seed": seed}, results=tmp_path / "r", watcher=Watcher())
    assert notices[0]
    assert notices[0] == notices[1][: len(notices[0])]
    assert result.row["data_used"] == "mnist"


def test_large_data_are_not_kept(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: list[str]
) -> None:
    monkeypatch.setattr(kept, "MAX_KEPT_DATA", 100)
    for seed in range(2):
        kb.run(small | {"seed": seed}, results=tmp_path)
    assert work.count("data") == 2


def test_each_run_has_its_own_objects(small: dict[str, Any], tmp_path: Path) -> None:
    """Equal settings, other models and callbacks."""

    class Calls(keras.callbacks.Callback):
        def on_train_end(self, logs: Any = None) -> None:
            calls.append(self)

    def model(units: int) -> keras.Model:
        layers = [keras.layers.Dense(units, "relu"), keras.layers.Dense(3, "softmax")]
        return keras.Sequential([keras.Input((4,)), *layers])

    calls: list[Calls] = []
    given = [Calls(), Calls()]
    spec = {name: value for name, value in small.items() if name != "model"}
    for units, callback in zip((3, 5), given, strict=True):
        kb.run(spec, model=model(units), callbacks=[callback], results=tmp_path, rerun=True)
    assert [calls[0] is given[0], calls[-1] is given[1], len(calls)] == [True, True, 2]


def test_a_run_inside_a_run(small: dict[str, Any], tmp_path: Path) -> None:
    """It has a state of its own."""
    inner: list[Any] = []

    class Runs(kb.Watcher):
        def finish(self, result: Any) -> None:
            return None

        def start(self, _: kb.RunInfo) -> None:
            inner.append(kb.run(small | {"seed": 1}, results=tmp_path / "inner"))

    outer = kb.run(small, results=tmp_path / "outer", watcher=Runs())
    keras.utils.clear_session()
    alone = kb.run(small, results=tmp_path / "alone")
    columns = [name for name in outer.history if name != "seconds"]
    pd.testing.assert_frame_equal(outer.history[columns], alone.history[columns])
    assert inner[0].status == "done"
