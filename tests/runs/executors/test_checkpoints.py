"""Commands that are killed or stopped in the middle of a training, and go on."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from patience import limit
from worker_support import histories

import kerasbatch as kb
from kerasbatch.records.files import dump_yaml

LAYERS = [
    "Flatten",
    {"Dense": {"units": 32, "activation": "relu"}},
    {"Dropout": {"rate": 0.3}},
    {"Dense": {"units": 10, "activation": "softmax"}},
]
SPEC: dict[str, Any] = {
    "data": "digits",
    "model": {"layers": LAYERS},
    "optimizer": {"name": "adam", "use_ema": True},
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "steps": 40_000,
    "batch_size": 2,
    "evaluate_every": {"steps": 4000},
    "save": ["last", "best"],
}


class Command:
    """`kerasbatch run` of a spec in a process of its own."""

    def __init__(self, folder: Path, spec: dict[str, Any]) -> None:
        self.folder, self.spec = folder, folder / "study.yaml"
        folder.mkdir()
        self.spec.write_text(dump_yaml(spec), encoding="utf-8")
        arguments = ["run", str(self.spec), "--results", str(folder), "--quiet"]
        self._arguments = [sys.executable, "-m", "kerasbatch", *arguments]

    def start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(self._arguments, stderr=subprocess.PIPE, text=True)

    def steps(self) -> list[int]:
        paths = self.folder.glob("*/*/checkpoints/step-*")
        return sorted(int(path.name.removeprefix("step-")) for path in paths)

    def signalled(self, number: int, step: int) -> str:
        """Run until a checkpoint of at least a step is there, send a signal, and return stderr."""
        process, end = self.start(), time.monotonic() + limit(120)
        while max(self.steps(), default=0) < step:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(number)
        return str(process.communicate(timeout=limit(60))[1])


def assert_same_models(one: kb.Result, other: kb.Result) -> None:
    for name in ("model.keras", "best.keras"):
        models = [keras.saving.load_model(each.directory / name) for each in (one, other)]
        for mine, theirs in zip(*(model.get_weights() for model in models), strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_single_run(number: int, tmp_path: Path) -> None:
    """A stop request writes a last checkpoint, so nothing of the training is lost."""
    command = Command(tmp_path / "cut", SPEC | {"checkpoint": {"steps": 2500}})
    ends = []
    for step in (2500, 15_000):
        command.signalled(number, step)
        ends.append(max(command.steps()))
    result = kb.run(command.spec, results=tmp_path / "cut")
    assert [entry["step"] for entry in result.record["resumed"]] == ends
    undisturbed = kb.run(SPEC, results=tmp_path / "whole")
    here, there = histories([result]), histories([undisturbed])
    assert here.reset_index(drop=True).equals(there.reset_index(drop=True))
    assert_same_models(undisturbed, result)
    assert result.row["step_check"] == "ok"
    assert len(list((result.directory / "checkpoints").iterdir())) == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_sweep_by_workers(number: int, tmp_path: Path) -> None:
    """Every open run goes on from its own checkpoint."""
    sweep = SPEC | {"sweep": {"seed": [0, 1]}, "steps": 30_000}
    command = Command(tmp_path / "cut", sweep | {"checkpoint": {"steps": 2500}})
    command.signalled(number, 10_000)
    results = kb.run_all(command.spec, results=tmp_path / "cut", jobs=2)
    assert any("resumed" in result.record for result in results)
    undisturbed = kb.run_all(sweep, results=tmp_path / "whole", jobs=2)
    assert histories(results).equals(histories(undisturbed))
    for one, other in zip(undisturbed, results, strict=True):
        assert_same_models(one, other)
