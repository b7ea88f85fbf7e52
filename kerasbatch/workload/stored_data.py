"""Data as files that several processes share: written once, mapped into memory by each of them."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from kerasbatch.workload.data import Data

_FACTS = "facts.json"


def save(data: Data, folder: Path) -> None:
    """Write data into a new folder; it appears at once, whole.

    Args:
        data: the data of a run.
        folder: where to; must not exist.
    """
    unfinished = folder.with_name(f"{folder.name}.writing")
    unfinished.mkdir(parents=True)
    facts: dict[str, Any] = {}
    for field in fields(data):
        value = getattr(data, field.name)
        if isinstance(value, np.ndarray):
            np.save(unfinished / f"{field.name}.npy", value, allow_pickle=False)
        else:
            facts[field.name] = value
    (unfinished / _FACTS).write_text(json.dumps(facts), encoding="utf-8")
    unfinished.rename(folder)


def load(folder: Path) -> Data:
    """Map the data of a folder into memory; the pages are shared by all who do.

    Writing to an array changes the writer's own copy of a page, never the file.
    """
    facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    arrays: dict[str, Any] = {
        path.stem: np.load(path, mmap_mode="c") for path in sorted(folder.glob("*.npy"))
    }
    return Data(**facts, **arrays)
