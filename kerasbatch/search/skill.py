"""The skill of a run: its part of the way from chance to perfection."""

from typing import Any

import numpy as np

MIN_SKILL = 0.01
"""A smaller skill is none."""


def has_no_skill(value: Any, chance: Any, *, lower: bool) -> Any:
    """Return whether values are no better than chance; False for an unknown value or chance.

    Args:
        value: the value of a metric, or a column of values.
        chance: the value of a model that has learned nothing, or a column.
        lower: whether lower values are better.
    """
    if lower:
        return value >= chance * (1 - MIN_SKILL)
    # Beyond 1 it is a count, without a value that is perfect.
    return value <= chance + MIN_SKILL * np.maximum(1 - chance, 0)
