"""A comparison for people: the columns that are shown, their cells, the answer in a sentence."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kerasbatch.errors import counted
from kerasbatch.spec import keras_names

if TYPE_CHECKING:
    from kerasbatch.analysis.compare import Comparison
    from kerasbatch.analysis.critical_batch_size import Fit, NoFit

COUNTS = ("runs", "seeds", "reached", "unknown", "steps_to_target", "examples_to_target")
LEFT_OUT = ("peak_memory_mb", "examples_per_second", "unknown")
"""Columns of the CSV that few ask for; `unknown` is shown where it says something."""


def columns(found: "Comparison") -> Iterator[str]:
    """Yield the columns that are worth showing; ranges stand in the cells of their medians."""
    goal, table = found.question.goal, found.table
    for name in map(str, table.columns):
        about_target = name.endswith("_to_target") or name in ("reached", "unknown")
        if about_target and goal is None:
            continue
        if name.endswith(("_low", "_high")):
            continue
        if name in LEFT_OUT and not (name == "unknown" and table[name].any()):
            continue
        yield name


def head(name: str) -> str:
    """Return the head of a column."""
    return name.replace("_to_target", "").replace("steps_per_second", "steps/s")


def cell(name: str, row: Mapping[Any, Any]) -> str:
    """Return a cell; of a metric its median, and its range over seeds."""
    value = row[name]
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return value
    if name in COUNTS or float(value).is_integer():
        return f"{value:,.0f}"
    if name == "steps_per_second":
        return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
    if f"{name}_low" in row and row["seeds"] > 1:
        return f"{measured(value)} ({measured(row[f'{name}_low'])}-{measured(row[f'{name}_high'])})"
    return f"{value:g}" if name.endswith("rate") else measured(value)


def measured(value: object) -> str:
    """Write a measured number so that it can be read: 0.9709, 1,234.57, 2.13e+11; None is empty."""
    if value is None:
        return ""
    number = float(str(value))  # not finite ones are texts in a record
    if number != 0 and not 1e-4 <= abs(number) < 1e6:
        return f"{number:.4g}"
    return f"{number:,.4f}" if abs(number) < 1000 else f"{number:,.2f}"


def how(found: "Comparison") -> str:
    """Say by what rows were judged, and what was chosen for each."""
    question = found.question
    judged = f"target {question.goal}" if question.goal else f"judged by {question.judged}"
    return f"{judged}; {', '.join(question.tuned)} chosen for each row"


def fit_lines(fit: "Fit | NoFit") -> Iterator[str]:
    """Yield what the curve through the steps to the target says."""
    from kerasbatch.analysis.critical_batch_size import NoFit

    if isinstance(fit, NoFit):
        yield f"no curve through the steps: {fit.reason}"
        return
    yield (
        f"S = S_min (1 + B_crit / b): S_min {fit.s_min:,.1f} steps, B_crit {fit.b_crit:,.0f} "
        f"(95 % interval {fit.low:,.0f} to {fit.high:,.0f}), residual {fit.residual:.2f} octaves"
    )
    for regime in ("perfect scaling", "diminishing returns", "maximal"):
        sizes = [size for size, name in fit.regimes.items() if name == regime]
        if sizes:
            yield f"  {regime}: {', '.join(f'{size:,}' for size in sizes)}"
    yield f"  ({counted(len(fit.regimes), 'size')} reached the target)"


def answer(found: "Comparison") -> str:
    """Return what the comparison says, in a sentence; what stands against it, caveats say."""
    table, goal = found.table, found.question.goal
    if goal is None:
        return _without_target(found)
    if not found.best:
        return f"No {_what(found)} reached {goal}{_nearest(found)}."
    if len(table) == 1:
        row = dict(table.iloc[0])
        told = _listed([f"{_taken(name, row)} {UNITS[name]}" for name in found.best])
        return f"{_named(found, row).capitalize()} reached {goal} after {told}; {ALONE}."
    by_row: dict[str, list[str]] = {}
    for name, best in found.best.items():
        praise = f"{MOST[name]} ({_taken(name, best)})"
        by_row.setdefault(_named(found, best), []).append(praise)
    told = _listed([f"{label} {_listed(praises)}" for label, praises in by_row.items()])
    first = next(iter(by_row))
    return f"To reach {goal}, {first} took{told.removeprefix(first)}{_seeds(found)}."


MOST = {"steps": "the fewest steps", "examples": "the fewest examples", "seconds": "the least time"}
UNITS = {"steps": "steps", "examples": "examples", "seconds": "of training"}
ALONE = "there is no other to compare it with"


def _without_target(found: "Comparison") -> str:
    judged, table = found.question.judged, found.table
    if judged is None or table[judged].notna().sum() == 0:
        return "No run has come to an evaluation, so nothing can be concluded."
    lower = keras_names.lower_is_better(judged.partition("_")[2])
    values: Any = table[judged]
    row = dict(table.loc[values.idxmin() if lower else values.idxmax()])
    ended = f"{judged} of {measured(row[judged])}"
    if len(table) == 1:
        return f"{_named(found, row).capitalize()} ended at a {ended}; {ALONE}."
    extreme = "lowest" if lower else "highest"
    return f"{_named(found, row).capitalize()} ended at the {extreme} {ended}{_seeds(found)}."


def _nearest(found: "Comparison") -> str:
    """Return which row came nearest to a target that none reached."""
    goal: Any = found.question.goal
    values: Any = found.table[goal.metric]
    if values.notna().sum() == 0:
        return ""
    row = dict(found.table.loc[values.idxmax() if goal.at_least else values.idxmin()])
    return f"; {_named(found, row)} came nearest, with {measured(row[goal.metric])} at its end"


def _seeds(found: "Comparison") -> str:
    seeds = sorted(set(found.table["seeds"]))
    if seeds == [1]:
        return ", with one seed each"
    many = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
    return f", in the median of {many} seeds"


def _taken(name: str, row: Mapping[Any, Any]) -> str:
    value = float(row[f"{name}_to_target"])
    if name == "seconds":
        return f"{value:.2f} s" if value >= 0.1 else f"{value:.2g} s"
    return f"{value:,.0f}"


def _what(found: "Comparison") -> str:
    return " and ".join(key.replace("_", " ") for key in found.question.by)


def _named(found: "Comparison", row: Mapping[Any, Any]) -> str:
    """Return a row as a person calls it: batch size 4,096."""
    by = found.question.by
    return ", ".join(f"{key.replace('_', ' ')} {cell(key, dict(row))}" for key in by)


def _listed(parts: Sequence[str]) -> str:
    """Join parts as a sentence does: a, b and c."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
