"""What a report says of one experiment, as plain words and numbers; the page lays it out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from kerasbatch.analysis.comparison.caveat import Caveat
from kerasbatch.analysis.comparison.compare import Comparison, compare
from kerasbatch.analysis.comparison.provenance_caveats import VERSIONS
from kerasbatch.analysis.comparison.text import answer_sentence, criteria, fit_sentence
from kerasbatch.analysis.loading.expected_runs import ExpectedRuns, expected_runs
from kerasbatch.analysis.loading.load import Loaded, run_names
from kerasbatch.analysis.report.figures import ReportFigure, report_figures
from kerasbatch.analysis.report.reproduction import reproduction_commands, spec_text
from kerasbatch.analysis.report.tables import ReportTable, comparison_table, runs_table
from kerasbatch.errors import SpecError
from kerasbatch.records.run_status import FINISHED, RunStatus
from kerasbatch.spec import sweep
from kerasbatch.step_check import is_mismatch

MAX_MISSING = 500
"""Missing runs that are listed at the most."""


@dataclass(frozen=True)
class ReportOptions:
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
    table: ReportTable | None = None


@dataclass(frozen=True)
class RunsOverview:
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

    expected: ExpectedRuns
    missing: tuple[str, ...]
    troubles: tuple[tuple[str, str, str], ...]
    unread: Mapping[str, str]
    checks: Mapping[str, int]
    totals: tuple[int, int]
    runs: ReportTable


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
    standing: RunsOverview
    pictures: tuple[ReportFigure, ...]
    not_drawn: tuple[str, ...]
    spec: str
    origins: Mapping[str, Sequence[str]]
    commands: tuple[str, ...]


def report_section(
    folder: Path, loaded: Loaded, asked: ReportOptions, anchor: str, *, whole: bool
) -> Section:
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
        spec=spec_text(folder, loaded),
        origins=_origins(loaded),
        commands=tuple(reproduction_commands(folder, loaded, asked.by, asked.target)),
    )


def _compared(loaded: Loaded, asked: ReportOptions) -> Comparison | str:
    """Compare the runs; return why that cannot be done otherwise."""
    if loaded.runs.empty:
        return "There are no runs to compare yet."
    try:
        return compare(loaded, asked.by, asked.target, fit=True)
    except SpecError as error:
        return f"These runs cannot be compared: {'; '.join(each.message for each in error.faults)}."


def _conclusion(found: Comparison | str, standing: RunsOverview) -> Conclusion:
    if isinstance(found, str):
        return Conclusion(found)
    has_fit = found.fit is not None and found.question.target is not None
    return Conclusion(
        answer=" ".join([answer_sentence(found), *_so_far(standing)]),
        how=criteria(found),
        by=" and ".join(key.replace("_", " ") for key in found.question.by),
        fit=fit_sentence(found.fit) if has_fit and found.fit else "",
        caveats=found.caveats,
        table=comparison_table(found),
    )


def _so_far(standing: RunsOverview) -> Iterator[str]:
    """Say so where an experiment is not complete; its answer may be another one then."""
    total, missing = standing.expected.total, len(standing.expected.missing)
    going = sum(status == RunStatus.UNFINISHED for _, status, _ in standing.troubles)
    if total and missing + going:
        yield f"So far: {total - missing - going} of {total} runs are finished."


def _drawn(
    loaded: Loaded, found: Comparison | str, asked: ReportOptions, anchor: str
) -> tuple[list[ReportFigure], list[str]]:
    """Draw the runs; pictures are by batch size, whatever the table is by."""
    if isinstance(found, str):
        return [], []
    if found.question.by != ("batch_size",):
        found = compare(loaded, target=asked.target, fit=True)
    return report_figures(loaded, found, anchor)


def _standing(folder: Path, loaded: Loaded, whole: bool) -> RunsOverview:
    only_some = ExpectedRuns(problem="only some of its runs are looked at")
    asked = expected_runs(folder, loaded) if whole else only_some
    return RunsOverview(
        expected=asked,
        missing=tuple(_values(swept) for swept in asked.missing[:MAX_MISSING]),
        troubles=tuple(_troubles(loaded)),
        unread=loaded.problems,
        checks=_checks(loaded.runs),
        totals=_totals(loaded.runs),
        runs=runs_table(loaded),
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
        if row["status"] not in FINISHED:
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
