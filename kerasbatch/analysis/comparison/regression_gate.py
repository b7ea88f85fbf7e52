"""Find regressions of a comparison against an earlier one, for CI checks.

val_accuracy<-0.01        fails where it fell by more than 0.01
val_accuracy<-2sd         by more than 2 standard deviations of the baseline over its seeds
steps_to_target>+10%      where it took over 10 % more
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from kerasbatch.analysis.comparison.result import Comparison
from kerasbatch.columns import TO_TARGET_COLUMNS
from kerasbatch.errors import Fault, SpecError
from kerasbatch.records.run_status import FINISHED
from kerasbatch.spec import keras_registry
from kerasbatch.text import show_value, suggestion

_TEXT = re.compile(r"\s*([^<>\s]+)\s*([<>])\s*([+-]\d*\.?\d+(?:[eE][+-]?\d+)?)\s*(sd|%)?\s*")


@dataclass(frozen=True)
class Limit:
    """The largest change that is allowed in a column.

    Args:
        column: the column of the comparison.
        falls: whether a fall below the change fails; otherwise a rise above it fails.
        change: the largest change that is allowed.
        unit: the unit of the change: `sd`, `%`, or empty for that of the column.
    """

    column: str
    falls: bool
    change: float
    unit: str

    def __str__(self) -> str:
        sign = "<" if self.falls else ">"
        return f"{self.column}{sign}{self.change:+g}{self.unit}"


@dataclass(frozen=True)
class Regression:
    """A row that has become worse, or is missing.

    Args:
        row: the label of the row.
        message: the description of the change.
    """

    row: str
    message: str


def parse_limit(text: str) -> Limit:
    """Read a limit.

    Raises:
        SpecError: if the text is not a limit, or it fails where its column improves.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        must = 'must be like "val_accuracy<-0.01", "val_accuracy<-2sd" or "steps_to_target>+10%"'
        raise SpecError([Fault(("--fail-if",), f"found {show_value(text)}; {must}")])
    limit = Limit(match[1], match[2] == "<", float(match[3]), match[4] or "")
    if problem := _direction_problem(limit):
        raise SpecError([Fault(("--fail-if",), problem)])
    return limit


def _direction_problem(limit: Limit) -> str | None:
    """Return the problem of a limit that fails where a column improves; or None."""
    better = _better_direction(limit.column)
    if better is None or (better == "higher") == limit.falls:
        return None
    right = replace(limit, falls=not limit.falls, change=-limit.change)
    return (
        f'{limit.column} is better when it is {better}, so "{limit}" fails where it improves; '
        f'write "{right}"'
    )


def _better_direction(column: str) -> keras_registry.Direction | None:
    """Return the direction in which a column improves, or None if it is unknown."""
    if column in TO_TARGET_COLUMNS or column in ("unknown", "peak_memory_mb"):
        return "lower"
    if column.endswith("_per_second") or column in ("runs", "seeds", "reached"):
        return "higher"
    return keras_registry.better_direction(re.sub("_(low|high)$", "", column))


def find_regressions(now: Comparison, baseline: Comparison, limit: Limit) -> list[Regression]:
    """Return the rows that have become worse than the limit allows, and the missing runs.

    Args:
        now: the comparison to check.
        baseline: the earlier comparison, with the same keys and target.
        limit: the largest change that is allowed.

    Raises:
        SpecError: if a comparison lacks the column, or a row has one seed and the unit is `sd`.
    """
    _check(now, baseline, limit)
    by = list(now.question.by)
    regressions = [*_missing_runs(now, ""), *_missing_runs(baseline, " (baseline)")]
    rows = {_key(row, by): row for row in _rows(now.table)}
    for row in _rows(baseline.table):
        name = ", ".join(f"{key} {row[key]}" for key in by)
        other = rows.get(_key(row, by))
        messages = _regression_messages(row, other, baseline, limit)
        regressions += (Regression(name, message) for message in messages)
    return regressions


def _missing_runs(comparison: Comparison, owner: str) -> Iterator[Regression]:
    for caveat in comparison.caveats:
        if caveat.code == "missing_runs":
            yield Regression(f"missing runs{owner}", caveat.message)


def _rows(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for record in table.to_dict("records"):
        yield {str(key): value for key, value in record.items()}


def _key(row: dict[str, Any], by: list[str]) -> tuple[str, ...]:
    return tuple(str(row[key]) for key in by)


def _check(now: Comparison, baseline: Comparison, limit: Limit) -> None:
    faults = []
    for owner, table in (("these runs", now.table), ("the baseline", baseline.table)):
        legal = [str(name) for name in table.select_dtypes("number").columns]
        if limit.column not in legal:
            hint = suggestion(limit.column, legal)
            message = f"{show_value(limit.column)} is not a column of {owner}{hint}"
            faults.append(Fault(("--fail-if",), message))
    if str(now.question.target) != str(baseline.question.target):
        targets = [side.question.target or "none" for side in (now, baseline)]
        message = f"the target of these runs is {targets[0]}, the baseline's is {targets[1]}"
        faults.append(Fault(("--target",), f"{message}; give one for both"))
    if not faults and baseline.table[limit.column].isna().all():
        message = f"no row of the baseline has a {limit.column} to fall behind"
        faults.append(Fault(("--fail-if",), message))
    if not faults and limit.unit == "sd":
        faults += _spread_faults(baseline, limit)
    if faults:
        raise SpecError(faults)


def _spread_faults(baseline: Comparison, limit: Limit) -> Iterator[Fault]:
    if limit.column not in baseline.chosen:
        message = f"{limit.column} has no spread over seeds; sd is for what every run has"
        yield Fault(("--fail-if",), message)
        return
    for row in _rows(baseline.table):
        if not pd.isna(row[limit.column]) and pd.isna(_unit(row, baseline, limit)):
            message = "sd needs two seeds at least in every row of the baseline, and a row has one"
            yield Fault(("--fail-if",), message)
            return


def _regression_messages(
    before: dict[str, Any], after: dict[str, Any] | None, baseline: Comparison, limit: Limit
) -> Iterator[str]:
    """Yield a message for everything worse in a row; a missing row or value is worse."""
    if after is None:
        yield "is missing"
        return
    if after["seeds"] < before["seeds"]:
        yield f"has {after['seeds']} of the baseline's {before['seeds']} seeds"
    old, new = before[limit.column], after[limit.column]
    if pd.isna(old):
        return  # the baseline has no value to compare with
    if pd.isna(new):
        yield f"{limit.column} was {old:.6g} and is not there"
        return
    fewer = after["seeds"] >= before["seeds"] and after["reached"] < before["reached"]
    if limit.column.endswith("_to_target") and fewer:
        yield f"reached the target with {after['reached']} seeds, before with {before['reached']}"
    allowed = limit.change * _unit(before, baseline, limit)
    if new - old < allowed if limit.falls else new - old > allowed:
        yield f"{limit.column} went from {old:.6g} to {new:.6g}, by {new - old:+.6g} ({limit})"


def _unit(row: dict[str, Any], baseline: Comparison, limit: Limit) -> float:
    """Return one unit of the limit, in the unit of the column."""
    if limit.unit == "%":
        return abs(float(row[limit.column])) / 100
    if limit.unit == "sd":
        runs = baseline.chosen[baseline.chosen["status"].isin(FINISHED)]
        for key in baseline.question.by:
            runs = runs[runs[key] == row[key]]
        return float(runs[limit.column].std(ddof=1))
    return 1.0
