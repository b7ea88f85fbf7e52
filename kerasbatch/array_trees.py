"""Inputs of a model: one array, or several by name or in a tuple, whose rows belong together."""

from collections.abc import Callable
from typing import Any, TypeGuard

from kerasbatch.types import Array

Arrays = Array | dict[str, Array] | tuple[Array, ...]
"""An array of shape (n, ...), or several of them, by name or in a tuple."""
Shape = tuple[int, ...] | dict[str, tuple[int, ...]] | tuple[tuple[int, ...], ...]
"""The shape of an example, or of each of its inputs."""


def leaves(arrays: Any) -> list[Array]:
    """Return all arrays; none for None."""
    return [] if arrays is None else list(named(arrays).values())


def named(arrays: Arrays) -> dict[str, Array]:
    """Return the arrays by the names of inputs: empty for one array, else their own or numbers."""
    if isinstance(arrays, dict):
        return arrays
    if isinstance(arrays, tuple):
        return {str(number): array for number, array in enumerate(arrays)}
    return {"": arrays}


def single(arrays: Arrays) -> Array:
    """Return the array of a single input.

    Raises:
        TypeError: if there are several inputs.
    """
    if isinstance(arrays, dict | tuple):
        raise TypeError(f"{len(arrays)} inputs, where one was expected")
    return arrays


def mapped(function: Callable[[Array], Any], arrays: Arrays) -> Any:
    """Return the results of a function for each array, in the same structure."""
    if isinstance(arrays, dict):
        return {name: function(array) for name, array in arrays.items()}
    return tuple(map(function, arrays)) if isinstance(arrays, tuple) else function(arrays)


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


Several = dict[str, tuple[int, ...]] | tuple[tuple[int, ...], ...]


def are_several(shape: Shape) -> TypeGuard[Several]:
    """Return whether a shape is that of several inputs."""
    return isinstance(shape, dict) or any(isinstance(length, tuple) for length in shape)


def stored_shape(shape: Any) -> Shape:
    """Return the shape that JSON holds as lists."""
    if isinstance(shape, dict):
        return {name: tuple(lengths) for name, lengths in shape.items()}
    return tuple(tuple(each) if isinstance(each, list) else each for each in shape)


def input_shapes(shape: Any) -> list[tuple[int, ...]]:
    """Return the shapes of all inputs."""
    if isinstance(shape, dict):
        return list(shape.values())
    shapes: list[tuple[int, ...]] = list(shape) if are_several(shape) else [shape]  # type: ignore[arg-type]  # no dict
    return shapes


def mapped_shape(function: Callable[[tuple[int, ...]], Any], shape: Any) -> Any:
    """Return the results of a function for the shape of each input, in the same structure."""
    results = map(function, input_shapes(shape))
    if isinstance(shape, dict):
        return dict(zip(shape, results, strict=True))
    return tuple(results) if are_several(shape) else next(results)
