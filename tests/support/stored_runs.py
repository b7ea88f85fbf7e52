"""Real results of a sweep over a line, stored beside the tests, for tests without TensorFlow.

tests/runs/test_stored_runs.py trains them again and compares the numbers.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from kerasbatch.records.record import read_record, write_record

STORED_LINE = Path(__file__).parents[1] / "stored_runs/line"
"""Two runs of `LINE`, at batch sizes 1 and 24, with weights and losses of steps."""


def copy_line(folder: Path) -> list[Path]:
    """Copy the stored runs into a results folder; return their directories by batch size."""
    copy = folder / "line"
    shutil.copytree(STORED_LINE, copy)
    return [next(copy.glob(f"batch_size={size}-*")) for size in (1, 24)]


def write_table(directory: Path, name: str, text: str) -> None:
    """Write a table of a stored run, and its hash into the record."""
    (directory / name).write_text(text, encoding="utf-8")
    write_record(directory, dict(read_record(directory).record or {}))


def write_step_losses(directory: Path, losses: Iterable[float]) -> None:
    """Write the losses of steps, from step 1 on."""
    rows = "".join(f"{step},{loss!r}\n" for step, loss in enumerate(losses, start=1))
    write_table(directory, "steps_loss.csv", f"step,loss\n{rows}")
