"""What a table loses on its way to float32, and what the order of a sweep may not change."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_support import CLASSES, REGRESSION, csv, load, npz

import kerasbatch as kb

SECONDS = ["1700000000", "1700000001", "1700000000", "1700000001", "1700000001"]


def _table(folder: Path, **keys: Any) -> dict[str, Any]:
    rows = "\n".join(f"{s},{i},{i % 2}" for i, s in enumerate(SECONDS))
    return CLASSES | csv(folder, f"when,x,y\n{rows}\n", **keys)


def test_large_numbers_with_a_small_spread_survive_standardizing(tmp_path: Path) -> None:
    """In float32 before it, they would all be the same."""
    loaded = load(tmp_path, _table(tmp_path) | {"validation": "none"})
    assert np.unique(loaded.x_train[:, 0]) == pytest.approx([-1.2247, 0.8165], abs=1e-4)
    assert loaded.x_train.dtype == np.float32


def test_what_loses_its_spread_is_a_fault_that_names_the_column(tmp_path: Path) -> None:
    """Without standardizing, and for a target."""
    spec = _table(tmp_path)
    spec["data"]["standardize"] = False
    with pytest.raises(kb.SpecError, match="column 'when' of x loses its spread in float32"):
        load(tmp_path, spec | {"validation": "none"})
    spec = REGRESSION | csv(
        tmp_path, "x,t\n" + "\n".join(f"{i},{s}" for i, s in enumerate(SECONDS))
    )
    spec["data"]["target"] = "t"
    with pytest.raises(kb.SpecError, match="the target loses its spread in float32"):
        load(tmp_path, spec | {"validation": "none"})


def test_numbers_too_large_for_float32_are_a_fault(tmp_path: Path) -> None:
    """And not a training that diverges."""
    x = np.array([[1e300], [1.0], [2.0]])
    spec = CLASSES | npz(tmp_path, x_train=np.tile(x, (4, 1)), y_train=np.arange(12) % 2)
    spec["data"]["standardize"] = False
    with pytest.raises(kb.SpecError, match=r"values up to 1e\+300, too large for float32"):
        load(tmp_path, spec | {"validation": "none"})


def test_parts_of_different_types_are_a_fault(tmp_path: Path) -> None:
    """Bytes are divided by 255; fractions must not be."""
    images = np.zeros((4, 3, 3), np.uint8)
    arrays = {"x_train": images, "y_train": np.arange(4), "x_test": images / 255.0}
    spec = CLASSES | npz(tmp_path, **arrays, y_test=np.arange(4))
    with pytest.raises(kb.SpecError, match="x_train has type uint8, and x_test has float64"):
        load(tmp_path, spec)


@pytest.mark.slow
def test_a_sweep_over_losses_does_not_depend_on_their_order(tmp_path: Path) -> None:
    """Labels are made for each loss, from the same data."""
    rows = "\n".join(f"{i},{i % 3}" for i in range(30))
    spec = csv(tmp_path, f"x,y\n{rows}\n") | {"metrics": [], "epochs": 1, "batch_size": 8}
    spec |= {"model": {"layers": [{"Dense": {"units": 1}}]}, "optimizer": "sgd"}
    spec["data"]["csv"] = str(tmp_path / "t.csv")
    names = []
    for number, losses in enumerate((["mse", "poisson"], ["poisson", "mse"])):
        grid = {"sweep": {"loss": losses}}
        results = kb.run_all(spec | grid, results=tmp_path / str(number), trust=True)
        names.append(sorted(result.directory.name for result in results))
    assert names[0] == names[1]
