"""The row to take, the rows that cannot be told from it, and what to run next, in one line."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kerasbatch.analysis.comparison.best import Best
from kerasbatch.analysis.comparison.caveats.caveat import Caveat, ComparisonContext
from kerasbatch.analysis.comparison.caveats.rate_edges import Edge, rate_edges
from kerasbatch.analysis.comparison.caveats.seed_spread import seed_differences
from kerasbatch.analysis.comparison.settings import RATE
from kerasbatch.analysis.comparison.text.cells import cell
from kerasbatch.analysis.comparison.text.labels import (
    join,
    key_name,
    key_names,
    row_label,
    row_values,
)
from kerasbatch.text import counted

MAX_STEPS = 4
"""The largest number of next steps; the first ones matter most."""
MAX_SEEDS = 20
"""With more seeds than these, two rows are as good as equal."""
REMEDIES = {
    "missing_runs": "train the runs without a result",
    "fallback": "train on the data that the spec names",
    "step_check": "find the reason for the failed step check",
    "mixed": "train all runs with the same versions, code and machine",
    "engines": "train all runs with one engine",
    "test_target": "take validation from the training data",
    "schedule": "give each size a schedule of its own length",
    "budgets": "give all rows the same budget, or a target",
}
"""What removes a caveat, by its code."""


def recommendation(
    context: ComparisonContext, ranking: Mapping[str, Best], caveats: Sequence[Caveat]
) -> str:
    """Return the recommendation: Take batch size 64 with learning rate 0.01. Next: ...

    With a target, the row of the least time is taken; without one, that of the best metric.

    Args:
        context: the comparison.
        ranking: the best row by every criterion.
        caveats: its caveats.
    """
    best = ranking.get("seconds", next(iter(ranking.values()), None))
    steps = list(_next_steps(context, best, caveats))[:MAX_STEPS]
    following = f" Next: {', '.join(steps)}." if steps else ""
    return f"{_choice(context, best)}.{following}"


def _choice(context: ComparisonContext, best: Best | None) -> str:
    table, question = context.table, context.question
    if best is None:
        return f"Take no {key_names(question)} yet"
    cells = dict(table.loc[best.row])
    tuned = [f"{key_name(key)} {text}" for key in question.tuned if (text := cell(key, cells))]
    settings = f" with {join(tuned)}" if tuned else ""
    label = row_label(table, question, best.row)
    if len(table) == 1:
        return f"Take {label}, the only one that was tried{',' if settings else ''}{settings}"
    choice = f"Take {label}{settings}"
    if not best.ties:
        return choice
    ties = join([row_values(table, question, row) for row in best.ties])
    return f"{choice}; {ties} cannot be told from it"


def _next_steps(
    context: ComparisonContext, best: Best | None, caveats: Sequence[Caveat]
) -> Iterator[str]:
    """Yield what to do next, the most important first."""
    codes = dict.fromkeys(caveat.code for caveat in caveats)
    yield from (text for code, text in REMEDIES.items() if code in codes)
    rows = set(context.table.index) if best is None else {best.row, *best.ties}
    yield from _rate_steps(context, rows)
    if best is None:
        if "nothing_learned" not in codes:
            yield "longer budgets"
        return
    if len(context.table) == 1:
        yield f"other values of {key_names(context.question)}"
        return
    if any(c.code == "coarse" and c.column == best.column for c in caveats):
        yield _evaluation_step(context, best)
    yield from _seed_step(context, best, caveats)


def _rate_steps(context: ComparisonContext, considered: set[Any]) -> Iterator[str]:
    """Yield the learning rates to try: above the highest and below the lowest that were tried."""
    edges = {row: edge for row, edge in rate_edges(context).items() if row in considered}
    directions: dict[Edge, str] = {"highest": "above", "lowest": "below", "only": "other than"}
    for edge, direction in directions.items():
        rows = [row for row, name in edges.items() if name == edge]
        rates: set[Any] = {context.table.loc[row, RATE] for row in rows}
        if not rows:
            continue
        rate = max(rates) if edge == "highest" else min(rates)
        everywhere = len(rows) == len(considered) and len(rates) == 1
        values = join([row_values(context.table, context.question, row) for row in rows])
        yield f"learning rates {direction} {rate:g}{'' if everywhere else f' at {values}'}"


def _evaluation_step(context: ComparisonContext, best: Best) -> str:
    """Return the interval of evaluations that halves the gap before the target."""
    runs = context.chosen[(context.chosen["row"] == best.row) & context.chosen["reached"]]
    gap = float((runs["steps_to_target"] - runs["steps_before"]).median())
    return f"evaluate every {counted(max(1, round(gap / 2)), 'step')}"


def _seed_step(context: ComparisonContext, best: Best, caveats: Sequence[Caveat]) -> Iterator[str]:
    """Yield the number of seeds that would tell the ties from the best row."""
    rows, seeds = [best.row, *best.ties], context.table["seeds"]
    if (best.ties and seeds.loc[rows].min() < 2) or seeds.loc[best.row] < 2:
        yield "two more seeds"
        return
    close = [c for c in caveats if c.code == "within_spread" and c.column == best.column]
    differences = seed_differences(context, best.column, best.row) if close else {}
    needed: list[tuple[int, int]] = []
    for row, each in differences.items():
        if row in best.close and (number := each.needed_seeds(MAX_SEEDS + each.seeds)):
            needed.append((number - each.seeds, row))
    if any(more > 0 for more, _ in needed):
        yield counted(max(more for more, _ in needed), "more seed")
