"""Differences between rows that lie within the spread of their seeds."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from kerasbatch.analysis.comparison.best import best_rows
from kerasbatch.analysis.comparison.caveats.caveat import Caveat, ComparisonContext

CONFIDENCE = 0.95


def one_seed(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield a caveat for rows with a single seed."""
    single = context.table.index[context.table["seeds"] == 1]
    message = "one seed only; another may tell otherwise"
    yield from context.caveats_for(
        "one_seed", message, context.chosen[context.chosen["row"].isin(single)]
    )


def within_spread(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield caveats if the difference to the best row lies within the spread of seeds."""
    for _, best in best_rows(context.table, context.chosen, context.question):
        differences = seed_differences(context, best.column, best.row)
        close = {row: each for row, each in differences.items() if each.may_be_zero()}
        if close:
            seeds = sorted({each.seeds for each in close.values()})
            number = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
            paired = all(each.is_paired for each in close.values())
            method = "paired t interval" if paired else "t interval"
            message = (
                f"{context.labels(list(close))}: the difference to {context.label(best.row)} in "
                f"{best.column} lies within the spread of {number} seeds ({method}, "
                f"{CONFIDENCE:.0%})"
            )
            yield context.close_to_best(
                "within_spread", message, best.column, best.row, list(close)
            )


@dataclass(frozen=True)
class Difference:
    """The difference between two rows, as far as their seeds tell it.

    Args:
        mean: its mean.
        error: its standard error.
        freedom: the degrees of freedom of the error.
        seeds: the number of seeds in each row that it rests on; the smaller one.
        is_paired: whether the rows have these seeds in common.
    """

    mean: float
    error: float
    freedom: float
    seeds: int
    is_paired: bool

    def may_be_zero(self) -> bool:
        """Return whether zero lies within the t interval of the difference."""
        if self.error == 0:
            return self.mean == 0
        quantile = stdtrit(self.freedom, 0.5 + CONFIDENCE / 2)
        return bool(abs(self.mean) <= quantile * self.error)

    def needed_seeds(self, limit: int) -> int | None:
        """Return the seeds in each row that show this difference, if the spread stays as it is.

        Args:
            limit: the largest number to return; None if more are needed.
        """
        deviation = self.error * math.sqrt(self.seeds)
        for seeds in range(2, limit + 1):
            quantile = stdtrit(seeds - 1, 0.5 + CONFIDENCE / 2)
            if abs(self.mean) > quantile * deviation / math.sqrt(seeds):
                return seeds
        return None


def seed_differences(context: ComparisonContext, column: str, best: Any) -> dict[Any, Difference]:
    """Return the difference of each row to the best one; of logarithms, for costs of a target.

    Args:
        context: the comparison.
        column: the column that is compared.
        best: the index of the best row.

    Returns:
        The differences by row; without rows that have too few seeds to tell.
    """
    values: Any = context.chosen.pivot_table(index="seed", columns="row", values=column)
    if best not in values:
        return {}
    if context.question.target is not None:
        values = np.log(values)
    differences = {
        row: difference(values[row], values[best]) for row in values.columns if row != best
    }
    return {row: each for row, each in differences.items() if each is not None}


def difference(one: "pd.Series[float]", other: "pd.Series[float]") -> Difference | None:
    """Return the difference of two rows, given their values for each seed.

    Common seeds are paired; without two of them the rows are independent samples (Welch). Without
    two seeds in each, the answer is None.
    """
    pairs = (one - other).replace([np.inf, -np.inf], np.nan).dropna().to_numpy()
    if len(pairs) >= 2:
        error = float(pairs.std(ddof=1) / math.sqrt(len(pairs)))
        return Difference(float(pairs.mean()), error, len(pairs) - 1, len(pairs), True)
    parts = [part.replace([np.inf, -np.inf], np.nan).dropna() for part in (one, other)]
    seeds = min(map(len, parts))
    if seeds < 2:
        return None
    mean = float(parts[0].mean() - parts[1].mean())
    variances = [float(part.var(ddof=1)) / len(part) for part in parts]
    total = sum(variances)
    if total == 0:
        return Difference(mean, 0.0, 1, seeds, False)
    weights = (v**2 / (len(part) - 1) for v, part in zip(variances, parts, strict=True))
    return Difference(mean, math.sqrt(total), total**2 / sum(weights), seeds, False)
