"""What keeps a comparison from concluding, in words, with the rows and runs concerned."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from kerasbatch.analysis.comparison.caveat import Caveat, ComparisonContext
from kerasbatch.analysis.comparison.provenance_caveats import (
    engines,
    fallback,
    mixed,
    other_specs,
    step_check,
    test_target,
)
from kerasbatch.analysis.comparison.selection import RATE, contenders
from kerasbatch.columns import TO_TARGET_COLUMNS
from kerasbatch.records.run_status import FINISHED
from kerasbatch.spec import keras_registry
from kerasbatch.text import counted

CONFIDENCE = 0.95


def find_caveats(evidence: ComparisonContext) -> list[Caveat]:
    """Return everything that keeps the comparison from concluding."""
    return [caveat for find in FINDERS for caveat in find(evidence)]


def grid_edge(evidence: ComparisonContext) -> Iterator[Caveat]:
    """The best learning rate is the least or the greatest that was tried."""
    if {RATE, "optimizer.learning_rate"} & set(evidence.question.by):
        return  # then it is compared, and not chosen
    at_edge, alone = [], []
    ended = evidence.runs["status"].isin(FINISHED)
    groups: Any = evidence.runs[ended].groupby("row")
    for row, tried in groups:
        told: Any = evidence.table.loc[row]
        rates = sorted(tried[RATE].dropna().unique())
        chosen = told.get(RATE)
        if len(rates) == 1:
            alone.append(row)
        elif rates and chosen in (rates[0], rates[-1]):
            at_edge.append(row)
    chosen_runs = evidence.chosen
    what = "the best learning rate is at the edge of its grid; a better one may lie beyond"
    yield from evidence.over("grid_edge", what, chosen_runs[chosen_runs["row"].isin(at_edge)])
    what = "only one learning rate was tried; another may suit this size better"
    yield from evidence.over("grid_edge", what, chosen_runs[chosen_runs["row"].isin(alone)])


def one_seed(evidence: ComparisonContext) -> Iterator[Caveat]:
    """One run is an anecdote."""
    single = evidence.table.index[evidence.table["seeds"] == 1]
    what = "one seed only; another may tell otherwise"
    yield from evidence.over("one_seed", what, evidence.chosen[evidence.chosen["row"].isin(single)])


def within_spread(evidence: ComparisonContext) -> Iterator[Caveat]:
    """The difference to the best row lies within the spread of seeds.

    Paired over the seeds that both have: a t interval of the differences, of logarithms where what
    it took to the target is compared.
    """
    for column, best in _judged(evidence):
        values: Any = evidence.chosen.pivot_table(index="seed", columns="row", values=column)
        if best not in values:
            continue
        if evidence.question.target is not None:
            values = np.log(values)
        others = [row for row in values.columns if row != best]
        close = [row for row in others if _may_be_equal(values[row], values[best])]
        if close:
            message = (
                f"{evidence.labels(close)}: the difference to {evidence.label(best)} in {column} "
                f"lies within the spread of seeds (paired t interval, {CONFIDENCE:.0%})"
            )
            yield evidence.against("within_spread", message, column, best, close)


def _judged(evidence: ComparisonContext) -> Iterator[tuple[str, Any]]:
    """Yield the columns that say which row was best, and that row."""
    table, question = evidence.table, evidence.question
    if question.target is not None:
        rows = contenders(table)
        for column in TO_TARGET_COLUMNS if len(rows) else ():
            yield column, rows[column].idxmin()
    elif question.judged is not None and table[question.judged].notna().any():
        lower = keras_registry.lower_is_better(question.judged.partition("_")[2])
        values = table[question.judged]
        yield question.judged, values.idxmin() if lower else values.idxmax()


def _may_be_equal(one: "pd.Series[float]", other: "pd.Series[float]") -> bool:
    """Tell whether two rows may well be equal, by their values of each seed.

    Without two common seeds, as independent samples (Welch); with one seed each, nobody knows.
    """
    known = (one - other).replace([np.inf, -np.inf], np.nan).dropna().to_numpy()
    if len(known) < 2:
        parts = [part.replace([np.inf, -np.inf], np.nan).dropna() for part in (one, other)]
        if min(map(len, parts)) < 2:
            return False
        if all(part.nunique() == 1 for part in parts):
            return bool(parts[0].iloc[0] == parts[1].iloc[0])
        return bool(stats.ttest_ind(*parts, equal_var=False).pvalue > 1 - CONFIDENCE)
    error = float(stats.sem(known))
    if error == 0:
        return bool(known.mean() == 0)
    low, high = stats.t.interval(CONFIDENCE, len(known) - 1, known.mean(), error)
    return bool(low <= 0 <= high)


def not_reached(evidence: ComparisonContext) -> Iterator[Caveat]:
    """Some seeds did not reach the target, or nobody knows whether they would have."""
    if evidence.question.target is None:
        return
    chosen = evidence.chosen
    missed = chosen[~chosen["reached"] & ~chosen["unknown"]]
    groups: Any = missed.groupby("row")
    for row, runs in groups:
        seeds = int(evidence.table["seeds"][row])
        what = f"{len(runs)} of {counted(seeds, 'seed')} did not reach the target"
        yield from evidence.over("not_reached", what, runs)
    what = "cut off, or stopped at an easier target: whether the target would be reached is unknown"
    yield from evidence.over("not_reached", what, chosen[chosen["unknown"]])


def coarse(evidence: ComparisonContext) -> Iterator[Caveat]:
    """Evaluations lie too far apart to tell two rows apart.

    The target was passed somewhere between two evaluations; where these spans of two rows overlap,
    either may have been first.
    """
    if evidence.question.target is None:
        return
    spans = evidence.chosen[evidence.chosen["reached"]].groupby("row")
    for column, best in _judged(evidence):
        name = column.removesuffix("_to_target")
        least, most = spans[f"{name}_before"].median(), spans[column].median()
        close = [row for row in most.index if row != best and least[row] < most[best]]
        if close:
            message = (
                f"{evidence.labels(close)}: evaluations are too far apart to tell the {name} from "
                f"those of {evidence.label(best)} ({least[best]:,.6g} to {most[best]:,.6g}); "
                "evaluate more often"
            )
            yield evidence.against("coarse", message, column, best, close)


def budgets(evidence: ComparisonContext) -> Iterator[Caveat]:
    """Rows had budgets of different kinds of length: neither equal examples nor equal steps."""
    if evidence.question.target is not None:
        return
    cut = evidence.chosen[~evidence.chosen["status"].isin(FINISHED)]
    yield from evidence.over("budgets", "cut off before the end of the budget", cut)
    chosen = evidence.chosen.assign(
        planned_examples=evidence.chosen["planned_steps"] * evidence.chosen["batch_size"]
    )
    spans = chosen.groupby("row")[["planned_steps", "planned_examples"]].median()
    equal_steps = spans["planned_steps"].max() <= 1.05 * spans["planned_steps"].min()
    # An epoch ends with a smaller batch, which counts here as a whole one.
    rounding = chosen.groupby("row").agg(size=("batch_size", "max"), epochs=("epochs", "max"))
    per_epoch = chosen.groupby("row")["train_examples"].max() % rounding["size"] > 0
    slack = rounding["size"] * (1 + rounding["epochs"].fillna(0) * per_epoch)
    off = spans["planned_examples"] - spans["planned_examples"].min()
    if not equal_steps and (off > slack).any():
        rows = tuple(map(int, evidence.table.index))
        message = (
            "budgets differ, in steps and in examples; compare with a target, or equal budgets"
        )
        yield Caveat("budgets", message, tuple(chosen["run"]), rows)


FINDERS: tuple[Callable[[ComparisonContext], Iterator[Caveat]], ...] = (
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
