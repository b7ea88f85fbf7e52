"""What a report says of one experiment, as plain words and numbers; the page lays it out."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from kerasbatch.analysis import comparison_text, report_pictures, report_tables
from kerasbatch.analysis.compare import Comparison, compare
from kerasbatch.analysis.comparison import ENDED
from kerasbatch.analysis.evidence import Caveat
from kerasbatch.analysis.expected_runs import Expected, expected
from kerasbatch.analysis.loaded import PLACE, Loaded
from kerasbatch.analysis.origins import VERSIONS
from kerasbatch.analysis.report_pictures import Picture
from kerasbatch.analysis.report_tables import Table
from kerasbatch.errors import SpecError
from kerasbatch.spec import sweep
from kerasbatch.stepcheck import is_mismatch

MAX_MISSING = 500
"""Missing runs that are listed at the most."""
MAX_TEXT = 20_000
"""Characters of a spec that are shown at the most."""


@dataclass(frozen=True)
class Section:
    """What is said of one experiment.

    Args:
        name: its name.
        anchor: a name that no other section of the page has.
        questions: what its specs ask.
        answer: the conclusion, in a sentence.
        by: what the rows of the comparison are, like batch size.
        how: by what was judged, or empty.
        fit: what the curve through the steps says, line by line.
        caveats: what keeps one from concluding.
        comparison: the table, or None.
        pictures: what is drawn.
        not_drawn: why others are not.
        checks: how many runs have each step check.
        totals: planned and observed steps of all runs that have both.
        runs: a row for each run.
        troubles: runs that failed or were cut off: name, status, and what happened.
        unread: by run, why it could not be read.
        expected: which runs the spec asks for.
        missing: those that are not there, by their swept values; some of them where they are many.
        spec: the text of the spec, or empty.
        origins: by what it is of (data, Python, a machine, ...): the values found.
        reproduce: the commands that do it again.
    """

    name: str
    anchor: str
    questions: tuple[str, ...]
    answer: str
    by: str
    how: str
    fit: tuple[str, ...]
    caveats: tuple[Caveat, ...]
    comparison: Table | None
    pictures: tuple[Picture, ...]
    not_drawn: tuple[str, ...]
    checks: Mapping[str, int]
    totals: tuple[int, int]
    runs: Table
    troubles: tuple[tuple[str, str, str], ...]
    unread: Mapping[str, str]
    expected: Expected
    missing: tuple[str, ...]
    spec: str
    origins: Mapping[str, Sequence[str]]
    reproduce: tuple[str, ...]


def section(
    folder: Path, loaded: Loaded, by: Sequence[str], target: str | None, anchor: str
) -> Section:
    """Say all that there is to say of the runs of one experiment.

    Args:
        folder: its directory.
        loaded: its runs.
        by: the columns that tell the rows of the comparison apart.
        target: what to reach, or None for what the runs recorded.
        anchor: a name that no other section of the page has.
    """
    found, answer = _concluded(loaded, by, target)
    drawn, not_drawn = _drawn(loaded, found, target, anchor)
    asked = _expected(folder, loaded)
    spec = _spec(folder, loaded)
    return Section(
        name=folder.name,
        anchor=anchor,
        questions=tuple(_different(s.get("question") for s in loaded.specs.values())),
        answer=answer,
        by=" and ".join(key.replace("_", " ") for key in by),
        how=comparison_text.how(found) if found else "",
        fit=tuple(_fit(found)),
        caveats=found.caveats if found else (),
        comparison=report_tables.comparison(found) if found else None,
        pictures=tuple(drawn),
        not_drawn=tuple(not_drawn),
        checks=_checks(loaded.runs),
        totals=_totals(loaded.runs),
        runs=report_tables.runs(loaded),
        troubles=tuple(_troubles(loaded)),
        unread=loaded.problems,
        expected=asked,
        missing=tuple(_values(swept) for swept in asked.missing[:MAX_MISSING]),
        spec=spec,
        origins=_origins(loaded),
        reproduce=tuple(_commands(folder, spec)),
    )


def _drawn(
    loaded: Loaded, found: Comparison | None, target: str | None, anchor: str
) -> tuple[list[Picture], list[str]]:
    """Draw the runs; pictures are by batch size, whatever the table is by."""
    if found is None:
        return [], []
    if found.question.by != ("batch_size",):
        found = compare(loaded, target=target, fit=True)
    return report_pictures.pictures(loaded, found, anchor)


def _concluded(
    loaded: Loaded, by: Sequence[str], target: str | None
) -> tuple[Comparison | None, str]:
    if loaded.runs.empty:
        return None, "There are no runs to compare yet."
    try:
        found = compare(loaded, by, target, fit=True)
    except SpecError as error:
        return None, f"These runs cannot be compared: {'; '.join(map(str, error.faults))}."
    return found, comparison_text.answer(found)


def _checks(runs: pd.DataFrame) -> dict[str, int]:
    """Count the step checks, the mismatches first."""
    counts = runs["step_check"].fillna("not checked").value_counts()
    ordered = sorted(counts.items(), key=lambda item: (not is_mismatch(str(item[0])), -item[1]))
    return {str(check): int(count) for check, count in ordered}


def _totals(runs: pd.DataFrame) -> tuple[int, int]:
    known = runs[runs["planned_steps"].notna() & runs["observed_steps"].notna()]
    return int(known["planned_steps"].sum()), int(known["observed_steps"].sum())


def _troubles(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    for row in loaded.runs.to_dict("records"):
        if row["status"] not in ENDED:
            record = loaded.records[f"{row[PLACE[0]]}/{row[PLACE[1]]}"]
            told = record.get("message") or "it goes on, or its process was killed"
            yield str(row["run_id"]), str(row["status"]), str(told)


def _fit(found: Comparison | None) -> Iterator[str]:
    if found is not None and found.fit is not None and found.question.goal is not None:
        yield from comparison_text.fit_lines(found.fit)


def _expected(folder: Path, loaded: Loaded) -> Expected:
    """Say which runs are missing; nothing where only some of the experiment are looked at."""
    there = {path.parent for path in folder.glob("*/spec.yaml")} | {
        path.parent for path in folder.glob("*/record.json")
    }
    if there - set(loaded.directories.values()):
        return Expected(problem="only some of its runs are looked at")
    return expected(folder, loaded)


def _values(swept: Mapping[str, Any]) -> str:
    if not swept:
        return "its only run"
    return ", ".join(f"{key} {sweep.label(value)}" for key, value in swept.items())


def _spec(folder: Path, loaded: Loaded) -> str:
    files = [folder / "experiment.yaml", *(p / "spec.yaml" for p in loaded.directories.values())]
    found = next((file for file in files if file.is_file()), None)
    text = found.read_text(encoding="utf-8", errors="replace") if found else ""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}\n# ... the rest is not shown"


def _different(values: Iterator[Any] | Sequence[Any]) -> list[str]:
    return list(dict.fromkeys(str(value) for value in values if value not in (None, "")))


def _origins(loaded: Loaded) -> dict[str, list[str]]:
    """Return the data, versions and machines of the runs, each different one once."""
    records = list(loaded.records.values())
    found = {"data": _different((r.get("row") or {}).get("data_used") for r in records)}
    for name in VERSIONS:
        found[name] = _different((r.get("versions") or {}).get(name) for r in records)
    machines = (
        ", ".join(f"{key} {value}" for key, value in (r.get("machine") or {}).items())
        for r in records
    )
    found["machine"] = _different(machines)
    found["git commit"] = _different(r.get("git_commit") for r in records)
    found["engine"] = _different((r.get("engine") or {}).get("name") for r in records)
    return {name: values for name, values in found.items() if values}


def _commands(folder: Path, spec: str) -> Iterator[str]:
    if spec:
        yield f"kerasbatch run {shlex.quote(f'{folder.name}.yaml')}"
    yield f"kerasbatch compare {shlex.quote(f'results/{folder.name}')} --fit"
    yield f"kerasbatch report {shlex.quote(f'results/{folder.name}')} -o report.html"
