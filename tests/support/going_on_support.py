"""Runs that are cut at a checkpoint, and compared with undisturbed ones."""

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import kerasbatch as kb
from kerasbatch.records.checkpoints import checkpoint_folder

TABLES = ("history.csv", "steps.csv", "steps_loss.csv", "noise.csv", "weights.csv")
RANDOM_LAYERS = [
    {"Dense": {"units": 8, "activation": "relu"}},
    {"Dropout": {"rate": 0.4}},
    "BatchNormalization",
    {"GaussianNoise": {"stddev": 0.1}},
    {"Dense": {"units": 3, "activation": "softmax"}},
]
FLOWERS: dict[str, Any] = {
    "data": "iris",
    "model": {"layers": RANDOM_LAYERS},
    "optimizer": "adam",
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "epochs": 6,
    "batch_size": 16,
    "record": ["steps"],
    "save": ["last", "best"],
}
"""120 flowers in batches of 16 are 8 steps an epoch."""


@pytest.fixture(autouse=True)
def every_checkpoint_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test can go on from each of them."""
    monkeypatch.setattr(checkpoint_folder.CheckpointFolder, "keep", lambda self, count: None)


def steps_of(result: kb.Result) -> list[int]:
    names = (path.name for path in (result.directory / "checkpoints").iterdir())
    return sorted(int(name.removeprefix("step-")) for name in names)


def as_if_killed(result: kb.Result, step: int, folder: Path) -> None:
    """Copy a result as a kill after a checkpoint and before the next one leaves it."""
    place = folder / result.directory.parent.name / result.directory.name
    shutil.copytree(result.directory, place)
    (place / "record.json").unlink()
    for other in (place / "checkpoints").iterdir():
        if other.name != f"step-{step}":
            shutil.rmtree(other)
    for name in TABLES:
        (place / name).unlink(missing_ok=True)


def weights(file: Path) -> list[Any]:
    return list(keras.saving.load_model(file, compile=False).get_weights())


def assert_same(one: kb.Result, other: kb.Result) -> None:
    """The same tables and kept models, clocks aside, and the same end."""
    for name in TABLES:
        paths = [result.directory / name for result in (one, other)]
        assert paths[0].exists() == paths[1].exists()
        if paths[0].exists():
            mine, theirs = (pd.read_csv(path) for path in paths)
            clock = {"seconds"} & set(mine.columns)
            pd.testing.assert_frame_equal(
                mine.drop(columns=list(clock)), theirs.drop(columns=list(clock)), check_exact=True
            )
    for path in one.directory.glob("*.keras"):
        for mine, theirs in zip(weights(path), weights(other.directory / path.name), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    for key in ("status", "message", "step_check", "observed_steps", "val_loss", "best_val_loss"):
        assert one.row.get(key) == other.row.get(key), key
    assert one.record["message"] == other.record["message"]
