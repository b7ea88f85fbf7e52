"""Kills a process at every call of the writing of a checkpoint; prints how often.

    python kill_checkpoints.py FOLDER

Run in a process of its own, which forks: nothing here may start a thread.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from checkpoint_support import FACTS
from killer import is_killed

from kerasbatch.records.checkpoints.checkpoint_folder import Checkpoint, CheckpointFolder


def state(step: int) -> dict[str, Any]:
    """The state after a step; it tells its step in every value."""
    return {"step": step, "values": np.full(5000, step)}


def write(folder: CheckpointFolder, step: int) -> None:
    folder.write(step, state(step), FACTS)


def check(folder: CheckpointFolder, at: int) -> None:
    """The newest one is whole, and the next one can be written."""
    newest = next(iter(folder.newest()))
    if not isinstance(newest, Checkpoint) or newest.step not in (2, 3):
        raise SystemExit(f"killed at call {at}: {newest}")
    read = newest.state()
    if read["step"] != newest.step or not (read["values"] == newest.step).all():
        raise SystemExit(f"killed at call {at}: a mixture of two")
    write(folder, 4)
    steps = [each.step for each in folder.newest() if isinstance(each, Checkpoint)]
    names = sorted(path.name for path in folder.path.iterdir())
    if steps != [4, newest.step] or names != sorted(f"step-{step}" for step in steps):
        raise SystemExit(f"killed at call {at}: then {names}")


def main(place: Path) -> None:
    """Kill at every call, with whole files and half-written ones."""
    kills = 0
    for torn in (False, True):
        at = 1
        while True:
            folder = CheckpointFolder(place / f"{torn}-{at}")
            for step in (1, 2):
                write(folder, step)
            if not is_killed(partial(write, folder, 3), at, torn):
                break
            check(folder, at)
            kills, at = kills + 1, at + 1
    sys.stdout.write(f"killed {kills} times\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
