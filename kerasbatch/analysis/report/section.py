"""The section of a report about one experiment, as text, tables and figures without HTML."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from kerasbatch.analysis.comparison.caveats.caveat import caveat_lines
from kerasbatch.analysis.comparison.caveats.missing_runs import swept_label
from kerasbatch.analysis.comparison.caveats.provenance import VERSIONS
from kerasbatch.analysis.comparison.compare import compare
from kerasbatch.analysis.comparison.result import Comparison
from kerasbatch.analysis.comparison.stale_runs import stale_line
from kerasbatch.analysis.comparison.text.answer import answer_sentence
from kerasbatch.analysis.comparison.text.cells import criteria, fit_sentence
from kerasbatch.analysis.loading.expected_runs import ExpectedRuns
from kerasbatch.analysis.loading.load import Loaded, run_keys
from kerasbatch.analysis.report.figures import ReportFigure, report_figures
from kerasbatch.analysis.report.reproduction import reproduction_commands, spec_text
from kerasbatch.analysis.report.tables import ReportTable, comparison_table, runs_table
from kerasbatch.errors import SpecError
from kerasbatch.records.run_status import SETTLED
from kerasbatch.step_check import is_mismatch

MAX_MISSING = 500
"""The largest number of missing runs that are listed."""


@dataclass(frozen=True)
class ReportOptions:
    """The options of a report.

    Args:
        by: the columns that identify a row of the comparisons.
        target: the target, or None for the one that the runs recorded.
        all_runs: whether stale runs are part of answers and figures.
    """

    by: tuple[str, ...]
    target: str | None
    all_runs: bool = False


@dataclass(frozen=True)
class Conclusion:
    """The result of the comparison.

    Args:
        answer: the conclusion, in a sentence.
        criteria: the rule by which learning rates and rows were chosen, or empty.
        by: the name of the values that a row of the table stands for, like batch size.
        fit: the critical batch size, in a sentence, or empty.
        recommendation: the row to take and what to run next, or empty.
        caveats: the reasons not to rely on the conclusion, by their code.
        table: the table of the comparison, or None.
    """

    answer: str
    criteria: str = ""
    by: str = ""
    fit: str = ""
    recommendation: str = ""
    caveats: Mapping[str, str] = field(default_factory=dict)
    table: ReportTable | None = None


@dataclass(frozen=True)
class RunsOverview:
    """The state of the runs of an experiment.

    Args:
        expected: the runs that the spec asks for.
        missing: the swept values of the runs that do not exist, at most `MAX_MISSING` of them.
        stale: a sentence about the runs that the edited spec no longer asks for.
        unfinished: the runs that failed, were interrupted or still train: name, status, message.
        unreadable: by run, the reason why it cannot be read.
        checks: the number of runs by the result of their step check.
        steps: the planned and the observed steps, summed over the runs that have both.
        runs: a row for each run.
    """

    expected: ExpectedRuns
    missing: tuple[str, ...]
    stale: str
    unfinished: tuple[tuple[str, str, str], ...]
    unreadable: Mapping[str, str]
    checks: Mapping[str, int]
    steps: tuple[int, int]
    runs: ReportTable


@dataclass(frozen=True)
class Section:
    """The section about one experiment.

    Args:
        name: the name of the experiment.
        anchor: an identifier that is unique in the report.
        questions: the questions of its specs, each once.
        conclusion: the result of the comparison.
        overview: the state of its runs.
        figures: the figures.
        not_drawn: the reasons why other figures are not drawn.
        spec: the text of the spec, or empty.
        provenance: the different values by name (data, python, machine, ...).
        commands: the commands that reproduce the runs.
    """

    name: str
    anchor: str
    questions: tuple[str, ...]
    conclusion: Conclusion
    overview: RunsOverview
    figures: tuple[ReportFigure, ...]
    not_drawn: tuple[str, ...]
    spec: str
    provenance: Mapping[str, Sequence[str]]
    commands: tuple[str, ...]


def report_section(folder: Path, every: Loaded, options: ReportOptions, anchor: str) -> Section:
    """Return the section about the runs of one experiment.

    Args:
        folder: the directory of the experiment.
        every: its runs, stale ones too.
        options: the options of the report.
        anchor: an identifier that is unique in the report.
    """
    loaded = every if options.all_runs else every.current()
    comparison = _compare(loaded, options)
    only_some = ExpectedRuns(problem="only some of its runs are looked at")
    expected = every.expected.get(folder, only_some)
    overview = _overview(loaded, expected, included=options.all_runs)
    figures, not_drawn = _figures(loaded, comparison, options, anchor)
    return Section(
        name=folder.name,
        anchor=anchor,
        questions=tuple(_distinct(s.get("question") for s in loaded.specs.values())),
        conclusion=_conclusion(comparison, overview),
        overview=overview,
        figures=tuple(figures),
        not_drawn=tuple(not_drawn),
        spec=spec_text(folder, loaded),
        provenance=_provenance(loaded),
        commands=tuple(reproduction_commands(folder, loaded, options.by, options.target)),
    )


def _compare(loaded: Loaded, options: ReportOptions) -> Comparison | str:
    """Return the comparison of the runs, or the reason why they cannot be compared."""
    if loaded.runs.empty:
        return "There are no runs to compare yet."
    try:
        return compare(loaded, options.by, options.target, fit=True, all_runs=True)
    except SpecError as error:
        faults = "; ".join(fault.message for fault in error.faults)
        return f"These runs cannot be compared: {faults}."


def _conclusion(comparison: Comparison | str, overview: RunsOverview) -> Conclusion:
    if isinstance(comparison, str):
        return Conclusion(comparison)
    fit, question = comparison.fit, comparison.question
    return Conclusion(
        answer=" ".join([answer_sentence(comparison), *_progress_sentence(overview)]),
        criteria=criteria(comparison),
        by=" and ".join(key.replace("_", " ") for key in question.by),
        fit=fit_sentence(fit) if fit and question.target is not None else "",
        recommendation=comparison.recommendation,
        caveats=caveat_lines(comparison.caveats),
        table=comparison_table(comparison),
    )


def _progress_sentence(overview: RunsOverview) -> Iterator[str]:
    """Yield a sentence if runs are missing or not finished, which may change the answer."""
    total, missing = overview.expected.total, len(overview.expected.missing)
    lacking = missing + len(overview.unfinished)
    if total and lacking:
        yield f"So far: {max(0, total - lacking)} of {total} runs are finished."


def _figures(
    loaded: Loaded, comparison: Comparison | str, options: ReportOptions, anchor: str
) -> tuple[list[ReportFigure], list[str]]:
    """Draw the figures; they are by batch size, whatever the rows of the table are."""
    if isinstance(comparison, str):
        return [], []
    if comparison.question.by != ("batch_size",):
        by_size = _compare(loaded, replace(options, by=("batch_size",)))
        if isinstance(by_size, str):
            return [], [by_size]
        comparison = by_size
    return report_figures(loaded, comparison, anchor)


def _overview(loaded: Loaded, expected: ExpectedRuns, *, included: bool) -> RunsOverview:
    return RunsOverview(
        expected=expected,
        missing=tuple(swept_label(swept) for swept in expected.missing[:MAX_MISSING]),
        stale=stale_line(expected.stale, included=included),
        unfinished=tuple(_unfinished_runs(loaded)),
        unreadable=loaded.problems,
        checks=_count_checks(loaded.runs),
        steps=_sum_steps(loaded.runs),
        runs=runs_table(loaded),
    )


def _count_checks(runs: pd.DataFrame) -> dict[str, int]:
    """Return the number of runs by the result of their step check, mismatches first."""
    counts = runs["step_check"].fillna("not checked").value_counts()
    ordered = sorted(counts.items(), key=lambda item: (not is_mismatch(str(item[0])), -item[1]))
    return {str(check): int(count) for check, count in ordered}


def _sum_steps(runs: pd.DataFrame) -> tuple[int, int]:
    counted = runs[runs["planned_steps"].notna() & runs["observed_steps"].notna()]
    return int(counted["planned_steps"].sum()), int(counted["observed_steps"].sum())


def _unfinished_runs(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    runs, records = loaded.runs, loaded.records
    for run, row in zip(run_keys(runs), runs.to_dict("records"), strict=True):
        if row["status"] not in SETTLED:
            message = records[run].get("message") or _progress(row)
            yield str(row["run_id"]), str(row["status"]), str(message)


def _progress(row: Mapping[Any, Any]) -> str:
    """Return the progress of a run without a record."""
    step = row["observed_steps"]
    place = f"at step {step:,.0f}; " if step == step and step is not None else ""
    return f"{place}it is running, or its process was killed"


def _distinct(values: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(str(value) for value in values if value not in (None, "")))


def _provenance(loaded: Loaded) -> dict[str, list[str]]:
    """Return the data, versions and machines of the runs, each distinct value once."""
    records = list(loaded.records.values())
    values = {"data": _distinct((r.get("row") or {}).get("data_used") for r in records)}
    for name in VERSIONS:
        values[name] = _distinct((r.get("versions") or {}).get(name) for r in records)
    machines = (
        ", ".join(f"{key} {value}" for key, value in (r.get("machine") or {}).items())
        for r in records
    )
    values["machine"] = _distinct(machines)
    values["git commit"] = _distinct(r.get("git_commit") for r in records)
    values["engine"] = _distinct((r.get("engine") or {}).get("name") for r in records)
    return {name: texts for name, texts in values.items() if texts}
