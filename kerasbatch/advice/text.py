"""The advice as text: a table with a row for each batch size, and the conclusion in sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kerasbatch.advice.cost_model import (
    Costs,
    MeanNoise,
    fastest,
    noise_growth_note,
    seconds_to_target,
    speedup,
)
from kerasbatch.advice.measure import Memory, Speeds
from kerasbatch.advice.noise_run import NoiseTraining
from kerasbatch.advice.obstacles import untimed_neighbour
from kerasbatch.text import significant

COLUMNS = (
    *("batch_size", "peak_memory_mb", "steps_per_second", "plain_steps_per_second"),
    *("relative_seconds", "relative_seconds_low", "relative_seconds_high", "seconds_to_target"),
    *("relative_examples", "advice"),
)
CANNOT_TELL = "cannot tell"
NEAR = 1.25
"""Sizes within this factor of the least time are named where there is no advice."""
HUGE = 1e12
"""A noise scale in the place of an infinite one."""


def advice_message(
    costs: Costs,
    noise: MeanNoise,
    speeds: Speeds,
    sizes: Sequence[int],
    rate: float | None,
    training: NoiseTraining,
) -> str:
    """Return the advice and its grounds in sentences."""
    predicted = predicted_seconds(noise, speeds, training)
    duration = f", with about {significant(predicted[costs.fastest])} s" if predicted else ""
    in_range = ", ".join(f"{size:,}" for size in costs.in_range)
    plain = fastest(noise.scale, speeds.plain)
    edge = untimed_neighbour(plain, speeds.plain, sizes)
    sentences = [
        f"Batch size {costs.fastest:,} is fastest here{duration}; within 10 % of its time: "
        f"{in_range}.",
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


def predicted_seconds(
    noise: MeanNoise, speeds: Speeds, training: NoiseTraining
) -> dict[int, float]:
    """Return the predicted seconds to the target by batch size; empty if none was reached."""
    if training.steps_to_target is None or not speeds.engine:
        return {}
    return seconds_to_target(noise, speeds.engine, training.steps_to_target, training.batch_size)


def partial_answer(costs: Costs | None, noise: MeanNoise | None, speeds: Speeds) -> str:
    """Return what can be said without an advice, as a sentence; or an empty text."""
    if costs is not None:
        near, longest = costs.spread(NEAR)
        if len(near) == 1:
            others = sorted(float(time) for time in costs.seconds)[1:2]
            ahead = f", {others[0] - 1:.0%} ahead of the next" if others else ""
            return f"By these measurements, batch size {near[0]:,} is the fastest{ahead}."
        return f"By these measurements, {near[0]:,} to {near[-1]:,} lie within {longest - 1:.0%}."
    if noise is None or len(speeds.engine) < 2:
        return ""
    high = min(noise.high, HUGE)
    first, last = (fastest(scale, speeds.engine) for scale in (max(noise.low, 0.0), high))
    return f"Whatever the noise, the fastest of these sizes lies between {first:,} and {last:,}."


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
    memory: Memory,
    speeds: Speeds,
    costs: Costs | None,
    predicted: Mapping[int, float],
    *,
    conclusive: bool,
) -> pd.DataFrame:
    """Return one row for each batch size with any measurement.

    Args:
        memory: the measured memory.
        speeds: the measured speeds.
        costs: the relative costs, or None if the noise is unknown.
        predicted: the predicted seconds to the target by batch size.
        conclusive: whether a size is advised.
    """
    sizes = sorted({*memory.peaks, *speeds.engine})
    rows = []
    for size in sizes:
        row: dict[str, Any] = dict.fromkeys(COLUMNS) | {"batch_size": size}
        row["peak_memory_mb"] = memory.peaks.get(size)
        if size in speeds.engine:
            row["steps_per_second"] = 1 / float(np.median(speeds.engine[size]))
            row["plain_steps_per_second"] = 1 / float(np.median(speeds.plain[size]))
            row["seconds_to_target"] = predicted.get(size)
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
