"""Windows of a series in time: what the model sees, and the value that it predicts."""

from dataclasses import dataclass

import numpy as np

from kerasbatch.types import Array


@dataclass(frozen=True)
class Window:
    """The windows of a series.

    Args:
        size: the rows that the model sees.
        horizon: the distance in rows from the last of them to the row of the target.
        time: the column of time.
    """

    size: int
    horizon: int
    time: str

    def count(self, rows: int) -> int:
        """Return the number of windows with a target in so many rows; less than 1 for none."""
        return rows - self.size - self.horizon + 1

    def x(self, rows: Array) -> Array:
        """Return the windows that have a target.

        Args:
            rows: the rows in the order of time, shape (rows, columns).

        Returns:
            An array of shape (windows, size, columns).
        """
        return self.all_x(rows)[: self.count(len(rows))]

    def all_x(self, rows: Array) -> Array:
        """Return all windows, with those whose target is still unknown."""
        view = np.lib.stride_tricks.sliding_window_view(rows, self.size, axis=0)
        return np.ascontiguousarray(np.moveaxis(view, -1, 1))

    def y(self, targets: Array) -> Array:
        """Return the targets of the windows, shape (windows, ...).

        Args:
            targets: the target of each row, shape (rows, ...).
        """
        return targets[self.size + self.horizon - 1 :]
