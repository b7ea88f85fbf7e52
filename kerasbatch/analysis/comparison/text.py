"""A comparison as text: the columns that are shown, their cells, the answer in a sentence."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.spec import keras_registry
from kerasbatch.text import counted, format_number

if TYPE_CHECKING:
    from kerasbatch.analysis.comparison.compare import Comparison
    from kerasbatch.analysis.comparison.critical_batch_size import Fit, NoFit

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
        low, high = (format_number(row[f"{name}_{end}"]) for end in ("low", "high"))
        return f"{format_number(value)} ({low}-{high})"
    return f"{value:g}" if name.endswith("rate") else format_number(value)


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
        f"half the steps; far above it, hardly fewer. {_capitalize(regimes)}."
    )


BEST = {"steps": "the fewest steps", "examples": "the fewest examples", "seconds": "the least time"}
UNITS = {"steps": "steps", "examples": "examples", "seconds": "of training"}
ALONE = "there is no other to compare it with"


def answer_sentence(comparison: "Comparison") -> str:
    """Return the answer of the comparison in a sentence, without its caveats."""
    target = comparison.question.target
    if target is None:
        return _without_target(comparison)
    if not comparison.best:
        return _not_reached(comparison)
    if len(comparison.table) == 1:
        row = dict(comparison.table.iloc[0])
        costs = _join([f"{_cost(name, row)} {UNITS[name]}" for name in comparison.best])
        return (
            f"{_capitalize(_row_label(comparison, row))} reached {target} after {costs}; {ALONE}."
        )
    by_row: dict[str, list[str]] = {}
    winners: set[Any] = set()
    for name in comparison.best:
        rows = _best_rows(comparison, f"{name}_to_target", lower=True)
        winners |= set(rows)
        doubt = _ties_clause(comparison, f"{name}_to_target", rows)
        cost = f"{BEST[name]} ({_cost(name, dict(comparison.table.loc[rows[0]]))}{doubt})"
        by_row.setdefault(_row_labels(comparison, rows), []).append(cost)
    answer = _join([f"{label} {_join(costs)}" for label, costs in by_row.items()])
    first = next(iter(by_row))
    seeds = _seeds_clause(comparison, sorted(winners))
    return f"To reach {target}, {first} took{answer.removeprefix(first)}{seeds}."


def _without_target(comparison: "Comparison") -> str:
    judged, table = comparison.question.judged, comparison.table
    if judged is None or judged not in table or table[judged].notna().sum() == 0:
        some_finished = table["runs"].sum() > len(comparison.unfinished)
        what = "come to an evaluation" if some_finished else "finished"
        return f"No run has {what}, so nothing can be concluded."
    lower = keras_registry.lower_is_better(judged)
    rows = _best_rows(comparison, judged, lower=lower)
    if not rows:
        return f"No run has learned anything: {judged} is at chance level everywhere."
    row = dict(table.loc[rows[0]])
    value = f"{judged} of {format_number(row[judged])}"
    if len(table) == 1:
        return f"{_capitalize(_row_label(comparison, row))} ended at a {value}; {ALONE}."
    extreme, doubt = "lowest" if lower else "highest", _ties_clause(comparison, judged, rows)
    if doubt:
        value = f"{value} ({doubt.removeprefix('; ')})"
    labels, seeds = _capitalize(_row_labels(comparison, rows)), _seeds_clause(comparison, rows)
    return f"{labels} ended at the {extreme} {value}{seeds}."


def _not_reached(comparison: "Comparison") -> str:
    """Return the answer if no row reached the target: the nearest row, and the unknown rows."""
    target, table = comparison.question.target, comparison.table
    unknown = int((table["unknown"] > 0).sum())
    has = "has reached" if unknown else "reached"
    answer = f"No {_key_names(comparison)} {has} {target}"
    if target is not None and target.metric in table and table[target.metric].notna().any():
        rows = _best_rows(comparison, target.metric, lower=target.lower_is_better)
        end = format_number(table.loc[rows[0], target.metric])
        answer += f"; {_row_labels(comparison, rows)} came nearest, with {end} at its end"
    if unknown:
        answer += f"; whether {counted(unknown, 'row')} would reach it is unknown"
    return f"{answer}."


def _best_rows(comparison: "Comparison", column: str, *, lower: bool) -> list[Any]:
    """Return all rows with the best value, among those that reached the target or learned."""
    from kerasbatch.analysis.comparison.selection import candidates

    rows: Any = comparison.table
    if column.endswith("_to_target") or column == comparison.question.judged:
        rows = candidates(rows, comparison.chosen, comparison.question)
    best = rows[column].min() if lower else rows[column].max()
    return [row for row in rows.index if rows.loc[row, column] == best]


def _ties_clause(comparison: "Comparison", column: str, rows: Sequence[Any]) -> str:
    """Return a clause about the rows that caveats do not distinguish from the best in a column."""
    close = {row for caveat in comparison.caveats if caveat.column == column for row in caveat.rows}
    others = [row for row in comparison.table.index if row in close - set(rows)]
    if not others:
        return ""
    labels = [_row_values(comparison, dict(comparison.table.loc[row])) for row in others]
    return f"; {_join(labels)} may be as good"


def _seeds_clause(comparison: "Comparison", rows: Sequence[Any]) -> str:
    """Return a clause about the number of seeds behind the values of some rows."""
    column = "seeds" if comparison.question.target is None else "reached"
    seeds = sorted({int(comparison.table.loc[row, column]) for row in rows})
    if seeds == [1]:
        return ", with one seed each" if len(rows) > 1 else ", with one seed"
    number = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
    return f", in the median of {number} seeds"


def _cost(name: str, row: Mapping[Any, Any]) -> str:
    value = float(row[f"{name}_to_target"])
    if name == "seconds":
        return f"{value:.2f} s" if value >= 0.1 else f"{value:.2g} s"
    return f"{value:,.0f}"


def _key_names(comparison: "Comparison") -> str:
    return " and ".join(_key_name(key) for key in comparison.question.by)


def _key_name(key: str) -> str:
    return key.rpartition(".")[2].replace("_", " ")


def _row_labels(comparison: "Comparison", rows: Sequence[Any]) -> str:
    return _join([_row_label(comparison, dict(comparison.table.loc[row])) for row in rows])


def _row_label(comparison: "Comparison", row: Mapping[Any, Any]) -> str:
    """Return the label of a row: batch size 4,096, with the share of seeds if not all reached."""
    label = " with ".join(f"{_key_name(key)} {cell(key, row)}" for key in comparison.question.by)
    partial = comparison.question.target is not None and 0 < row["reached"] < row["seeds"]
    return f"{label} (in {row['reached']} of {row['seeds']} seeds)" if partial else label


def _row_values(comparison: "Comparison", row: Mapping[Any, Any]) -> str:
    return " with ".join(cell(key, row) for key in comparison.question.by)


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]


def _join(parts: Sequence[str]) -> str:
    """Return the parts as a list in a sentence: a, b and c."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
