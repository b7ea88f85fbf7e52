"""Schedules of the learning rate that cover different shares of the budgets of two rows.

A schedule counts in steps. CosineDecay over 3,000 steps ends the training of a small batch size at
the rate 0, and leaves that of a large one near its first rate: they are no equal treatment.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from kerasbatch.analysis.comparison.caveats.caveat import Caveat, ComparisonContext

LENGTHS = ("decay_steps", "first_decay_steps", "boundaries", "warmup_steps")
"""The arguments of Keras' schedules that are numbers of steps."""
TOLERANCE = 1.05
"""Shares that differ by less are equal: an epoch is a whole number of steps."""


def schedule(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield a caveat if a schedule covers different shares of the budgets of rows."""
    groups: Any = context.chosen.groupby("row")
    shares: dict[int, dict[str, float]] = {row: _shares(context, runs) for row, runs in groups}
    for name in dict.fromkeys(name for parts in shares.values() for name in parts):
        by_row = {row: parts[name] for row, parts in shares.items() if name in parts}
        low, high = min(by_row, key=lambda r: by_row[r]), max(by_row, key=lambda r: by_row[r])
        if by_row[high] <= TOLERANCE * by_row[low]:
            continue
        ends = " and ".join(
            f"{_percent(by_row[row])} of the budget of {context.label(row)}" for row in (low, high)
        )
        rows = tuple(sorted(by_row))
        message = f"the schedule's {name} are {ends}; give each size a schedule of its own length"
        runs = context.chosen[context.chosen["row"].isin(rows)]["run"]
        yield Caveat("schedule", message, tuple(runs), rows)


def _percent(share: float) -> str:
    return f"{100 * share:,.3g} %"


def _shares(context: ComparisonContext, runs: pd.DataFrame) -> dict[str, float]:
    """Return the median share of the budget that each length of a schedule is, by its name."""
    shares: dict[str, list[float]] = {}
    for row in runs.to_dict("records"):
        spec = context.records[row["run"]].get("spec") or {}
        for name, steps in _lengths(spec, row):
            if row["planned_steps"]:
                shares.setdefault(name, []).append(steps / row["planned_steps"])
    return {name: float(pd.Series(values).median()) for name, values in shares.items()}


def _lengths(spec: Mapping[str, Any], row: Mapping[Any, Any]) -> Iterator[tuple[str, float]]:
    """Yield the lengths of a spec's schedule and warm-up in steps."""
    rate: Any = (spec.get("optimizer") or {}).get("learning_rate")
    for name in LENGTHS if isinstance(rate, dict) else ():
        length = rate.get(name)
        if isinstance(length, list):
            yield from ((f"{name} {number + 1}", steps) for number, steps in enumerate(length))
        elif length:
            yield name, length
    warmup = (spec.get("learning_rate_rule") or {}).get("warmup") or {}
    if warmup.get("steps"):
        yield "warm-up steps", warmup["steps"]
    elif warmup.get("epochs") and row["epochs"]:
        steps_per_epoch = -(-row["train_examples"] // row["batch_size"])
        yield "warm-up epochs", warmup["epochs"] * steps_per_epoch
