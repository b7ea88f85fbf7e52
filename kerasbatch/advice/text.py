"""The advice as text: a table with a row for each batch size, and the conclusion in sentences."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from kerasbatch.advice.cost_model import (
    Costs,
    MeanNoise,
    fastest,
    noise_growth_note,
    speedup,
    untimed_neighbour,
)
from kerasbatch.advice.measure import Memory, Speeds
from kerasbatch.advice.noise_run import NoiseTraining

COLUMNS = (
    *("batch_size", "peak_memory_mb", "steps_per_second", "plain_steps_per_second"),
    *("relative_seconds", "relative_seconds_low", "relative_seconds_high", "relative_examples"),
    "advice",
)
CANNOT_TELL = "cannot tell"


def advice_message(
    costs: Costs,
    noise: MeanNoise,
    speeds: Speeds,
    sizes: Sequence[int],
    rate: float | None,
    training: NoiseTraining,
) -> str:
    """Return the advice and its grounds in sentences."""
    in_range = ", ".join(f"{size:,}" for size in costs.in_range)
    plain = fastest(noise.scale, speeds.plain)
    edge = untimed_neighbour(plain, speeds.plain, sizes)
    sentences = [
        f"Batch size {costs.fastest:,} is fastest here; within 10 % of its time: {in_range}.",
        f"The largest that needs hardly more examples than the fewest is {costs.thrifty:,}.",
        f"The noise scale is {noise.scale:,.0f} examples ({noise.low:,.0f} to {noise.high:,.0f}), "
        f"the mean over a training of {training.rows[-1].step:,} steps at batch size "
        f"{training.batch_size:,}; it is a proxy, right to an order of magnitude.",
        f"With plain fit, where every step costs nearly the same, {plain:,} would be fastest"
        f"{', or more: ' + format(edge, ',') + ' was not tried' if edge else ''}.",
        f"A learning rate to start from: {rate:.3g}; tune it."
        if rate is not None
        else "No rule is known for this optimizer's learning rate; tune it.",
        noise_growth_note(noise, speeds.engine),
        _bfloat16_note(noise, speeds),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _bfloat16_note(noise: MeanNoise, speeds: Speeds) -> str:
    """Return a note on the speedup by mixed_bfloat16, or an empty text if it was not timed."""
    if not speeds.half:
        return ""
    best, factor = speedup(noise.scale, speeds.engine, speeds.half)
    worth = f"{factor:.2g} times as fast" if factor > 1 else "no faster"
    return (
        f"An option: with precision: mixed_bfloat16, which computes with 3 digits, {best:,} "
        f"would be fastest, and {worth}."
    )


def bfloat16_table(speeds: Speeds) -> pd.DataFrame:
    """Return steps per second in mixed_bfloat16 by batch size, and as a ratio to float32."""
    rows = [
        {
            "batch_size": size,
            "bfloat16_steps_per_second": 1 / float(np.median(speeds.half[size])),
            "ratio": float(np.median(np.divide(speeds.engine[size], speeds.half[size]))),
        }
        for size in sorted(speeds.half)
    ]
    return pd.DataFrame(rows)


def advice_table(
    memory: Memory, speeds: Speeds, costs: Costs | None, *, conclusive: bool
) -> pd.DataFrame:
    """Return one row for each batch size with any measurement."""
    sizes = sorted({*memory.peaks, *speeds.engine})
    rows = []
    for size in sizes:
        row: dict[str, Any] = dict.fromkeys(COLUMNS) | {"batch_size": size}
        row["peak_memory_mb"] = memory.peaks.get(size)
        if size in speeds.engine:
            row["steps_per_second"] = 1 / float(np.median(speeds.engine[size]))
            row["plain_steps_per_second"] = 1 / float(np.median(speeds.plain[size]))
            row |= _cost_columns(costs, size, conclusive=conclusive)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _cost_columns(costs: Costs | None, size: int, *, conclusive: bool) -> dict[str, Any]:
    if costs is None:
        return {"advice": CANNOT_TELL}
    index = int((costs.sizes == size).argmax())
    names = ("relative_seconds", "relative_seconds_low", "relative_seconds_high")
    values = (costs.seconds[index], costs.low[index], costs.high[index])
    row: dict[str, Any] = dict(zip(names, map(float, values), strict=True))
    row["relative_examples"] = float(costs.examples[index])
    if not conclusive:
        return row | {"advice": CANNOT_TELL}
    in_range = "in range" if size in costs.in_range else ""
    return row | {"advice": "advised" if size == costs.fastest else in_range}
