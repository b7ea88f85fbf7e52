"""The answer of a comparison in a sentence."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kerasbatch.analysis.comparison.best import Best
from kerasbatch.analysis.comparison.text.labels import (
    capitalize,
    join,
    key_names,
    row_label,
    row_labels,
    row_values,
)
from kerasbatch.spec import keras_registry
from kerasbatch.text import counted, significant

if TYPE_CHECKING:
    from kerasbatch.analysis.comparison.result import Comparison

BEST = {"steps": "the fewest steps", "examples": "the fewest examples", "seconds": "the least time"}
UNITS = {"steps": "steps", "examples": "examples", "seconds": "of training"}
ALONE = "there is no other to compare it with"


def answer_sentence(comparison: "Comparison") -> str:
    """Return the answer of the comparison in a sentence, without its caveats."""
    question, table = comparison.question, comparison.table
    if question.target is None:
        return _without_target(comparison)
    if not comparison.ranking:
        return _not_reached(comparison)
    if len(table) == 1:
        cells = dict(table.iloc[0])
        costs = join([f"{_cost(name, cells)} {UNITS[name]}" for name in comparison.ranking])
        label = capitalize(row_label(table, question, table.index[0]))
        return f"{label} reached {question.target} after {costs}; {ALONE}."
    by_row: dict[str, list[str]] = {}
    winners: set[Any] = set()
    for name, best in comparison.ranking.items():
        winners |= set(best.winners)
        cost = f"{BEST[name]} ({_cost(name, dict(table.loc[best.row]))}{_doubt(comparison, best)})"
        by_row.setdefault(row_labels(table, question, best.winners), []).append(cost)
    answer = join([f"{label} {join(costs)}" for label, costs in by_row.items()])
    first = next(iter(by_row))
    seeds = _seeds_clause(comparison, sorted(winners))
    return f"To reach {question.target}, {first} took{answer.removeprefix(first)}{seeds}."


def _without_target(comparison: "Comparison") -> str:
    question, table = comparison.question, comparison.table
    judged = question.judged
    if judged is None or judged not in table or table[judged].notna().sum() == 0:
        some_finished = table["runs"].sum() > len(comparison.unfinished)
        what = "come to an evaluation" if some_finished else "finished"
        return f"No run has {what}, so nothing can be concluded."
    if not comparison.ranking:
        return f"No run has learned anything: {judged} is at chance level everywhere."
    best = comparison.ranking[judged]
    value = f"{judged} of {significant(table.loc[best.row, judged])}"
    labels = capitalize(row_labels(table, question, best.winners))
    if len(table) == 1:
        return f"{labels} ended at a {value}; {ALONE}."
    extreme = "lowest" if keras_registry.lower_is_better(judged) else "highest"
    if doubt := _doubt(comparison, best):
        value = f"{value} ({doubt.removeprefix('; ')})"
    return f"{labels} ended at the {extreme} {value}{_seeds_clause(comparison, best.winners)}."


def _not_reached(comparison: "Comparison") -> str:
    """Return the answer if no row reached the target: the nearest row, and the unknown rows."""
    question, table = comparison.question, comparison.table
    target, unknown = question.target, int((table["unknown"] > 0).sum())
    has = "has reached" if unknown else "reached"
    answer = f"No {key_names(question)} {has} {target}"
    if target is not None and target.metric in table and table[target.metric].notna().any():
        values = table[target.metric]
        nearest = values.min() if target.lower_is_better else values.max()
        rows = row_labels(table, question, values.index[values == nearest])
        answer += f"; {rows} came nearest, with {significant(nearest)} at its end"
    if unknown:
        answer += f"; whether {counted(unknown, 'row')} would reach it is unknown"
    return f"{answer}."


def _doubt(comparison: "Comparison", best: Best) -> str:
    """Return a clause about the rows that caveats do not distinguish from the best."""
    if not best.close:
        return ""
    values = [row_values(comparison.table, comparison.question, row) for row in best.close]
    return f"; {join(values)} may be as good"


def _seeds_clause(comparison: "Comparison", rows: Sequence[Any]) -> str:
    """Return a clause about the number of seeds behind the values of some rows."""
    column = "seeds" if comparison.question.target is None else "reached"
    seeds = sorted({int(comparison.table.loc[row, column]) for row in rows})
    if seeds == [1]:
        return ", with one seed each" if len(rows) > 1 else ", with one seed"
    number = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
    return f", in the median of {number} seeds"


def _cost(name: str, cells: Mapping[Any, Any]) -> str:
    value = float(cells[f"{name}_to_target"])
    return f"{significant(value)} s" if name == "seconds" else f"{value:,.0f}"
