"""A comparison as text: the columns that are shown, their cells, the answer in a sentence."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.text import counted, significant

if TYPE_CHECKING:
    from kerasbatch.analysis.comparison.critical_batch_size import Fit, NoFit
    from kerasbatch.analysis.comparison.result import Comparison

COUNTS = ("runs", "seeds", "reached", "unknown", "steps_to_target", "examples_to_target")
MAX_UNFINISHED = 10
HIDDEN = ("peak_memory_mb", "examples_per_second", "unknown")
"""Columns of the CSV that are not shown; `unknown` is shown if a row has such seeds."""


def shown_columns(comparison: "Comparison") -> Iterator[str]:
    """Yield the columns to show; ranges are part of the cells of their medians."""
    target, table = comparison.question.target, comparison.table
    for name in map(str, table.columns):
        about_target = name.endswith("_to_target") or name in ("reached", "unknown")
        if about_target and target is None:
            continue
        if name.endswith(("_low", "_high")):
            continue
        if name in HIDDEN and not (name == "unknown" and table[name].any()):
            continue
        yield name


def heading(name: str) -> str:
    """Return the heading of a column."""
    return name.replace("_to_target", "").replace("steps_per_second", "steps/s")


def cell(name: str, row: Mapping[Any, Any]) -> str:
    """Return the text of a cell; for a metric, its median and its range over seeds."""
    value = row[name]
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if name in COUNTS or float(value).is_integer():
        return f"{value:,.0f}"
    if name == "steps_per_second":
        return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
    if f"{name}_low" in row and row["seeds"] > 1:
        low, high = (significant(row[f"{name}_{end}"]) for end in ("low", "high"))
        return f"{significant(value)} ({low}-{high})"
    return f"{value:g}" if name.endswith("rate") else significant(value)


def criteria(comparison: "Comparison") -> str:
    """Return the target or metric that decides, and the keys that were chosen for each row."""
    question = comparison.question
    judged = f"target {question.target}" if question.target else f"judged by {question.judged}"
    if question.target is None and question.judged is None:
        judged = "no metric was measured"
    chosen = f"; {', '.join(question.tuned)} chosen for each row" if question.tuned else ""
    return judged + chosen


def unfinished_lines(comparison: "Comparison") -> Iterator[str]:
    """Yield a line for every run that is not finished, up to MAX_UNFINISHED."""
    yield from comparison.unfinished[:MAX_UNFINISHED]
    if (more := len(comparison.unfinished) - MAX_UNFINISHED) > 0:
        yield f"and {counted(more, 'run')} more"


def fit_lines(fit: "Fit | NoFit") -> Iterator[str]:
    """Yield lines about the curve through the steps to the target."""
    from kerasbatch.analysis.comparison.critical_batch_size import NoFit

    if isinstance(fit, NoFit):
        yield f"no curve through the steps: {fit.reason}"
        return
    yield (
        f"S = S_min (1 + B_crit / b): S_min {fit.s_min:,.1f} steps, B_crit {fit.b_crit:,.0f} "
        f"(95 % interval: {interval_text(fit)}), residual {fit.residual:.2f} octaves, from "
        f"{counted(len(fit.regimes), 'size')}"
    )
    if fit.doubt:
        yield f"  B_crit is doubtful: {fit.doubt}"
    yield from (f"  {regime}: {sizes}" for regime, sizes in _regimes(fit))


def interval_text(fit: "Fit") -> str:
    """Return the interval of the critical batch size: 152 to 215, or at least 152."""
    if fit.high == float("inf"):
        return f"at least {fit.low:,.0f}"
    return f"{fit.low:,.0f} to {fit.high:,.0f}" if fit.low else f"at most {fit.high:,.0f}"


def _regimes(fit: "Fit") -> Iterator[tuple[str, str]]:
    for regime in ("perfect scaling", "diminishing returns", "maximal"):
        sizes = [f"{size:,}" for size, name in fit.regimes.items() if name == regime]
        if sizes:
            yield regime, ", ".join(sizes)


def fit_sentence(fit: "Fit | NoFit") -> str:
    """Return the result of the curve, for readers who do not know the method."""
    from kerasbatch.analysis.comparison.critical_batch_size import NoFit

    if isinstance(fit, NoFit):
        return f"The critical batch size is unknown: {fit.reason}."
    doubt = f"; doubtful, since {fit.doubt}" if fit.doubt else ""
    regimes = "; ".join(f"{regime} at {sizes}" for regime, sizes in _regimes(fit))
    return (
        f"The critical batch size is about {fit.b_crit:,.0f} (95 % interval: {interval_text(fit)}; "
        f"from {counted(len(fit.regimes), 'size')}{doubt}): far below it, twice the batch takes "
        f"half the steps; far above it, hardly fewer. {regimes[:1].upper()}{regimes[1:]}."
    )
