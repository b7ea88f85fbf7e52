"""Running sums of the gradients of small batches, by group, over chunks of examples."""

from dataclasses import dataclass

import numpy as np

from kerasbatch.engine.blocks import GroupSums
from kerasbatch.engine.noise.estimate import GradientSums
from kerasbatch.errors import Fault, SpecError
from kerasbatch.types import Array


class NotFiniteError(SpecError):
    """The gradient of an example is not finite, as in a run that diverged."""


@dataclass
class GradientTotals:
    """Running sums of the gradients of small batches."""

    small_batch: int
    gradients: GroupSums
    squares: Array
    counts: Array

    @classmethod
    def empty(cls, small_batch: int, groups: int) -> "GradientTotals":
        """Return totals without any gradient."""
        return cls(small_batch, [], np.zeros(groups), np.zeros(groups, np.int32))

    def layout(self, examples: int) -> tuple[Array, Array]:
        """Divide examples into small batches, and the batches into groups.

        Args:
            examples: the number of examples.

        Returns:
            Indices of examples, shape (groups, batches, small batch), and the number of batches to
            use in each group, shape (groups,).
        """
        batches, groups = examples // self.small_batch, len(self.counts)
        parts = np.array_split(np.arange(batches), groups)
        counts = np.array([len(part) for part in parts], np.int32)
        rows = np.arange(batches * self.small_batch, dtype=np.int32).reshape(batches, -1)
        indices = np.zeros((groups, max(counts.max(), 1), self.small_batch), np.int32)
        for group, part in enumerate(parts):
            indices[group, : len(part)] = rows[part]
        return indices, counts

    def add(self, gradients: GroupSums, squares: Array, counts: Array) -> None:
        """Add the sums of a program.

        Raises:
            NotFiniteError: if a sum is not finite.
        """
        if not all(np.isfinite(part).all() for part in (squares, *gradients)):
            message = "a gradient is not finite, so its noise cannot be measured"
            raise NotFiniteError([Fault(("model",), message)])
        if not self.gradients:
            self.gradients = [part.copy() for part in gradients]
        else:
            for total, part in zip(self.gradients, gradients, strict=True):
                total += part
        self.squares, self.counts = self.squares + squares, self.counts + counts

    def sums(self) -> GradientSums:
        """Return the input of an estimate, in double precision."""
        groups = len(self.counts)
        norms, dots = np.zeros(groups), np.zeros(groups)
        for part in self.gradients:
            rows = part.reshape(groups, -1).astype(np.float64)
            norms += (rows**2).sum(axis=1)
            dots += rows @ rows.sum(axis=0)
        return GradientSums(norms, dots, self.squares, self.counts, self.small_batch)
