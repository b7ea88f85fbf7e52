"""A comparison for people: the columns that are shown, their cells, the answer in a sentence."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.spec import keras_registry
from kerasbatch.text import counted, format_number

if TYPE_CHECKING:
    from kerasbatch.analysis.comparison.compare import Comparison
    from kerasbatch.analysis.comparison.critical_batch_size import Fit, NoFit

COUNTS = ("runs", "seeds", "reached", "unknown", "steps_to_target", "examples_to_target")
LEFT_OUT = ("peak_memory_mb", "examples_per_second", "unknown")
"""Columns of the CSV that few ask for; `unknown` is shown where it says something."""


def shown_columns(found: "Comparison") -> Iterator[str]:
    """Yield the columns that are worth showing; ranges stand in the cells of their medians."""
    target, table = found.question.target, found.table
    for name in map(str, table.columns):
        about_target = name.endswith("_to_target") or name in ("reached", "unknown")
        if about_target and target is None:
            continue
        if name.endswith(("_low", "_high")):
            continue
        if name in LEFT_OUT and not (name == "unknown" and table[name].any()):
            continue
        yield name


def heading(name: str) -> str:
    """Return the head of a column."""
    return name.replace("_to_target", "").replace("steps_per_second", "steps/s")


def cell(name: str, row: Mapping[Any, Any]) -> str:
    """Return a cell; of a metric its median, and its range over seeds."""
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
        low, high = (format_number(row[f"{name}_{end}"]) for end in ("low", "high"))
        return f"{format_number(value)} ({low}-{high})"
    return f"{value:g}" if name.endswith("rate") else format_number(value)


def criteria(found: "Comparison") -> str:
    """Say by what rows were judged, and what was chosen for each."""
    question = found.question
    judged = f"target {question.target}" if question.target else f"judged by {question.judged}"
    chosen = f"; {', '.join(question.tuned)} chosen for each row" if question.tuned else ""
    return judged + chosen


def fit_lines(fit: "Fit | NoFit") -> Iterator[str]:
    """Yield what the curve through the steps to the target says."""
    from kerasbatch.analysis.comparison.critical_batch_size import NoFit

    if isinstance(fit, NoFit):
        yield f"no curve through the steps: {fit.reason}"
        return
    yield (
        f"S = S_min (1 + B_crit / b): S_min {fit.s_min:,.1f} steps, B_crit {fit.b_crit:,.0f} "
        f"(95 % interval {fit.low:,.0f} to {fit.high:,.0f}), residual {fit.residual:.2f} octaves"
    )
    yield from (f"  {regime}: {sizes}" for regime, sizes in _regimes(fit))
    yield f"  ({counted(len(fit.regimes), 'size')} reached the target)"


def _regimes(fit: "Fit") -> Iterator[tuple[str, str]]:
    for regime in ("perfect scaling", "diminishing returns", "maximal"):
        sizes = [f"{size:,}" for size, name in fit.regimes.items() if name == regime]
        if sizes:
            yield regime, ", ".join(sizes)


def fit_sentence(fit: "Fit | NoFit") -> str:
    """Return what the curve says, for somebody who has not heard of it."""
    from kerasbatch.analysis.comparison.critical_batch_size import NoFit

    if isinstance(fit, NoFit):
        return f"The critical batch size cannot be told: {fit.reason}."
    regimes = "; ".join(f"{regime} at {sizes}" for regime, sizes in _regimes(fit))
    return (
        f"The critical batch size is about {fit.b_crit:,.0f} (95 % interval {fit.low:,.0f} to "
        f"{fit.high:,.0f}): far below it, twice the batch takes half the steps; far above it, "
        f"hardly fewer. {_upper(regimes)}."
    )


MOST = {"steps": "the fewest steps", "examples": "the fewest examples", "seconds": "the least time"}
UNITS = {"steps": "steps", "examples": "examples", "seconds": "of training"}
ALONE = "there is no other to compare it with"


def answer_sentence(found: "Comparison") -> str:
    """Return what the comparison says, in a sentence; what else stands against it, caveats say."""
    target = found.question.target
    if target is None:
        return _without_target(found)
    if not found.best:
        return _not_reached(found)
    if len(found.table) == 1:
        row = dict(found.table.iloc[0])
        told = _listed([f"{_taken(name, row)} {UNITS[name]}" for name in found.best])
        return f"{_upper(_named(found, row))} reached {target} after {told}; {ALONE}."
    by_row: dict[str, list[str]] = {}
    winners: set[Any] = set()
    for name in found.best:
        rows = _first(found, f"{name}_to_target", lower=True)
        winners |= set(rows)
        doubt = _as_good(found, f"{name}_to_target", rows)
        praise = f"{MOST[name]} ({_taken(name, dict(found.table.loc[rows[0]]))}{doubt})"
        by_row.setdefault(_names(found, rows), []).append(praise)
    told = _listed([f"{label} {_listed(praises)}" for label, praises in by_row.items()])
    first = next(iter(by_row))
    seeds = _seeds(found, sorted(winners))
    return f"To reach {target}, {first} took{told.removeprefix(first)}{seeds}."


def _without_target(found: "Comparison") -> str:
    judged, table = found.question.judged, found.table
    if judged is None or judged not in table or table[judged].notna().sum() == 0:
        return "No run has come to an evaluation, so nothing can be concluded."
    lower = keras_registry.lower_is_better(judged.partition("_")[2])
    rows = _first(found, judged, lower=lower)
    row = dict(table.loc[rows[0]])
    ended = f"{judged} of {format_number(row[judged])}"
    if len(table) == 1:
        return f"{_upper(_named(found, row))} ended at a {ended}; {ALONE}."
    extreme, doubt = "lowest" if lower else "highest", _as_good(found, judged, rows)
    told = f"{ended} ({doubt.removeprefix('; ')})" if doubt else ended
    return f"{_upper(_names(found, rows))} ended at the {extreme} {told}{_seeds(found, rows)}."


def _not_reached(found: "Comparison") -> str:
    """Say that no row reached the target, which came nearest, and of which that is unknown."""
    target, table = found.question.target, found.table
    unknown = int((table["unknown"] > 0).sum())
    has = "has reached" if unknown else "reached"
    told = f"No {_what(found)} {has} {target}"
    if target is not None and target.metric in table and table[target.metric].notna().any():
        rows = _first(found, target.metric, lower=target.lower_is_better)
        end = format_number(table.loc[rows[0], target.metric])
        told += f"; {_names(found, rows)} came nearest, with {end} at its end"
    if unknown:
        told += f"; whether {counted(unknown, 'row')} would reach it is unknown"
    return f"{told}."


def _first(found: "Comparison", column: str, *, lower: bool) -> list[Any]:
    """Return the rows of the best value, all that have it; of a target, those that compete."""
    from kerasbatch.analysis.comparison.selection import contenders

    rows: Any = found.table
    if column.endswith("_to_target"):
        rows = contenders(rows)
    best = rows[column].min() if lower else rows[column].max()
    return [row for row in rows.index if rows.loc[row, column] == best]


def _as_good(found: "Comparison", column: str, rows: Sequence[Any]) -> str:
    """Name the rows that caveats do not tell from the best ones in a column."""
    close = {row for each in found.caveats if each.column == column for row in each.rows}
    others = [row for row in found.table.index if row in close - set(rows)]
    if not others:
        return ""
    told = [_values(found, dict(found.table.loc[row])) for row in others]
    return f"; {_listed(told)} may be as good"


def _seeds(found: "Comparison", rows: Sequence[Any]) -> str:
    """Say of how many seeds the values of some rows are medians."""
    column = "seeds" if found.question.target is None else "reached"
    seeds = sorted({int(found.table.loc[row, column]) for row in rows})
    if seeds == [1]:
        return ", with one seed each" if len(rows) > 1 else ", with one seed"
    many = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
    return f", in the median of {many} seeds"


def _taken(name: str, row: Mapping[Any, Any]) -> str:
    value = float(row[f"{name}_to_target"])
    if name == "seconds":
        return f"{value:.2f} s" if value >= 0.1 else f"{value:.2g} s"
    return f"{value:,.0f}"


def _what(found: "Comparison") -> str:
    return " and ".join(_plain(key) for key in found.question.by)


def _plain(key: str) -> str:
    return key.rpartition(".")[2].replace("_", " ")


def _names(found: "Comparison", rows: Sequence[Any]) -> str:
    return _listed([_named(found, dict(found.table.loc[row])) for row in rows])


def _named(found: "Comparison", row: Mapping[Any, Any]) -> str:
    """Return a row as a person calls it: batch size 4,096, and if not all seeds got there, so."""
    told = " with ".join(f"{_plain(key)} {cell(key, row)}" for key in found.question.by)
    some = found.question.target is not None and 0 < row["reached"] < row["seeds"]
    return f"{told} (in {row['reached']} of {row['seeds']} seeds)" if some else told


def _values(found: "Comparison", row: Mapping[Any, Any]) -> str:
    return " with ".join(cell(key, row) for key in found.question.by)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _listed(parts: Sequence[str]) -> str:
    """Join parts as a sentence does: a, b and c."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
