"""The committed reference results: what compare says of them is what plain pandas says."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kerasbatch as kb

REFERENCE = Path(__file__).parents[3] / "results" / "reference"


def test_plain_pandas_tells_the_same_numbers() -> None:
    """Of the learning rates that most seeds reached the target with, the fewest steps."""
    loaded = kb.load(REFERENCE / "digits_batch_sizes")
    passed = loaded.history[loaded.history["val_accuracy"] >= np.float32(0.95)]
    first = passed.groupby(["batch_size", "learning_rate", "seed"], as_index=False).first()
    settings = first.groupby(["batch_size", "learning_rate"], as_index=False).agg(
        reached=("seed", "size"),
        steps_to_target=("step", "median"),
        examples_to_target=("examples", "median"),
        seconds_to_target=("seconds", "median"),
    )
    order = settings.sort_values(["reached", "steps_to_target"], ascending=[False, True])
    expected = order.drop_duplicates("batch_size").sort_values("batch_size", ignore_index=True)
    found = kb.compare(loaded, target="val_accuracy>=0.95").table
    assert len(found) == 6
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_dtype=False)


@pytest.mark.parametrize("name", ["digits_batch_sizes", "mnist_batch_sizes", "shallue_fig3"])
def test_reference_results_are_whole(name: str) -> None:
    """Every run of the spec is there, with its checksums, and every step was counted."""
    loaded = kb.load(REFERENCE / name)
    assert not loaded.problems
    assert set(loaded.runs["status"]) <= {"done", "target", "diverged", "capped"}
    assert not loaded.runs["step_check"].str.startswith("mismatch").any()


def test_the_docs_show_the_comparison() -> None:
    """Every cell of its table, by columns of the comparison."""
    page = (REFERENCE.parents[1] / "docs/explanation/comparison.md").read_text(encoding="utf-8")
    shown = [
        row.split(" | ") for row in re.findall(r"^\| ([\d,]+ \|(?: [\d,.]* \|){8})$", page, re.M)
    ]
    digits, mnist, figure = (
        kb.compare(REFERENCE / name).table.set_index("batch_size")
        for name in ("digits_batch_sizes", "mnist_batch_sizes", "shallue_fig3")
    )
    sizes = sorted({*digits.index, *mnist.index, *figure.index})
    assert len(shown) == len(sizes) == 14
    for row, size in zip(shown, sizes, strict=True):
        cells = [f"{size:,}", *_taken(digits, size), *_taken(mnist, size), *_halving(figure, size)]
        assert [cell.strip(" |") for cell in row] == cells


def _taken(table: pd.DataFrame, size: int) -> list[str]:
    if size not in table.index:
        return ["", "", ""]
    row = table.loc[size]
    counts = [f"{row[name]:,.0f}" for name in ("steps_to_target", "examples_to_target")]
    return [*counts, f"{row['seconds_to_target']:.2f}"]


def _halving(table: pd.DataFrame, size: int) -> list[str]:
    steps = table["steps_to_target"]
    if size not in steps.index:
        return ["", ""]
    ratio = f"{steps[size] / steps[2 * size]:.2f}" if 2 * size in steps.index else ""
    return [f"{steps[size]:,.0f}", ratio]
