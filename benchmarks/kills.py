"""Two trainings that are killed at 40 random moments, beside undisturbed ones.

    python benchmarks/kills.py

Dropout, Adam, recorded noise and losses, kept models, checkpoints inside epochs, and data that are
streamed in chunks; one with ReduceLROnPlateau, the other one with evaluations inside epochs. Every
process is ended by SIGKILL at a random moment of its training; the next one goes on. In the end,
the weights and every file are compared with those of a process that nobody killed; only times may
differ. It takes about ten minutes.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

KILLS, LONGEST = 20, 1.5
"""The kills of each training, and the longest life after a checkpoint in seconds."""
SPEC: dict[str, Any] = {
    "data": "digits",
    "model": {
        "layers": [
            "Flatten",
            {"Dense": {"units": 16, "activation": "relu"}},
            {"Dropout": {"rate": 0.3}},
            {"Dense": {"units": 10, "activation": "softmax"}},
        ]
    },
    "optimizer": "adam",
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "epochs": 500,
    "batch_size": 4,
    "record": ["noise", "steps"],
    "save": ["last", "best"],
    "checkpoint": {"steps": 500},
}
"""An epoch has 360 steps, so that most checkpoints lie inside one."""
KINDS: dict[str, dict[str, Any]] = {
    "plateau": {"callbacks": [{"ReduceLROnPlateau": {"monitor": "val_loss", "patience": 20}}]},
    "inside": {"evaluate_every": {"steps": 700}},
}
TIMES = ("seconds",)
"""The columns that may differ."""


def train(kind: str, folder: Path) -> None:
    """Train in this process, with data that are streamed in chunks."""
    import psutil

    import kerasbatch as kb
    from kerasbatch.engine.settings import DEFAULT_SETTINGS
    from kerasbatch.records.experiment import Experiment
    from kerasbatch.runs.executors.in_process import InProcessExecutor
    from kerasbatch.runs.runner import train_all
    from kerasbatch.runs.stop_request import StopRequest
    from kerasbatch.runs.training.job import TrainingSettings
    from kerasbatch.spec import reader
    from kerasbatch.spec.sweep.expand import expand
    from kerasbatch.spec.trust import Access

    source = reader.spec_from_dict(SPEC | KINDS[kind])
    access = Access(source.folder)
    share = 60_000 / psutil.virtual_memory().available  # held-out digits fit, and not the others
    streamed = replace(DEFAULT_SETTINGS, memory_share=share, chunk_bytes=50_000)
    executor = InProcessExecutor(expand(source), access, TrainingSettings(engine=streamed))
    experiment = Experiment(folder / source.spec.name)
    (result,) = train_all(
        source, experiment, executor, access, 1, False, kb.Watcher(), StopRequest()
    )
    if result.status != "done":
        raise SystemExit(result.message)


def start(kind: str, folder: Path) -> "subprocess.Popen[bytes]":
    """Train in a process of its own."""
    return subprocess.Popen([sys.executable, __file__, kind, str(folder)])


def steps(folder: Path) -> int:
    """Return the step of the last checkpoint."""
    names = (path.name for path in folder.glob("*/*/checkpoints/step-*"))
    return max((int(name.removeprefix("step-")) for name in names), default=0)


def wait_for_progress(process: "subprocess.Popen[bytes]", folder: Path) -> bool:
    """Wait until a process has trained; return False if it has ended."""
    before = steps(folder)
    while steps(folder) == before:
        if process.poll() is not None:
            return False
        time.sleep(0.01)
    return True


def contents(folder: Path) -> dict[str, Any]:
    """Return what is compared of a run: tables without times, weights, and its record."""
    import keras
    import pandas as pd

    (run,) = (path.parent for path in folder.glob("*/*/record.json"))
    tables = {path.name: pd.read_csv(path) for path in run.glob("*.csv")}
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    shown: dict[str, Any] = {
        name: table.drop(columns=[*TIMES], errors="ignore").to_csv()
        for name, table in tables.items()
    }
    for name in ("model.keras", "best.keras"):
        model = keras.saving.load_model(run / name)
        shown[name] = [array.tobytes() for array in model.get_weights()]
    row = {key: value for key, value in record["row"].items() if "second" not in key}
    row.pop("peak_memory_mb")
    print(record["engine"]["why"])
    return shown | {"row": row, "spec.yaml": (run / "spec.yaml").read_text(encoding="utf-8")}


def kill_and_compare(kind: str) -> None:
    """Kill and go on; compare."""
    with tempfile.TemporaryDirectory() as name:
        killed, whole = Path(name) / "killed", Path(name) / "whole"
        start(kind, whole).wait()
        kills, wait = 0, random.Random(0)
        while True:
            process = start(kind, killed)
            if kills < KILLS and wait_for_progress(process, killed):
                time.sleep(wait.uniform(0, LONGEST))
                process.send_signal(signal.SIGKILL)
            if process.wait() == 0:
                break
            if process.returncode != -signal.SIGKILL:
                raise SystemExit(f"a training ended by itself with {process.returncode}")
            kills += 1
        print(f"{kind}: killed {kills} times", flush=True)
        one, other = contents(whole), contents(killed)
        for part, content in one.items():
            print(f"{part:16} {'equal' if other[part] == content else 'DIFFERENT'}")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if len(sys.argv) > 1:
        train(sys.argv[1], Path(sys.argv[2]))
    else:
        for name_of_kind in KINDS:
            kill_and_compare(name_of_kind)
