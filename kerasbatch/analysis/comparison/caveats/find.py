"""The reasons not to draw a conclusion from a comparison, with the rows and runs concerned."""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from kerasbatch.analysis.comparison.best import best_rows
from kerasbatch.analysis.comparison.caveats.caveat import Caveat, ComparisonContext
from kerasbatch.analysis.comparison.caveats.missing_runs import missing_runs
from kerasbatch.analysis.comparison.caveats.nothing_learned import nothing_learned
from kerasbatch.analysis.comparison.caveats.provenance import (
    engines,
    fallback,
    mixed,
    other_specs,
    step_check,
    test_target,
)
from kerasbatch.analysis.comparison.caveats.rate_edges import grid_edge
from kerasbatch.analysis.comparison.caveats.schedules import schedule
from kerasbatch.analysis.comparison.caveats.search_edge import search_edge
from kerasbatch.analysis.comparison.caveats.seed_spread import one_seed, within_spread
from kerasbatch.records.run_status import FINISHED
from kerasbatch.text import counted


def find_caveats(context: ComparisonContext) -> list[Caveat]:
    """Return all reasons not to draw a conclusion from the comparison."""
    return [caveat for find in FINDERS for caveat in find(context)]


def not_reached(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield caveats if seeds did not reach the target, or it is unknown whether they would."""
    if context.question.target is None:
        return
    chosen = context.chosen
    missed = chosen[~chosen["reached"] & ~chosen["unknown"]]
    counts = missed.groupby("row").size()
    seeds = context.table["seeds"].loc[counts.index]
    shares: Any = pd.DataFrame({"missed": counts, "seeds": seeds}).groupby(["missed", "seeds"])
    for (number, total), rows in shares:
        message = f"{number} of {counted(total, 'seed')} did not reach the target"
        runs = missed[missed["row"].isin(rows.index)]
        yield from context.caveats_for("not_reached", message, runs)
    unknown = chosen[chosen["unknown"]]
    is_limited = unknown["run"].map(
        lambda run: bool((context.records[run].get("cap") or {}).get("is_limit"))
    )
    reasons = {
        "cut off by the automatic budget": unknown[is_limited.astype(bool)],
        "cut off, or stopped at an easier target": unknown[~is_limited.astype(bool)],
    }
    for reason, runs in reasons.items():
        message = f"{reason}: whether the target would be reached is unknown"
        yield from context.caveats_for("not_reached", message, runs)


def coarse(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield caveats if evaluations are too far apart to rank two rows.

    A run passes the target somewhere between two evaluations. If these intervals of two rows
    overlap, either may have been first.
    """
    if context.question.target is None:
        return
    spans = context.chosen[context.chosen["reached"]].groupby("row")
    for name, found in best_rows(context.table, context.chosen, context.question):
        column, best = found.column, found.row
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
    search_edge,
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
