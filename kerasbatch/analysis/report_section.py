"""What a report says of one experiment, as plain words and numbers; the page lays it out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from kerasbatch.analysis import comparison_text, report_pictures, report_tables, reproduction
from kerasbatch.analysis.compare import Comparison, compare
from kerasbatch.analysis.comparison import ENDED
from kerasbatch.analysis.evidence import Caveat
from kerasbatch.analysis.expected_runs import Expected, expected
from kerasbatch.analysis.loaded import Loaded, run_names
from kerasbatch.analysis.origins import VERSIONS
from kerasbatch.analysis.report_pictures import Picture
from kerasbatch.analysis.report_tables import Table
from kerasbatch.errors import SpecError
from kerasbatch.spec import sweep
from kerasbatch.stepcheck import is_mismatch

MAX_MISSING = 500
"""Missing runs that are listed at the most."""


@dataclass(frozen=True)
class Asked:
    """What the whole report was asked for.

    Args:
        by: the columns that tell the rows of comparisons apart.
        target: what to reach, or None for what the runs recorded.
    """

    by: tuple[str, ...]
    target: str | None


@dataclass(frozen=True)
class Conclusion:
    """What the comparison says.

    Args:
        answer: the conclusion, in a sentence.
        how: by what was judged, or empty.
        by: what the rows of the table are, like batch size.
        fit: what the curve through the steps says, or empty.
        caveats: what keeps one from concluding.
        table: the comparison, or None.
    """

    answer: str
    how: str = ""
    by: str = ""
    fit: str = ""
    caveats: tuple[Caveat, ...] = ()
    table: Table | None = None


@dataclass(frozen=True)
class Standing:
    """Which runs there are, and how they ended.

    Args:
        expected: which runs the spec asks for.
        missing: those that are not there, by their swept values; some of them where they are many.
        troubles: runs that failed, were cut off or go on: name, status, and what happened.
        unread: by run, why it could not be read.
        checks: how many runs have each step check.
        totals: planned and observed steps of all runs that have both.
        runs: a row for each run.
    """

    expected: Expected
    missing: tuple[str, ...]
    troubles: tuple[tuple[str, str, str], ...]
    unread: Mapping[str, str]
    checks: Mapping[str, int]
    totals: tuple[int, int]
    runs: Table


@dataclass(frozen=True)
class Section:
    """What is said of one experiment.

    Args:
        name: its name.
        anchor: a name that no other section of the page has.
        questions: what its specs ask.
        conclusion: what the comparison says.
        standing: which runs there are.
        pictures: what is drawn.
        not_drawn: why others are not.
        spec: the text of the spec, or empty.
        origins: by what it is of (data, Python, a machine, ...): the values found.
        commands: what does it again.
    """

    name: str
    anchor: str
    questions: tuple[str, ...]
    conclusion: Conclusion
    standing: Standing
    pictures: tuple[Picture, ...]
    not_drawn: tuple[str, ...]
    spec: str
    origins: Mapping[str, Sequence[str]]
    commands: tuple[str, ...]


def section(folder: Path, loaded: Loaded, asked: Asked, anchor: str, *, whole: bool) -> Section:
    """Say all that there is to say of the runs of one experiment.

    Args:
        folder: its directory.
        loaded: its runs.
        asked: what the report was asked for.
        anchor: a name that no other section of the page has.
        whole: whether all of its runs are looked at.
    """
    found = _compared(loaded, asked)
    standing = _standing(folder, loaded, whole)
    drawn, not_drawn = _drawn(loaded, found, asked, anchor)
    return Section(
        name=folder.name,
        anchor=anchor,
        questions=tuple(_different(s.get("question") for s in loaded.specs.values())),
        conclusion=_conclusion(found, standing),
        standing=standing,
        pictures=tuple(drawn),
        not_drawn=tuple(not_drawn),
        spec=reproduction.spec(folder, loaded),
        origins=_origins(loaded),
        commands=tuple(reproduction.commands(folder, loaded, asked.by, asked.target)),
    )


def _compared(loaded: Loaded, asked: Asked) -> Comparison | str:
    """Compare the runs; return why that cannot be done otherwise."""
    if loaded.runs.empty:
        return "There are no runs to compare yet."
    try:
        return compare(loaded, asked.by, asked.target, fit=True)
    except SpecError as error:
        return f"These runs cannot be compared: {'; '.join(each.message for each in error.faults)}."


def _conclusion(found: Comparison | str, standing: Standing) -> Conclusion:
    if isinstance(found, str):
        return Conclusion(found)
    has_fit = found.fit is not None and found.question.goal is not None
    return Conclusion(
        answer=" ".join([comparison_text.answer(found), *_so_far(standing)]),
        how=comparison_text.how(found),
        by=" and ".join(key.replace("_", " ") for key in found.question.by),
        fit=comparison_text.fit_sentence(found.fit) if has_fit and found.fit else "",
        caveats=found.caveats,
        table=report_tables.comparison(found),
    )


def _so_far(standing: Standing) -> Iterator[str]:
    """Say so where an experiment is not complete; its answer may be another one then."""
    total, missing = standing.expected.total, len(standing.expected.missing)
    going = sum(status == "unfinished" for _, status, _ in standing.troubles)
    if total and missing + going:
        yield f"So far: {total - missing - going} of {total} runs are finished."


def _drawn(
    loaded: Loaded, found: Comparison | str, asked: Asked, anchor: str
) -> tuple[list[Picture], list[str]]:
    """Draw the runs; pictures are by batch size, whatever the table is by."""
    if isinstance(found, str):
        return [], []
    if found.question.by != ("batch_size",):
        found = compare(loaded, target=asked.target, fit=True)
    return report_pictures.pictures(loaded, found, anchor)


def _standing(folder: Path, loaded: Loaded, whole: bool) -> Standing:
    only_some = Expected(problem="only some of its runs are looked at")
    asked = expected(folder, loaded) if whole else only_some
    return Standing(
        expected=asked,
        missing=tuple(_values(swept) for swept in asked.missing[:MAX_MISSING]),
        troubles=tuple(_troubles(loaded)),
        unread=loaded.problems,
        checks=_checks(loaded.runs),
        totals=_totals(loaded.runs),
        runs=report_tables.runs(loaded),
    )


def _checks(runs: pd.DataFrame) -> dict[str, int]:
    """Count the step checks, the mismatches first."""
    counts = runs["step_check"].fillna("not checked").value_counts()
    ordered = sorted(counts.items(), key=lambda item: (not is_mismatch(str(item[0])), -item[1]))
    return {str(check): int(count) for check, count in ordered}


def _totals(runs: pd.DataFrame) -> tuple[int, int]:
    known = runs[runs["planned_steps"].notna() & runs["observed_steps"].notna()]
    return int(known["planned_steps"].sum()), int(known["observed_steps"].sum())


def _troubles(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    runs, records = loaded.runs, loaded.records
    for run, row in zip(run_names(runs), runs.to_dict("records"), strict=True):
        if row["status"] not in ENDED:
            told = records[run].get("message") or "it goes on, or its process was killed"
            yield str(row["run_id"]), str(row["status"]), str(told)


def _values(swept: Mapping[str, Any]) -> str:
    if not swept:
        return "its only run"
    return ", ".join(f"{key} {sweep.label(value)}" for key, value in swept.items())


def _different(values: Iterable[Any]) -> list[str]:
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
