"""The largest number of steps in the next block."""

import math
from collections.abc import Iterator

from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.sources.source import StepSource


class BlockLimits:
    """The limits of a block: its source, the next cut, late compilation, and its duration.

    Args:
        source: the source of the steps.
        cuts: the steps of the run at which a block must end, ascending.
        xla_after: the number of steps without XLA before it compiles.
        settings: the thresholds of the engine.

    Attributes:
        seconds_per_step: the shortest time of a step so far, or None.
    """

    def __init__(
        self, source: StepSource, cuts: Iterator[int], xla_after: int, settings: EngineSettings
    ) -> None:
        self._source, self._cuts, self._xla_after = source, cuts, xla_after
        self._cut = next(cuts, None)
        self._block_seconds = settings.block_seconds
        self.seconds_per_step: float | None = None

    def measured(self, seconds_per_step: float) -> None:
        """Record the time of a step; the shortest one counts."""
        self.seconds_per_step = min(seconds_per_step, self.seconds_per_step or math.inf)

    def max_steps(self, taken: int, taken_here: int) -> int:
        """Return the largest number of steps for the next block.

        Args:
            taken: the steps of the run so far.
            taken_here: those of this training.
        """
        limits = [self._source.max_steps]
        if (cut := self.next_cut(taken)) is not None:
            limits.append(cut - taken)
        if taken_here < self._xla_after:
            limits.append(self._xla_after - taken_here)
        if self.seconds_per_step is None:
            limits.append(max(1, self._source.max_steps // 64))  # the time of a step is unknown
        else:
            limits.append(max(1, int(self._block_seconds / self.seconds_per_step)))
        return min(limits)

    def next_cut(self, taken: int) -> int | None:
        """Return the next step at which a block must end, or None.

        Args:
            taken: the steps of the run so far.
        """
        while self._cut is not None and self._cut <= taken:
            self._cut = next(self._cuts, None)
        return self._cut
