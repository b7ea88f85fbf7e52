"""Datasets that are trained on as they come: the first examples, and passes over all."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kerasbatch.cache.array_cache import ArrayCache, hashed
from kerasbatch.data.arrays import RawArrays
from kerasbatch.data.cached_arrays import cached_arrays
from kerasbatch.data.datasets.examples import (
    DatasetError,
    Example,
    chunks,
    is_endless,
    known_length,
    refused,
)
from kerasbatch.data.datasets.read_dataset import PLACE, dataset_parts, shown_arguments, write_parts
from kerasbatch.data.datasets.write_examples import Layout
from kerasbatch.spec.data_schema import DatasetData
from kerasbatch.spec.trust import Access
from kerasbatch.user_code import calls

SAMPLE = 256
"""The first examples, on which model, loss and metrics are tried."""
Parts = Iterator[tuple[Any, ...]]
"""Examples as (x, y) or (x, y, weight), several at a time."""


def read_stream(data: DatasetData, access: Access) -> RawArrays:
    """Return the first examples of a dataset, and the whole of its other parts.

    Raises:
        SpecError: without trust, for an error of the user's code, or for what is no dataset, or
            one of unknown length.
    """
    with calls.called(data.dataset, access, PLACE, arguments=data.arguments or {}) as returned:
        parts = dataset_parts(returned, data.dataset)
        arguments = [data.arguments] if data.arguments else []
        train = parts.pop("train")
        count = _count(data, train)
        layout = Layout()
        with _refusals(data):
            first = next(_passes(train, min(SAMPLE, count), layout), None)
        if first is None:
            raise refused("it has no example", "train", data.dataset)
        others = {}
        if parts:
            entry = ArrayCache().write_by_content(
                hashed(["stream", str(access.absolute(data.dataset)), *arguments]),
                f"parts of {access.absolute(data.dataset)}{shown_arguments(data)}",
                lambda writer: write_parts(writer, data, access, parts, layout),
                lambda facts: hashed(["dataset", facts]),
            )
            others = cached_arrays(entry) | {"fingerprint": entry.facts["fingerprint"]}
    code = calls.snapshot(data.dataset, access, PLACE).fingerprint
    content = hashed([code, *arguments, count, others.pop("fingerprint", None)])
    x, y, *weight = first
    if y.dtype.kind == "U":
        raise refused("labels are text; a stream needs class numbers", "train", data.dataset)
    return RawArrays(
        x,
        y,
        weight=weight[0] if weight else None,
        fingerprint=content,
        stream_examples=count,
        **others,
    )


def _count(data: DatasetData, dataset: Any) -> int:
    """Return the number of examples of an epoch."""
    count = data.examples or known_length(dataset)
    if count is None or (is_endless(dataset) and data.examples is None):
        message = "nobody knows its length; write examples: N"
        raise refused(message, "train", data.dataset)
    return count


@contextlib.contextmanager
def streamed_passes(
    data: DatasetData, access: Access, classes: int | None
) -> Iterator[Callable[[], Parts]]:
    """Yield a function that returns the examples of a new pass.

    The user's code is importable, and its folder the working directory, within the context.

    Args:
        data: the keys of the spec.
        access: the files and code that the spec may use.
        classes: the number of classes, or None where the target is a number.
    """
    layout = Layout()
    with calls.called(data.dataset, access, PLACE, arguments=data.arguments or {}) as returned:
        dataset = dataset_parts(returned, data.dataset)["train"]

        def read() -> Parts:
            with _refusals(data):
                for part in _passes(dataset, data.examples, layout):
                    _check_classes(part[1], classes)
                    yield part

        yield read


def _check_classes(y: Any, classes: int | None) -> None:
    """Raise DatasetError for a class that the first examples do not have."""
    if classes is not None and y.dtype.kind in "iu" and int(y.max()) >= classes:
        message = f"a label is {int(y.max())}, and the first examples have {classes} classes; "
        raise DatasetError(f"{message}write labels: [0, 1, ...] with all of them")


def _passes(dataset: Any, limit: int | None, layout: Layout) -> Parts:
    """Yield the examples of one pass, several at a time; each is checked."""
    number = 1
    for chunk in chunks(dataset, limit):
        if isinstance(chunk, Example):
            layout.check(chunk.first(), number)
            yield chunk.parts()
            number += len(chunk.y)
        elif chunk:
            for place, example in enumerate(chunk, start=number):
                layout.check(example, place)
            parts = zip(*(example.parts() for example in chunk), strict=True)
            yield tuple(_stacked(list(part)) for part in parts)
            number += len(chunk)


def _stacked(parts: list[Any]) -> Any:
    if isinstance(parts[0], dict):
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    if isinstance(parts[0], tuple):
        return tuple(np.stack(arrays) for arrays in zip(*parts, strict=True))
    return np.stack(parts)


@contextlib.contextmanager
def _refusals(data: DatasetData) -> Iterator[None]:
    try:
        yield
    except DatasetError as error:
        raise refused(str(error), "train", data.dataset) from None
