"""Advice for people: a table with a row for each batch size, and the conclusion in sentences."""

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
    found: Costs,
    noise: MeanNoise,
    speeds: Speeds,
    sizes: Sequence[int],
    rate: float | None,
    training: NoiseTraining,
) -> str:
    """Say what to do, and what it rests on."""
    in_range = ", ".join(f"{size:,}" for size in found.in_range)
    plain = fastest(noise.scale, speeds.plain)
    edge = untimed_neighbour(plain, speeds.plain, sizes)
    told = [
        f"Batch size {found.fastest:,} is fastest here; within 10 % of its time: {in_range}.",
        f"The largest that needs hardly more examples than the fewest is {found.thrifty:,}.",
        f"The noise scale is {noise.scale:,.0f} examples ({noise.low:,.0f} to {noise.high:,.0f}), "
        f"the mean over a training of {training.rows[-1].step:,} steps at batch size "
        f"{training.batch_size:,}; it is a proxy, right to an order of magnitude.",
        f"With plain fit, where every step costs nearly the same, {plain:,} would be fastest"
        f"{', or more: ' + format(edge, ',') + ' was not tried' if edge else ''}.",
        f"A learning rate to start from: {rate:.3g}; tune it."
        if rate is not None
        else "No rule is known for this optimizer's learning rate; tune it.",
        noise_growth_note(noise, speeds.engine),
        _option(noise, speeds),
    ]
    return " ".join(part for part in told if part)


def _option(noise: MeanNoise, speeds: Speeds) -> str:
    """Say what mixed_bfloat16 would be worth, where it was timed: an option, chosen by nobody."""
    if not speeds.half:
        return ""
    best, times = speedup(noise.scale, speeds.engine, speeds.half)
    worth = f"{times:.2g} times as fast" if times > 1 else "no faster"
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
    memory: Memory, speeds: Speeds, found: Costs | None, *, told: bool
) -> pd.DataFrame:
    """Return one row for each batch size that anything is known of."""
    sizes = sorted({*memory.peaks, *speeds.engine})
    rows = []
    for size in sizes:
        row: dict[str, Any] = dict.fromkeys(COLUMNS) | {"batch_size": size}
        row["peak_memory_mb"] = memory.peaks.get(size)
        if size in speeds.engine:
            row["steps_per_second"] = 1 / float(np.median(speeds.engine[size]))
            row["plain_steps_per_second"] = 1 / float(np.median(speeds.plain[size]))
            row |= _relative(found, size, told=told)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _relative(found: Costs | None, size: int, *, told: bool) -> dict[str, Any]:
    if found is None:
        return {"advice": CANNOT_TELL}
    at = int((found.sizes == size).argmax())
    names = ("relative_seconds", "relative_seconds_low", "relative_seconds_high")
    values = (found.seconds[at], found.low[at], found.high[at])
    row: dict[str, Any] = dict(zip(names, map(float, values), strict=True))
    row["relative_examples"] = float(found.examples[at])
    if not told:
        return row | {"advice": CANNOT_TELL}
    in_range = "in range" if size in found.in_range else ""
    return row | {"advice": "advised" if size == found.fastest else in_range}
