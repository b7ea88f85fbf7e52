"""Learning rates at the edge of those that were tried: a better one may lie beyond."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import pandas as pd

from kerasbatch.analysis.comparison.caveats.caveat import Caveat, ComparisonContext
from kerasbatch.analysis.comparison.given_up import RATES
from kerasbatch.analysis.comparison.settings import RATE
from kerasbatch.records.run_status import SETTLED

Edge = Literal["lowest", "highest", "only"]


def grid_edge(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield caveats if the best learning rate is the smallest or the largest that was tried."""
    edges, runs = rate_edges(context), context.chosen
    at_edge = [row for row, edge in edges.items() if edge != "only"]
    message = "the best learning rate is at the edge of its grid; a better one may lie beyond"
    yield from context.caveats_for("grid_edge", message, runs[runs["row"].isin(at_edge)])
    alone = [row for row, edge in edges.items() if edge == "only"]
    message = "only one learning rate was tried; another may suit this size better"
    yield from context.caveats_for("grid_edge", message, runs[runs["row"].isin(alone)])


def rate_edges(context: ComparisonContext) -> dict[int, Edge]:
    """Return the edge of the grid at which the learning rate of a row lies, by row.

    The grid of a row holds the rates that were tried with its other settings.
    """
    if RATE not in context.question.tuned:
        return {}  # the learning rate is compared, not chosen
    ranges = {key for expected in context.loaded.expected.values() for key in expected.ranges}
    if ranges & RATES:
        return {}  # the trials of a search are no grid: `search_edge` looks at their ranges
    edges: dict[int, Edge] = {}
    others = [key for key in context.question.tuned if key != RATE]
    groups: Any = context.runs[context.runs["status"].isin(SETTLED)].groupby("row")
    for row, tried in groups:
        settings: Any = context.table.loc[row]
        rates = sorted(_with_equal_values(tried, settings, others)[RATE].dropna().unique())
        if len(rates) == 1:
            edges[int(row)] = "only"
        elif rates and settings[RATE] in (rates[0], rates[-1]):
            edges[int(row)] = "lowest" if settings[RATE] == rates[0] else "highest"
    return edges


def sizes_at_edge(table: pd.DataFrame, caveats: Iterable[Caveat]) -> list[int]:
    """Return the batch sizes whose best learning rate may lie beyond those that were tried.

    Args:
        table: the rows of a comparison.
        caveats: its caveats.
    """
    rows = {row for caveat in caveats if caveat.code == "grid_edge" for row in caveat.rows}
    return [int(table.loc[row, "batch_size"]) for row in sorted(rows)]


def _with_equal_values(runs: pd.DataFrame, settings: Any, keys: list[str]) -> pd.DataFrame:
    """Return the runs with the same values of some keys; a missing value equals another."""
    for key in keys:
        value = settings[key]
        runs = runs[runs[key].isna() if pd.isna(value) else runs[key] == value]
    return runs
