"""The last and the best values of a history."""

from collections.abc import Sequence

from kerasbatch.columns import HISTORY_COLUMNS
from kerasbatch.spec import keras_registry
from kerasbatch.types import Row


def last_and_best(rows: Sequence[Row], prefix: str) -> dict[str, float]:
    """Return the last value of every metric, and the best of those at fixed weights.

    The row of the untrained model does not count.

    Args:
        rows: the rows of history.csv.
        prefix: the prefix of metrics at fixed weights.
    """
    trained = [row for row in rows if row["step"] > 0]
    last = {k: v for k, v in trained[-1].items() if k not in HISTORY_COLUMNS} if trained else {}
    best = {}
    for name in [key for key in last if key.startswith(prefix)]:
        values = [row[name] for row in trained if name in row and row[name] == row[name]]
        better = keras_registry.better_direction(name)
        if values and better is not None:  # nan is never best; of own metrics, nobody knows it
            best[f"best_{name}"] = min(values) if better == "lower" else max(values)
    return last | best
