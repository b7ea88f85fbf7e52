"""The classes of labels: their order and their names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasbatch.errors import SpecError
from kerasbatch.text import shortened
from kerasbatch.types import Array

MAX_CLASSES = 1000
"""The number of whole numbers, not counted from 0, that are taken for classes."""
MAX_GUESSED_CLASSES = 100
"""The number of whole numbers that are taken for classes where the loss does not say so."""


@dataclass(frozen=True)
class Classes:
    """The classes in the order of their numbers.

    Args:
        values: their labels in the data.
        names: their labels in predictions.
        notice: a message for the user about their numbers, or None.
    """

    values: tuple[str, ...]
    names: tuple[str, ...]
    notice: str | None


def classes_of(data: Any, labels: Array) -> Classes | None:
    """Return the classes of labels, or None if they are whole numbers counted from 0.

    Args:
        data: the keys of the spec; `labels` and `positive` give order and names.
        labels: the labels of training, shape (n,): text, or whole numbers.

    Raises:
        SpecError: if the keys do not fit the labels.
    """
    values = [str(value) for value in np.unique(labels).tolist()]
    if data.labels is not None:
        given = _given(data.labels)
        _check_given(given, values)
    elif data.positive is not None or _are_names(labels, values):
        given = {value: value for value in values}
    else:
        return None
    if data.positive is not None:
        given = _with_positive_last(given, data.positive)
    return Classes(tuple(given), tuple(given.values()), _notice(data, given, labels))


def _are_names(labels: Array, values: list[str]) -> bool:
    """Return whether labels are text, or a few whole numbers that are not counted from 0."""
    if labels.dtype.kind == "U":
        return True
    are_few = 2 <= len(values) <= min(MAX_CLASSES, len(labels) // 2)
    return are_few and int(labels.min()) != 0


def _given(labels: Any) -> dict[str, str]:
    """Return the names of the classes by their labels."""
    if isinstance(labels, Mapping):
        return {str(value): str(name) for value, name in labels.items()}
    return {str(value): str(value) for value in labels}


def _check_given(given: Mapping[str, str], values: list[str]) -> None:
    """Raise an error for labels in the data that the spec does not list."""
    if unknown := [value for value in values if value not in given]:
        names = shortened(", ".join(unknown), 100)
        message = f"the target holds {names}, which labels does not list"
        raise SpecError.at(("data", "labels"), message)
    if len(set(given.values())) < len(given):
        raise SpecError.at(("data", "labels"), "two labels have the same name")


def _with_positive_last(given: Mapping[str, str], positive: str) -> dict[str, str]:
    """Return two classes in the order that makes one of them class 1."""
    place = ("data", "positive")
    chosen = [value for value, name in given.items() if positive in (value, name)]
    listing = shortened(", ".join(given.values()), 100)
    if len(given) != 2:
        raise SpecError.at(place, f"belongs to two classes, and there are {len(given)}: {listing}")
    if not chosen:
        raise SpecError.at(place, f"no label is {shortened(positive, 40)}; there are {listing}")
    (other,) = set(given) - set(chosen)
    return {other: given[other], chosen[0]: given[chosen[0]]}


def _notice(data: Any, given: Mapping[str, str], labels: Array) -> str | None:
    """Return a message about numbers of classes that the spec does not give."""
    names = list(given.values())
    if len(names) == 2:
        said = "" if data.positive or data.labels else f"; write positive: {names[0]} to change it"
        return f"class 1, the positive one, is {names[1]}{said}"
    are_numbers = labels.dtype.kind != "U" or all(_is_number(value) for value in given)
    if are_numbers and data.labels is None:
        return f"{len(names)} classes: {shortened(', '.join(names), 60)}"
    if len({value.lower() for value in given}) < len(given):
        shown = shortened(", ".join(names), 60)
        return f"labels that differ in case only are different classes: {shown}"
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def are_classes(values: Array, examples: int) -> bool:
    """Return whether the different values of labels are text, or a few whole numbers from 0 on.

    Args:
        values: the different values.
        examples: the number of examples.
    """
    if values.dtype.kind not in "biuf":
        return True
    is_whole = values.dtype.kind in "biu" or bool((values == values.round()).all())
    are_few = len(values) <= min(MAX_GUESSED_CLASSES, max(2, examples // 5))
    return is_whole and are_few and (values.dtype.kind != "f" or set(values.tolist()) <= {0, 1})
