"""The reasons not to draw a conclusion from a comparison, with the rows and runs concerned."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from kerasbatch.analysis.comparison.caveat import Caveat, ComparisonContext
from kerasbatch.analysis.comparison.chance import nothing_learned
from kerasbatch.analysis.comparison.missing_runs import missing_runs
from kerasbatch.analysis.comparison.provenance_caveats import (
    engines,
    fallback,
    mixed,
    other_specs,
    step_check,
    test_target,
)
from kerasbatch.analysis.comparison.schedules import schedule
from kerasbatch.analysis.comparison.selection import candidates, contenders
from kerasbatch.analysis.comparison.settings import RATE
from kerasbatch.columns import TO_TARGET_COLUMNS
from kerasbatch.records.run_status import FINISHED
from kerasbatch.spec import keras_registry
from kerasbatch.text import counted

CONFIDENCE = 0.95


def find_caveats(context: ComparisonContext) -> list[Caveat]:
    """Return all reasons not to draw a conclusion from the comparison."""
    return [caveat for find in FINDERS for caveat in find(context)]


def grid_edge(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield caveats if the best learning rate is the smallest or the largest that was tried."""
    if {RATE, "optimizer.learning_rate"} & set(context.question.by):
        return  # the learning rate is compared, not chosen
    at_edge, alone = [], []
    ended = context.runs["status"].isin(FINISHED)
    groups: Any = context.runs[ended].groupby("row")
    others = [key for key in context.question.tuned if key != RATE]
    for row, tried in groups:
        settings: Any = context.table.loc[row]
        tried = _with_equal_values(tried, settings, others)
        rates = sorted(tried[RATE].dropna().unique())
        chosen = settings.get(RATE)
        if len(rates) == 1:
            alone.append(row)
        elif rates and chosen in (rates[0], rates[-1]):
            at_edge.append(row)
    chosen_runs = context.chosen
    message = "the best learning rate is at the edge of its grid; a better one may lie beyond"
    yield from context.caveats_for(
        "grid_edge", message, chosen_runs[chosen_runs["row"].isin(at_edge)]
    )
    message = "only one learning rate was tried; another may suit this size better"
    yield from context.caveats_for(
        "grid_edge", message, chosen_runs[chosen_runs["row"].isin(alone)]
    )


def _with_equal_values(runs: pd.DataFrame, settings: Any, keys: list[str]) -> pd.DataFrame:
    """Return the runs with the same values of some keys; a missing value equals another."""
    for key in keys:
        value = settings[key]
        runs = runs[runs[key].isna() if pd.isna(value) else runs[key] == value]
    return runs


def one_seed(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield a caveat for rows with a single seed."""
    single = context.table.index[context.table["seeds"] == 1]
    message = "one seed only; another may tell otherwise"
    yield from context.caveats_for(
        "one_seed", message, context.chosen[context.chosen["row"].isin(single)]
    )


def within_spread(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield caveats if the difference to the best row lies within the spread of seeds.

    Pairs the seeds that both rows have, and takes a t interval of the differences; of logarithms
    where the cost of the target is compared.
    """
    for column, best in _best_by_column(context):
        values: Any = context.chosen.pivot_table(index="seed", columns="row", values=column)
        if best not in values:
            continue
        if context.question.target is not None:
            values = np.log(values)
        others = [row for row in values.columns if row != best]
        close = [row for row in others if _may_be_equal(values[row], values[best])]
        if close:
            message = (
                f"{context.labels(close)}: the difference to {context.label(best)} in {column} "
                f"lies within the spread of seeds (paired t interval, {CONFIDENCE:.0%})"
            )
            yield context.close_to_best("within_spread", message, column, best, close)


def _best_by_column(context: ComparisonContext) -> Iterator[tuple[str, Any]]:
    """Yield the columns that decide the best row, each with that row."""
    table, question = context.table, context.question
    if question.target is not None:
        rows = contenders(table)
        for column in TO_TARGET_COLUMNS if len(rows) else ():
            yield column, rows[column].idxmin()
    elif question.judged is not None and table[question.judged].notna().any():
        lower = keras_registry.lower_is_better(question.judged)
        values = candidates(table, context.chosen, question)[question.judged].dropna()
        if values.empty:
            return
        yield question.judged, values.idxmin() if lower else values.idxmax()


def _may_be_equal(one: "pd.Series[float]", other: "pd.Series[float]") -> bool:
    """Return whether two rows may be equal, given their values for each seed.

    Without two common seeds they are independent samples (Welch); without two seeds in each, the
    answer is False.
    """
    differences = (one - other).replace([np.inf, -np.inf], np.nan).dropna().to_numpy()
    if len(differences) < 2:
        parts = [part.replace([np.inf, -np.inf], np.nan).dropna() for part in (one, other)]
        if min(map(len, parts)) < 2:
            return False
        if all(part.nunique() == 1 for part in parts):
            return bool(parts[0].iloc[0] == parts[1].iloc[0])
        return bool(stats.ttest_ind(*parts, equal_var=False).pvalue > 1 - CONFIDENCE)
    error = float(stats.sem(differences))
    if error == 0:
        return bool(differences.mean() == 0)
    low, high = stats.t.interval(CONFIDENCE, len(differences) - 1, differences.mean(), error)
    return bool(low <= 0 <= high)


def not_reached(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield caveats if seeds did not reach the target, or it is unknown whether they would."""
    if context.question.target is None:
        return
    chosen = context.chosen
    missed = chosen[~chosen["reached"] & ~chosen["unknown"]]
    groups: Any = missed.groupby("row")
    for row, runs in groups:
        seeds = int(context.table["seeds"][row])
        message = f"{len(runs)} of {counted(seeds, 'seed')} did not reach the target"
        yield from context.caveats_for("not_reached", message, runs)
    message = (
        "cut off, or stopped at an easier target: whether the target would be reached is unknown"
    )
    yield from context.caveats_for("not_reached", message, chosen[chosen["unknown"]])


def coarse(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield caveats if evaluations are too far apart to rank two rows.

    A run passes the target somewhere between two evaluations. If these intervals of two rows
    overlap, either may have been first.
    """
    if context.question.target is None:
        return
    spans = context.chosen[context.chosen["reached"]].groupby("row")
    for column, best in _best_by_column(context):
        name = column.removesuffix("_to_target")
        lower, upper = spans[f"{name}_before"].median(), spans[column].median()
        close = [row for row in upper.index if row != best and lower[row] < upper[best]]
        if close:
            message = (
                f"{context.labels(close)}: evaluations are too far apart to tell the {name} from "
                f"those of {context.label(best)} ({lower[best]:,.6g} to {upper[best]:,.6g}); "
                "evaluate more often"
            )
            yield context.close_to_best("coarse", message, column, best, close)


def budgets(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield caveats if the budgets of rows are equal neither in examples nor in steps."""
    if context.question.target is not None:
        return
    cut = context.chosen[~context.chosen["status"].isin(FINISHED)]
    yield from context.caveats_for("budgets", "cut off before the end of the budget", cut)
    chosen = context.chosen.assign(
        planned_examples=context.chosen["planned_steps"] * context.chosen["batch_size"]
    )
    spans = chosen.groupby("row")[["planned_steps", "planned_examples"]].median()
    equal_steps = spans["planned_steps"].max() <= 1.05 * spans["planned_steps"].min()
    # An epoch may end with a smaller batch, which counts here as a full one.
    rounding = chosen.groupby("row").agg(size=("batch_size", "max"), epochs=("epochs", "max"))
    per_epoch = chosen.groupby("row")["train_examples"].max() % rounding["size"] > 0
    slack = rounding["size"] * (1 + rounding["epochs"].fillna(0) * per_epoch)
    off = spans["planned_examples"] - spans["planned_examples"].min()
    if not equal_steps and (off > slack).any():
        rows = tuple(map(int, context.table.index))
        message = (
            "budgets differ, in steps and in examples; compare with a target, or equal budgets"
        )
        yield Caveat("budgets", message, tuple(chosen["run"]), rows)


FINDERS: tuple[Callable[[ComparisonContext], Iterator[Caveat]], ...] = (
    missing_runs,
    nothing_learned,
    schedule,
    grid_edge,
    one_seed,
    within_spread,
    not_reached,
    coarse,
    mixed,
    other_specs,
    fallback,
    step_check,
    test_target,
    budgets,
    engines,
)
