"""Inputs of a model: one array, or several by name, whose rows belong together."""

from collections.abc import Callable
from typing import Any

from kerasbatch.types import Array

Arrays = Array | dict[str, Array]
"""An array of shape (n, ...), or several of them by name."""
Shape = tuple[int, ...] | dict[str, tuple[int, ...]]
"""The shape of an example, or of each of its inputs by name."""


def leaves(arrays: Any) -> list[Array]:
    """Return all arrays; none for None."""
    if arrays is None:
        return []
    return list(arrays.values()) if isinstance(arrays, dict) else [arrays]


def mapped(function: Callable[[Array], Any], arrays: Arrays) -> Any:
    """Return the results of a function for each array, in the same structure."""
    if isinstance(arrays, dict):
        return {name: function(array) for name, array in arrays.items()}
    return function(arrays)


def length(arrays: Arrays) -> int:
    """Return the number of examples."""
    return len(leaves(arrays)[0])


def rows(arrays: Arrays, positions: Any) -> Any:
    """Return some examples, in the same structure."""
    return mapped(lambda array: array[positions], arrays)


def example_shape(arrays: Arrays) -> Shape:
    """Return the shape of one example."""
    shape: Shape = mapped(lambda array: tuple(array.shape[1:]), arrays)
    return shape


def stored_shape(shape: Any) -> Shape:
    """Return the shape that JSON holds as lists."""
    if isinstance(shape, dict):
        return {name: tuple(lengths) for name, lengths in shape.items()}
    return tuple(shape)


def mapped_shape(function: Callable[[tuple[int, ...]], Any], shape: Shape) -> Any:
    """Return the results of a function for the shape of each input, in the same structure."""
    if isinstance(shape, dict):
        return {name: function(each) for name, each in shape.items()}
    return function(shape)
