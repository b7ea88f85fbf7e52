"""Own data for the tests: files made on the spot, and specs that name them."""

from pathlib import Path
from typing import Any

import numpy as np

from kerasbatch.data import run_data
from kerasbatch.spec import reader
from kerasbatch.spec.trust import Access

REGRESSION: dict[str, Any] = {
    "model": {"layers": [{"Dense": {"units": 1}}]},
    "optimizer": "adam",
    "loss": "mse",
    "epochs": 1,
    "batch_size": 2,
}


CLASSES = REGRESSION | {
    "model": {"layers": [{"Dense": {"units": 3, "activation": "softmax"}}]},
    "loss": "sparse_categorical_crossentropy",
}


TABLE = "a,b,y\n" + "".join(f"{i},{i * i},{2 * i + 0.5}\n" for i in range(10))


def load(folder: Path, spec: dict[str, Any], *, trusted: bool = False) -> run_data.RunData:
    return run_data.load_data(reader.spec_from_dict(spec).spec, Access(folder, trusted))


def csv(folder: Path, text: str, **keys: Any) -> dict[str, Any]:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return {"data": {"csv": "t.csv", "target": "y"} | keys}


def npz(folder: Path, **arrays: Any) -> dict[str, Any]:
    np.savez(folder / "t.npz", **arrays)
    return {"data": {"npz": "t.npz"}}


def python(folder: Path, text: str, name: str = "load") -> dict[str, Any]:
    (folder / "own.py").write_text(text, encoding="utf-8")
    return {"data": {"python": f"own.py:{name}"}}


X = np.ones((4, 2))
