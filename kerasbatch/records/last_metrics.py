"""The last and the best values of a history."""

from collections.abc import Sequence

from kerasbatch.columns import HISTORY_COLUMNS
from kerasbatch.spec import keras_registry
from kerasbatch.spec.keras_registry import Direction
from kerasbatch.spec.section_schema import Target
from kerasbatch.types import Row


def last_and_best(rows: Sequence[Row], prefix: str, target: Target | None) -> dict[str, float]:
    """Return the last value of every metric, and the best of those at fixed weights.

    The row of the untrained model does not count.

    Args:
        rows: the rows of history.csv.
        prefix: the prefix of metrics at fixed weights.
        target: the target of the run, which says the direction of a metric of own code; or None.
    """
    trained = [row for row in rows if row["step"] > 0]
    last = {k: v for k, v in trained[-1].items() if k not in HISTORY_COLUMNS} if trained else {}
    best = {}
    for name in [key for key in last if key.startswith(prefix)]:
        values = [row[name] for row in trained if name in row and row[name] == row[name]]
        better = _direction(name, target)
        if values and better is not None:  # nan is never best
            best[f"best_{name}"] = min(values) if better == "lower" else max(values)
    return last | best


def _direction(name: str, target: Target | None) -> Direction | None:
    """Return the direction in which a metric improves; None if nobody says it of own code."""
    of_keras = keras_registry.better_direction(name)
    if of_keras is not None or target is None or target.metric != name:
        return of_keras
    return "lower" if target.lower_is_better else "higher"
