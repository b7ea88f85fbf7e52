"""Data as they come, divided into parts: to train on, for validation, for the test at the end."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kerasbatch.errors import SpecError, shortened
from kerasbatch.shared_types import Array
from kerasbatch.spec.keys import AnyValidation, Spec
from kerasbatch.workload.raw import Raw
from kerasbatch.workload.split import Positions, split


@dataclass(frozen=True)
class Divided:
    """Data as they come, divided into parts.

    Args:
        raw: the whole.
        labels: the labels of the classes where they were text.
        x: the examples to train on.
        y: their targets.
        weight: their weights, or None.
        held: the positions of those that were held back for validation.
    """

    raw: Raw
    labels: tuple[str, ...] | None
    x: Array
    y: Array
    weight: Array | None
    held: Positions

    def validation(self, given: AnyValidation | None) -> tuple[Array | None, Array | None]:
        """Return the part for validation."""
        arrays = self.raw.arrays
        if len(self.held):
            return arrays.x[self.held], arrays.y[self.held]
        if given == "none":
            return None, None
        if arrays.x_val is not None:
            return arrays.x_val, arrays.y_val
        return arrays.x_test, arrays.y_test

    def test(self) -> tuple[Array | None, Array | None]:
        """Return the part for the test at the end, where validation is another one."""
        arrays = self.raw.arrays
        if len(self.held) or arrays.x_val is not None:
            return arrays.x_test, arrays.y_test
        return None, None

    @property
    def notice(self) -> str | None:
        """What a person must know."""
        told = [self.raw.notice, _one_class(self.y if self.raw.classes else None)]
        return "; ".join(text for text in told if text) or None


def divided(spec: Spec, raw: Raw, labels: tuple[str, ...] | None) -> Divided:
    """Divide the examples of a data set, as a spec says.

    Args:
        spec: a single-run spec.
        raw: the data, their labels encoded.
        labels: the labels of the classes where they were text.

    Raises:
        SpecError: if the sizes do not fit each other, or a single column is constant.
    """
    arrays, total = raw.arrays, len(raw.arrays.x)
    classes = arrays.y if raw.classes else None
    has_own = arrays.x_val is not None
    parts = split(spec.data, spec.validation, total, arrays.x_test is not None, classes, has_own)
    whole = len(parts.train) == total
    x, y = (part if whole else part[parts.train] for part in (arrays.x, arrays.y))
    weight = arrays.weight if arrays.weight is None else arrays.weight[parts.train]
    if raw.is_table:
        _refuse_constant(x, arrays.columns)
    return Divided(raw, labels, x, y, weight, parts.held)


def _refuse_constant(x: Array, columns: Sequence[str] | None) -> None:
    """Refuse a table whose only column is the same for all examples.

    Raises:
        SpecError: if it is such a table.
    """
    if len(x) < 2 or x.shape[1] != 1 or len(np.unique(x)) > 1:
        return
    name = f", {shortened(columns[0], 60)}," if columns else ""
    message = (
        f"the only column of x{name} is constant: the same for all {len(x):,} training examples, "
        "so nothing can be learned from it; take another column"
    )
    raise SpecError.at(("data",), message)


def _one_class(labels: Array | None) -> str | None:
    if labels is None or len(np.unique(labels)) > 1:
        return None
    return f"all {len(labels):,} training examples are of one class; there is nothing to tell apart"
