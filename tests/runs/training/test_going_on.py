"""A run that goes on from a checkpoint ends as one that was never disturbed, bit for bit."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import psutil
import pytest
from going_on_support import (
    FLOWERS,
    as_if_killed,
    assert_same,
    every_checkpoint_is_kept,
    steps_of,
)
from run_support import run_here

import kerasbatch as kb
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.sources.source import MAX_BLOCK
from kerasbatch.records.checkpoints import checkpoint_folder
from kerasbatch.records.files import dump_yaml
from kerasbatch.runs.training.job import TrainingSettings
from kerasbatch.spec.reader import spec_from_dict
from kerasbatch.spec.rules.check_rules import spec_notes

__all__ = ["every_checkpoint_is_kept"]
CORES = os.cpu_count()
WITHOUT_XLA = EngineSettings(xla_steps=10**9)
"""A short run uses XLA only with checkpoints; these tests compare it with one without."""
SHORT = TrainingSettings(engine=WITHOUT_XLA)
SHARE = 1200 / psutil.virtual_memory().available
"""The share of memory that 30 flowers fit into, and 120 do not."""
STREAMED = TrainingSettings(engine=replace(WITHOUT_XLA, memory_share=SHARE, chunk_bytes=2000))
CASES: dict[str, dict[str, Any]] = {
    "inside_epochs": {"checkpoint": {"steps": 5}},
    "between_epochs": {"checkpoint": {"epochs": 2}},
    "at_every_step": {"checkpoint": {"steps": 1}, "epochs": 1},
    "by_the_clock": {"checkpoint": {"minutes": 1e-9}, "evaluate_every": {"steps": 7}},
    "averages": {
        "checkpoint": {"steps": 11},
        "optimizer": {"name": "adam", "use_ema": True, "ema_overwrite_frequency": 7},
    },
    "accumulation": {
        "checkpoint": {"steps": 11},
        "optimizer": {"name": "sgd", "gradient_accumulation_steps": 3, "momentum": 0.9},
    },
    "clipping": {"checkpoint": {"steps": 11}, "optimizer": {"name": "adamw", "clipnorm": 0.1}},
    "bfloat16": {"checkpoint": {"steps": 11}, "precision": "mixed_bfloat16"},
    "schedule": {
        "checkpoint": {"steps": 11},
        "learning_rate_rule": {"rule": "linear", "warmup": {"epochs": 2}, "decay": "cosine"},
    },
    "with_replacement": {"checkpoint": {"steps": 5}, "sampling": "replacement"},
    "dropped_batch": {"checkpoint": {"steps": 5}, "partial_batch": "drop"},
    "ends_inside_an_epoch": {"checkpoint": {"steps": 5}, "epochs": None, "steps": 29},
    "noise": {"checkpoint": {"steps": 5}, "record": ["noise", "weights"]},
    "models": {"checkpoint": {"steps": 5}, "save": [{"every": {"epochs": 1}, "keep": 2}]},
    "reduced_rate": {
        "checkpoint": {"steps": 5},
        "callbacks": [{"ReduceLROnPlateau": {"monitor": "loss", "patience": 1, "min_delta": 9}}],
    },
    "early_stopping": {
        "checkpoint": {"steps": 5},
        "epochs": 60,
        "optimizer": {"name": "sgd", "learning_rate": 0.5},
        "callbacks": [{"EarlyStopping": {"patience": 3, "restore_best_weights": True}}],
    },
    "target": {
        "checkpoint": {"steps": 5},
        "epochs": 60,
        "target": {"metric": "val_accuracy", "at_least": 0.7, "stop": True},
    },
    "target_in_the_last_epoch": {
        "checkpoint": {"steps": 3},
        "epochs": 1,
        "batch_size": 2,
        "evaluate_every": {"steps": 5},
        "target": {"metric": "val_accuracy", "at_least": 0.5, "stop": True},
    },
    "many_epochs_in_a_call": {
        "checkpoint": {"epochs": 30},
        "epochs": 130,
        "evaluate_every": {"epochs": 25},
        "batch_size": 60,
    },
    "full_batch": {"checkpoint": {"epochs": 2}, "batch_size": "full"},
    "plain_fit": {"checkpoint": {"steps": 5}, "engine": "keras"},
    "plain_fit_by_the_clock": {"checkpoint": {"minutes": 1e-9}, "engine": "keras"},
}


QUICK = (
    "inside_epochs",
    "target_in_the_last_epoch",
    "between_epochs",
    "many_epochs_in_a_call",
    "reduced_rate",
    "plain_fit",
)


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES],
)
def test_the_end_is_that_of_an_undisturbed_run(name: str, tmp_path: Path) -> None:
    """From a checkpoint in the middle, and from the last one."""
    spec = FLOWERS | {"name": "undisturbed"} | CASES[name]
    check_all_cuts({key: value for key, value in spec.items() if value is not None}, tmp_path)


def check_all_cuts(spec: dict[str, Any], folder: Path, settings: TrainingSettings = SHORT) -> None:
    plain = {key: value for key, value in spec.items() if key != "checkpoint"}
    (undisturbed,) = run_here(plain, folder / "plain", settings)
    (whole,) = run_here(spec, folder / "whole", settings)
    assert_same(undisturbed, whole)
    steps = steps_of(whole)
    for step in {steps[len(steps) // 3], steps[-1]}:
        as_if_killed(whole, step, folder / str(step))
        (result,) = run_here(spec, folder / str(step), settings)
        assert not result.reused
        assert result.record["resumed"] == [{"step": step, "differs": []}]
        assert_same(undisturbed, result)


@pytest.mark.parametrize("checkpoint", [{"steps": 5}, {"epochs": 2}])
def test_streamed_data(checkpoint: dict[str, Any], tmp_path: Path) -> None:
    """The chunks before the position are passed over."""
    spec = FLOWERS | {"checkpoint": checkpoint}
    check_all_cuts(spec, tmp_path, STREAMED)
    (again,) = run_here(spec, tmp_path / "whole", STREAMED)
    assert "the data streamed in chunks" in again.record["engine"]["why"]


def test_more_steps_of_an_epoch_than_fit_into_a_block(tmp_path: Path) -> None:
    """The steps before the position are passed over, however many they are."""
    data = {"name": "line", "examples": MAX_BLOCK + 600}
    spec = FLOWERS | {"data": data, "model": "linear", "loss": "mse", "metrics": [], "epochs": 2}
    spec |= {"batch_size": 1, "validation": "none", "checkpoint": {"steps": MAX_BLOCK + 500}}
    whole = kb.run(spec, results=tmp_path / "whole")
    as_if_killed(whole, MAX_BLOCK + 500, tmp_path / "killed")
    result = kb.run(spec, results=tmp_path / "killed")
    assert result.record["resumed"][0]["step"] == MAX_BLOCK + 500
    assert_same(whole, result)


def test_with_xla(tmp_path: Path) -> None:
    """Which a run with checkpoints uses as one of any length does."""
    spec = FLOWERS | {"checkpoint": {"steps": 5}}
    whole = kb.run(spec, results=tmp_path / "whole")
    assert "compiled with XLA, as for a training of any length" in whole.record["engine"]["why"]
    as_if_killed(whole, 30, tmp_path / "killed")
    assert_same(whole, kb.run(spec, results=tmp_path / "killed"))


@pytest.mark.slow
def test_a_recurrent_network(tmp_path: Path) -> None:
    """With dropout inside the recurrence."""
    random = np.random.default_rng(0)
    data = {"x": random.normal(size=(60, 5, 3)).astype("float32"), "y": random.integers(0, 2, 60)}
    layers = [{"LSTM": {"units": 4, "recurrent_dropout": 0.3}}, {"Dense": {"units": 2}}]
    loss = {"name": "sparse_categorical_crossentropy", "from_logits": True}
    keys = {"model": {"layers": layers}, "loss": loss, "validation": {"fraction": 0.2}}
    whole = kb.run(FLOWERS | keys, data=data, checkpoint={"steps": 5}, results=tmp_path / "whole")
    as_if_killed(whole, 5, tmp_path / "killed")
    result = kb.run(FLOWERS | keys, data=data, checkpoint={"steps": 5}, results=tmp_path / "killed")
    assert result.record["resumed"][0]["step"] == 5
    assert_same(whole, result)


def test_which_checkpoint_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last whole one of the same run; without any, it trains from the start, and says so."""
    spec = FLOWERS | {"checkpoint": {"epochs": 1}}
    whole = kb.run(spec, results=tmp_path)
    as_if_killed(whole, 48, tmp_path / "damaged")
    place = tmp_path / "damaged" / "experiment" / whole.directory.name / "checkpoints"
    (place / "step-48" / "state.json").write_text("{}")
    shutil.copytree(whole.directory / "checkpoints" / "step-16", place / "step-16")
    result = kb.run(spec, results=tmp_path / "damaged")
    assert result.record["resumed"] == [{"step": 16, "differs": []}]
    notes = capsys.readouterr().err
    assert "the checkpoint of step 48 is damaged: state.json does not match its checksum" in notes
    assert f"{result.directory.name} goes on after step 16 of 48" in notes
    assert_same(whole, result)

    as_if_killed(whole, 48, tmp_path / "all")
    place = tmp_path / "all" / "experiment" / whole.directory.name / "checkpoints"
    (place / "step-48" / "arrays.bin").write_bytes(b"")
    result = kb.run(spec, results=tmp_path / "all")
    assert "resumed" not in result.record
    assert "no checkpoint can be used; it trains from the start" in capsys.readouterr().err
    assert_same(whole, result)


@pytest.mark.parametrize(
    "changed",
    [{"seed": 1}, {"data": "wine"}, {"epochs": 7}],
)
def test_a_checkpoint_of_another_run(
    changed: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even if somebody moves it into the directory of this one."""
    spec = FLOWERS | {"checkpoint": {"epochs": 1}}
    other = kb.run(spec, results=tmp_path / "other")
    mine = kb.run(spec | changed, results=tmp_path / "mine")
    as_if_killed(mine, 0, tmp_path / "moved")
    place = tmp_path / "moved" / "experiment" / mine.directory.name / "checkpoints"
    shutil.copytree(other.directory / "checkpoints" / "step-16", place / "step-16")
    result = kb.run(spec | changed, results=tmp_path / "moved")
    assert "the checkpoint of step 16 is of another run" in capsys.readouterr().err
    assert "resumed" not in result.record
    assert_same(mine, result)


def test_plan_says_why_a_longer_budget_begins_anew() -> None:
    spec = FLOWERS | {"checkpoint": {"epochs": 1}}
    rule = {"learning_rate_rule": {"decay": "cosine"}}
    every = {"save": [{"every": {"epochs": 2}}]}
    reasons = {"the learning rate follows the budget": rule, "models are saved": every}
    for reason, keys in reasons.items():
        (note,) = spec_notes(spec_from_dict(spec | keys).spec)
        assert note.startswith(f"checkpoint: {reason}")
    assert not list(spec_notes(spec_from_dict(spec).spec))


def test_another_version_goes_on_and_is_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its numbers may differ; the record says so, also after a second kill."""
    spec = FLOWERS | {"checkpoint": {"epochs": 1}}
    whole = kb.run(spec, results=tmp_path)
    as_if_killed(whole, 16, tmp_path / "moved")
    folder = tmp_path / "moved" / "experiment" / whole.directory.name / "checkpoints"
    manifest = folder / "step-16" / "checkpoint.json"
    content = json.loads(manifest.read_text())
    content["versions"]["keras"], content["threads"] = "2.0", 77
    del content["checksum"]
    content["checksum"] = checkpoint_folder.checksum_of(content)
    manifest.write_text(json.dumps(content))
    first = kb.run(spec, results=tmp_path / "moved")
    version, threads = f"keras {keras.__version__} (before: 2.0)", f"{CORES} threads (before: 77)"
    notes = capsys.readouterr().err
    assert f"goes on with {version}, {threads}: its numbers may differ" in notes
    assert first.record["resumed"] == [{"step": 16, "differs": [version, threads]}]
    as_if_killed(first, 32, tmp_path / "again")
    second = kb.run(spec, results=tmp_path / "again")
    assert second.record["resumed"] == [*first.record["resumed"], {"step": 32, "differs": []}]


LONGER: dict[str, dict[str, Any]] = {
    "default": {},
    "evaluated_in_steps": {"evaluate_every": {"steps": 8}},
    "reduced_rate": {"callbacks": [{"ReduceLROnPlateau": {"monitor": "loss", "patience": 1}}]},
    "recorded": {"record": ["steps", "noise", "weights"]},
    "averages": {"optimizer": {"name": "adam", "use_ema": True}},
    "plain_fit": {"engine": "keras"},
    "full_batch": {"batch_size": "full"},
}


@pytest.mark.parametrize(
    "name",
    [
        name if name in ("default", "plain_fit") else pytest.param(name, marks=pytest.mark.slow)
        for name in LONGER
    ],
)
def test_a_longer_budget_goes_on_from_a_shorter_one(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two epochs, then six, are six at once, and the shorter run stays."""
    spec = FLOWERS | LONGER[name] | {"checkpoint": {"epochs": 1}}
    six = kb.run(spec, results=tmp_path / "whole")
    two = kb.run(spec | {"epochs": 2}, results=tmp_path / "parts")
    longer = kb.run(spec, results=tmp_path / "parts")
    steps = two.row["observed_steps"]
    expected = [{"step": steps, "differs": [], "run": two.directory.name}]
    assert longer.record["resumed"] == expected
    note = f"goes on after step {steps} of {six.row['observed_steps']}, which {two.directory.name}"
    assert f"{note} has trained" in capsys.readouterr().err
    assert_same(six, longer)
    assert kb.run(spec | {"epochs": 2}, results=tmp_path / "parts").reused


@pytest.mark.parametrize(
    "other",
    [
        {"evaluate_every": {"epochs": 4}},  # the shorter run has an evaluation at its end
        {"epochs": None, "steps": 15},  # it ends inside an epoch
        {"learning_rate_rule": {"rule": "linear", "decay": "cosine"}},
        {"learning_rate_rule": {"rule": "linear", "warmup": {"fraction": 0.5}}},
        {"save": [{"every": {"epochs": 1}}]},
        {"seed": 7},
        {"checkpoint": None},
    ],
)
def test_where_a_longer_budget_begins_anew(other: dict[str, Any], tmp_path: Path) -> None:
    spec = FLOWERS | {"checkpoint": {"epochs": 9}} | other
    spec = {key: value for key, value in spec.items() if value is not None}
    if "seed" in other or "checkpoint" in other:
        shorter = FLOWERS | {"epochs": 2, "checkpoint": {"epochs": 9}}
    else:
        shorter = {**spec, **({"steps": 15} if "steps" in spec else {"epochs": 2})}
    longer = {key: value for key, value in spec.items() if key != "steps"} | {"epochs": 6}
    kb.run(shorter, results=tmp_path)
    result = kb.run(longer, results=tmp_path)
    assert "resumed" not in result.record
    assert result.row["step_check"] == "ok"


def test_rerun_begins_anew(tmp_path: Path) -> None:
    """And a finished run is not trained again without it."""
    spec = FLOWERS | {"checkpoint": {"epochs": 1}}
    whole = kb.run(spec, results=tmp_path)
    assert kb.run(spec, results=tmp_path).reused
    (whole.directory / "record.json").unlink()
    again = kb.run(spec, results=tmp_path, rerun=True)
    assert "resumed" not in again.record


class StopAfterCheckpoint(kb.Watcher):
    """Ends a run when it has progressed."""

    def progress(self, running: kb.RunInfo, progress: Any) -> None:
        raise KeyboardInterrupt


def test_an_interrupted_rerun_leaves_the_result_and_its_checkpoint(tmp_path: Path) -> None:
    spec = FLOWERS | {"checkpoint": {"steps": 4}, "save": [], "epochs": 50, "engine": "keras"}
    whole = kb.run(spec, results=tmp_path)
    before = steps_of(whole)
    kb.run(spec, results=tmp_path, rerun=True, watcher=StopAfterCheckpoint())
    assert kb.run(spec, results=tmp_path).reused
    assert steps_of(whole) == before


def test_a_full_disk_costs_a_checkpoint_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run goes on, with a note for each."""

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint_folder, "write_content", full)
    spec = FLOWERS | {"checkpoint": {"epochs": 3}}
    result = kb.run(spec, results=tmp_path)
    assert result.status == "done"
    notes = capsys.readouterr().err
    assert "the checkpoint of step 24 was not written (No space left on device)" in notes
    assert "step 48 was not written" in notes


CALLBACK = """
import keras
import numpy as np


class Counting(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen, self.notes, self.rate = 0, {"sums": [0.0]}, np.zeros(2, "float32")
        self.lines = iter(range(100))

    def on_epoch_end(self, epoch, logs=None):
        self.seen += 1
        self.notes["sums"].append(float(logs["loss"]))
        self.rate += self.seen
        self.model.optimizer.learning_rate = 0.01 / (1 + sum(self.notes["sums"]) + self.rate[0])


def make():
    return Counting()
"""


def test_a_callback_of_the_user(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its plain attributes go on; a note names the others."""
    (tmp_path / "mine.py").write_text(CALLBACK, encoding="utf-8")
    spec = FLOWERS | {"callbacks": [{"python": "mine.py:make"}], "checkpoint": {"steps": 5}}
    path = tmp_path / "own.yaml"
    path.write_text(dump_yaml(spec), encoding="utf-8")
    whole = kb.run(path, results=tmp_path / "whole", trust=True)
    assert capsys.readouterr().err.count("checkpoints hold no Counting.lines;") == 1
    for step in (20, 40):
        as_if_killed(whole, step, tmp_path / str(step))
        assert_same(whole, kb.run(path, results=tmp_path / str(step), trust=True))


@pytest.mark.parametrize(
    ("checkpoint", "words"),
    [
        ({}, "found none of them; must be one of epochs, steps, minutes"),
        ({"epochs": 1, "steps": 5}, "found epochs, steps; must be one of"),
        ({"minutes": 0}, "found 0; must be a number above 0"),
        ({"epochs": 0}, "found 0"),
        (3, "must be one of epochs, steps, minutes, like {epochs: 1}"),
    ],
)
def test_faults(checkpoint: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(kb.SpecError, match=words):
        kb.run(FLOWERS | {"checkpoint": checkpoint}, results=tmp_path)
