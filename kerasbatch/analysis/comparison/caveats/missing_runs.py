"""The runs of the grid that have no result, which may change every choice of a comparison."""

from collections.abc import Iterator, Mapping
from typing import Any

from kerasbatch.analysis.comparison.caveats.caveat import Caveat, ComparisonContext
from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.records.run_status import SETTLED
from kerasbatch.text import counted, value_label

MAX_NAMES = 6


def missing_runs(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield a caveat that names the runs that are missing, unfinished or unreadable."""
    loaded, runs = context.loaded, context.runs
    unfinished = runs[~runs["status"].isin(SETTLED)]
    unreadable = _unreadable_runs(loaded)
    missing = [swept for expected in loaded.expected.values() for swept in expected.missing]
    names = [
        *(f"{swept_label(swept)} (missing)" for swept in missing),
        *(f"{row['run']} ({row['status']})" for row in unfinished.to_dict("records")),
        *(f"{run} (unreadable)" for run in unreadable),
    ]
    if not names:
        return
    rows = {int(row) for row in unfinished["row"]}
    rows |= {row for swept in missing for row in _rows(context, swept)}
    more = [f"and {len(names) - MAX_NAMES} more"] if len(names) > MAX_NAMES else []
    listing = "; ".join([*names[:MAX_NAMES], *more])
    message = f"{_count(loaded, len(names))} without a result: {listing}"
    yield Caveat("missing_runs", message, (*unfinished["run"], *unreadable), tuple(sorted(rows)))


def swept_label(swept: Mapping[str, Any]) -> str:
    """Return the swept values of a run as text."""
    if not swept:
        return "the only run"
    return ", ".join(f"{key} {value_label(value)}" for key, value in swept.items())


def _unreadable_runs(loaded: Loaded) -> list[str]:
    return [run for run in loaded.problems if run in loaded.directories]


def _count(loaded: Loaded, number: int) -> str:
    totals = [expected.total for expected in loaded.expected.values()]
    counts = [total for total in totals if total is not None]
    if not counts or len(counts) < len(totals):
        return counted(number, "run")
    return f"{number:,} of {counted(sum(counts), 'run')}"


def _rows(context: ComparisonContext, swept: Mapping[str, Any]) -> Iterator[int]:
    """Yield the rows to which a missing run would belong; all, where that is unknown."""
    table = context.table
    for key in context.question.by:
        value = swept.get(key)
        if value == "full":
            value = context.runs["train_examples"].max()
        if value is None:
            continue
        table = table[table[key].map(str) == str(value)]
    yield from map(int, table.index)
