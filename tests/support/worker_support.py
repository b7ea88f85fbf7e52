"""Sweeps in processes of their own, and processes to look at."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import yaml
from patience import limit
from small_specs import SMALL

import kerasbatch as kb

EVIL = Path(__file__).with_name("evil_model.py")
DIGITS: dict[str, Any] = {
    "data": "digits",
    "model": "mlp",
    "optimizer": {"name": "sgd", "learning_rate": 0.01},
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "epochs": 4,
    "batch_size": 32,
    "sweep": {"batch_size": [1, 32, "full"], "seed": [0, 1]},
}


def evil(*kinds: str, **keys: Any) -> dict[str, Any]:
    """A sweep over models that do harm; it needs trust."""
    harm = {
        "model": {"python": f"{EVIL}:honest"},
        "optimizer": {"name": "sgd", "learning_rate": 0.01},
        "steps": 4000,
        "evaluate_every": {"steps": 200},
        "batch_size": 1,
        "sweep": {"model.python": [f"{EVIL}:{kind}" for kind in kinds]},
    }
    without_budget = {key: value for key, value in SMALL.items() if key != "epochs"}
    return without_budget | harm | keys


def start(
    spec: dict[str, Any], folder: Path, *options: str, command: str = "run"
) -> "subprocess.Popen[str]":
    """Start the command line on a sweep."""
    file = folder / "spec.yaml"
    file.write_text(yaml.safe_dump(spec), encoding="utf-8")
    whole = [sys.executable, "-m", "kerasbatch", command, str(file), *options]
    if command == "run":
        whole += ["--results", str(folder)]
    pipe = subprocess.PIPE
    return subprocess.Popen(whole, stdout=pipe, stderr=pipe, text=True)


def workers(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The processes that it has started, Python's helper for spawning aside."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def wait_for(condition: Callable[[], Any]) -> Any:
    """Wait until something holds, and return it."""
    end = time.monotonic() + limit(60)
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise TimeoutError


def histories(results: list[kb.Result]) -> pd.DataFrame:
    """All histories of a sweep, by run, without their clocks."""
    tables = {result.directory.name: result.history for result in results}
    return pd.concat(tables).drop(columns="seconds").sort_index()
