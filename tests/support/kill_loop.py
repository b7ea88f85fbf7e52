"""Kills a sweep at every write of its records, in turn, and lets it go on; prints what it did.

    python kill_loop.py FOLDER

Run in a process of its own, which forks: nothing here may start a thread.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

from fake_executor import SPEC, train
from killer import is_killed

from kerasbatch.records.record import read_record
from kerasbatch.records.run_directory import RunDirectory

GRID = {"batch_size": [8, 16], "seed": [0, 1]}


def _sweep(folder: Path, rerun: bool) -> None:
    train(SPEC | {"sweep": GRID}, folder, rerun=rerun)


def _told(folder: Path) -> dict[str, Any]:
    """Return what the directory says, clocks aside, after checking every checksum."""
    experiment = folder / "experiment"
    found: dict[str, Any] = {}
    for path in sorted(path for path in experiment.iterdir() if path.is_dir()):
        whole = RunDirectory(path).read()
        if whole.problem or whole.record is None:
            raise SystemExit(f"{path.name}: {whole.problem or 'no record'}")
        found[path.name] = whole.record["row"], (path / "history.csv").read_text()
    found["runs.csv"] = (experiment / "runs.csv").read_text()
    found["others"] = sorted(
        p.name for p in experiment.rglob("*") if p.name.startswith(".") and p.name != ".lock"
    )
    return found


def main(folder: Path) -> None:
    """Kill at every call, whole and half-written, with finished runs to replace and without."""
    (folder / "peace").mkdir()
    _sweep(folder / "peace", False)
    expected, kills = _told(folder / "peace"), 0
    for rerun in (False, True):
        for torn in (False, True):
            at = 0
            while True:
                at += 1
                place = folder / f"{rerun}-{torn}-{at}"
                place.mkdir()
                if rerun:
                    _sweep(place, False)
                finished = _finished(place)
                if not is_killed(partial(_sweep, place, rerun), at, torn):
                    break
                kills += 1
                _refuse_torn(place, at)
                results = train(SPEC | {"sweep": GRID}, place)
                if not finished <= {each.directory.name for each in results if each.reused}:
                    raise SystemExit(f"a finished run was lost at call {at}")
                if _told(place) != expected:
                    raise SystemExit(f"call {at}: {_told(place)}")
    sys.stdout.write(f"killed {kills} times\n")


def _finished(folder: Path) -> set[str]:
    """Return the runs that are finished."""
    places = (RunDirectory(path) for path in folder.glob("experiment/*=*"))
    return {place.run_id for place in places if place.is_finished()}


def _refuse_torn(folder: Path, at: int) -> None:
    """Every file that is seen under its name is whole."""
    for path in folder.glob("experiment/**/[!.]*"):
        if path.is_file() and not path.read_text().endswith("\n"):
            raise SystemExit(f"{path.name} is torn at call {at}")
        if path.name == "record.json" and read_record(path.parent).problem:
            raise SystemExit(f"{path.name} is damaged at call {at}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
