"""The examples of a dataset of any library, one after the other or in chunks.

A library is known by its protocol: `element_spec` (tf.data), `features` and a length (Hugging
Face), a length and items (torch and others), or iteration.
"""

import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from kerasbatch.array_trees import mapped, named
from kerasbatch.errors import SpecError
from kerasbatch.text import counted, short_name
from kerasbatch.types import Array

Inputs = Array | dict[str, Array] | tuple[Array, ...]


class Example(NamedTuple):
    """An example, or several at once.

    Args:
        x: one input, or several by name or in a tuple.
        y: the target.
        weight: the weight, or None.
    """

    x: Inputs
    y: Array
    weight: Array | None = None

    def first(self) -> "Example":
        """Return the first one of several."""
        x, y = mapped(lambda array: array[0], self.x), self.y[0]
        return Example(x, y, None if self.weight is None else self.weight[0])

    def parts(self) -> tuple[Any, ...]:
        """Return (x, y) or (x, y, weight)."""
        return self[:2] if self.weight is None else tuple(self)

    def arrays(self) -> dict[str, Array]:
        """Return all arrays by their names: `x`, or `x.NAME` of several inputs, `y`, `weight`."""
        arrays = {f"x.{name}" if name else "x": each for name, each in named(self.x).items()}
        arrays["y"] = self.y
        return arrays if self.weight is None else {**arrays, "weight": self.weight}


CHUNK = 256
"""The examples that are read at a time."""
LABELS = ("label", "labels", "y", "target")
"""The columns that may hold the labels of a dataset of columns, the first ones first."""
LEGAL = "(x, y) or (x, y, weight)"


class DatasetError(ValueError):
    """A dataset whose examples cannot be used."""


def known_length(dataset: Any) -> int | None:
    """Return the number of examples as far as the dataset tells it, or None."""
    if hasattr(dataset, "element_spec"):
        cardinality = int(dataset.cardinality())
        return cardinality if cardinality >= 0 else None
    try:
        return len(dataset)
    except (TypeError, NotImplementedError):
        return None


def is_endless(dataset: Any) -> bool:
    """Return whether a dataset says that it never ends."""
    return hasattr(dataset, "element_spec") and int(dataset.cardinality()) == -1


def chunks(dataset: Any, limit: int | None) -> Iterator[list[Example] | Example]:
    """Yield the examples of a dataset: lists of them, or arrays of several at once.

    Args:
        dataset: the dataset.
        limit: the largest number of examples, or None.

    Raises:
        DatasetError: if it is no dataset of examples.
    """
    if hasattr(dataset, "element_spec"):
        yield from _of_tensorflow(dataset, limit)
        return
    yield from _groups(itertools.islice(_items(dataset), limit))


def _groups(items: Iterable[Any]) -> Iterator[list[Example]]:
    """Yield examples in lists; before an error, those that came until then."""
    group: list[Example] = []
    try:
        for item in items:
            group.append(_example(item))
            if len(group) == CHUNK:
                yield group
                group = []
    except Exception:
        yield group
        raise
    if group:
        yield group


def _of_tensorflow(dataset: Any, limit: int | None) -> Iterator[list[Example] | Example]:
    check_not_batched(dataset)
    taken = dataset if limit is None else dataset.take(limit)
    leaves = _leaves(dataset.element_spec)
    if all(_has_fixed_shape(leaf) for leaf in leaves):
        for arrays in taken.batch(CHUNK).as_numpy_iterator():
            yield _example(arrays)
        return
    yield from _groups(taken.as_numpy_iterator())


def _leaves(spec: Any) -> list[Any]:
    """Return the specs of all arrays of an element."""
    if isinstance(spec, dict):
        return [leaf for inner in spec.values() for leaf in _leaves(inner)]
    if isinstance(spec, tuple | list):
        return [leaf for inner in spec for leaf in _leaves(inner)]
    return [spec]


def _has_fixed_shape(spec: Any) -> bool:
    shape = getattr(spec, "shape", None)
    return shape is not None and shape.is_fully_defined()


def check_not_batched(dataset: Any) -> None:
    """Raise DatasetError for a tf.data.Dataset of batches."""
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise DatasetError(f"its elements are {_kind(spec)}; must be {LEGAL}")
    shapes = [getattr(leaf, "shape", None) for leaf in _leaves(spec)]
    has_free_length = all(
        shape is not None and shape.rank not in (None, 0) and shape[0] is None for shape in shapes
    )
    if has_free_length or _ends_in_batches(dataset):
        raise DatasetError(
            "it is batched; a spec has the batch size, so leave batch out, or end "
            "the dataset with .unbatch()"
        )


def _ends_in_batches(dataset: Any) -> bool:
    """Return whether elements are batches: `batch` comes after all that takes them apart."""
    while dataset is not None:
        name = type(dataset).__name__.lower()
        if any(word in name for word in ("unbatch", "flatmap", "interleave", "generator")):
            return False
        if "batch" in name:
            return True
        dataset = getattr(dataset, "_input_dataset", None)
    return False


def _items(dataset: Any) -> Iterator[Any]:
    if type(dataset).__name__ == "DataLoader":
        raise DatasetError("it is a DataLoader, which yields batches; return its dataset")
    if inspect.isgeneratorfunction(dataset):
        return iter(dataset())
    if known_length(dataset) is not None and hasattr(dataset, "__getitem__"):
        return (dataset[number] for number in range(len(dataset)))
    if isinstance(dataset, Iterable):
        return iter(dataset)
    if callable(dataset):
        return _items_of_call(dataset)
    raise DatasetError(f"it is {_kind(dataset)}; must be a dataset, or a generator function")


def _items_of_call(function: Callable[[], Any]) -> Iterator[Any]:
    result = function()
    if not isinstance(result, Iterable):
        raise DatasetError(f"its function returned {_kind(result)}; must yield {LEGAL}")
    return iter(result)


def _example(item: Any) -> Example:
    if isinstance(item, Mapping):
        item = _columns(item)
    if not isinstance(item, tuple | list) or len(item) not in (2, 3):
        raise DatasetError(f"it is {_kind(item)}; must be {LEGAL}")
    inputs = item[0]
    if isinstance(inputs, Mapping):
        x: Inputs = {str(name): as_array(value) for name, value in inputs.items()}
    else:
        x = tuple(map(as_array, inputs)) if isinstance(inputs, tuple) else as_array(inputs)
    return Example(x, *map(as_array, item[1:]))


def _columns(row: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return x and y of a row of named columns."""
    labels = [name for name in LABELS if name in row]
    others = [name for name in row if name not in labels[:1]]
    if not labels or not others:
        columns = short_name(", ".join(map(str, row)))
        message = f"it has the columns {columns}; must have some for x, and {' or '.join(LABELS)}"
        raise DatasetError(f"{message} for y; or return a generator of (x, y)")
    x = row[others[0]] if len(others) == 1 else {name: row[name] for name in others}
    return x, row[labels[0]]


def as_array(value: Any) -> Array:
    """Return a value as an array; text as str."""
    if hasattr(value, "detach"):  # a tensor of torch, which may be on a device
        value = value.detach().cpu()
    array = np.asarray(value)
    if array.dtype.kind in "SO" and all(isinstance(each, bytes) for each in array.reshape(-1)):
        return np.char.decode(array.astype(bytes), "utf-8")
    return array


def _kind(value: Any) -> str:
    count = f" of {counted(len(value), 'value')}" if isinstance(value, Sequence) else ""
    return f"{type(value).__name__}{count}"


def refused(problem: str, part: str, name: str) -> SpecError:
    """Return the error of a dataset that cannot be used."""
    return SpecError.at(("data", "dataset"), f"{name}, {part}: {problem}")
