"""The encoding of labels: class numbers for a loss of classes, else plain numbers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from kerasbatch.array_trees import named, single
from kerasbatch.data.arrays import RawArrays
from kerasbatch.data.encoding.classes import Classes, are_classes, classes_of
from kerasbatch.data.raw import RawData
from kerasbatch.errors import SpecError
from kerasbatch.spec.data_schema import BuiltInData
from kerasbatch.spec.keras_registry import LabelKind
from kerasbatch.spec.schema import Spec
from kerasbatch.text import shortened
from kerasbatch.types import Array

CLASSES = ("index", "binary")
"""The kinds of labels that are numbers of classes."""
MIN_LABEL_FOR_GAPS, MAX_GAP_RATIO = 1000, 10
"""The highest label must be below the first, or below the second times the number of classes."""


@dataclass(frozen=True)
class EncodedLabels:
    """Data whose labels are numbers.

    Args:
        raw: the data, with class numbers if the loss compares classes.
        names: the names of the classes, or None if they are their numbers.
    """

    raw: RawData
    names: tuple[str, ...] | None = None


def encode_labels(spec: Spec, raw: RawData) -> EncodedLabels:
    """Encode labels as class numbers if the loss compares classes, else as numbers.

    Raises:
        SpecError: if the loss cannot compare them, or the classes of the spec do not fit them.
    """
    if isinstance(spec.data, BuiltInData):
        return EncodedLabels(raw)
    if isinstance(raw.arrays.y, dict | tuple):
        return EncodedLabels(_several_targets(spec, raw))
    return _encoded(spec, raw, _kind(spec.data, spec.label_kind, raw.arrays.y))


def _several_targets(spec: Spec, raw: RawData) -> RawData:
    """Return data with the labels of each target encoded for the loss of its output.

    Raises:
        SpecError: if targets have no names, or the spec has keys for those of a single one.
    """
    if isinstance(raw.arrays.y, tuple):
        message = "several targets need the names of the model's outputs: return a mapping"
        raise SpecError.at(("data",), message)
    for key in ("labels", "positive"):
        if getattr(spec.data, key, None) is not None:
            message = "is for a single target; number the classes in the data"
            raise SpecError.at(("data", key), message)
    arrays, parts = raw.arrays, dict[str, dict[str, Any]]()
    classes, labels = dict[str, int | None](), dict[str, tuple[str, ...]]()
    for name in named(arrays.y):
        of_target = {end: targets[name] for end, targets in _targets(arrays).items()}
        kind = _kind(spec.data, spec.label_kind_of(name), of_target["y"])
        encoded = _encoded(spec, replace(raw, arrays=replace(arrays, **of_target)), kind)
        classes[name] = encoded.raw.classes
        if encoded.names is not None:
            labels[name] = encoded.names
        for end in of_target:
            parts.setdefault(end, {})[name] = getattr(encoded.raw.arrays, end)
    whole: dict[str, Any] = parts
    arrays = replace(arrays, **whole)
    return replace(raw, arrays=arrays, classes=None, target_classes=classes, target_labels=labels)


def _targets(arrays: RawArrays) -> dict[str, Any]:
    """Return the targets of all parts that there are."""
    parts = {end: getattr(arrays, end) for end in ("y", "y_val", "y_test")}
    return {end: targets for end, targets in parts.items() if targets is not None}


def _encoded(spec: Spec, raw: RawData, kind: LabelKind) -> EncodedLabels:
    """Return data with the labels of a single target encoded for a kind of loss."""
    if raw.arrays.stream_examples is not None:
        return EncodedLabels(replace(raw, classes=_classes_of_stream(spec, raw, kind)))
    raw = _from_columns(raw) if kind in CLASSES else raw
    y = single(raw.arrays.y)
    is_list = y.ndim == 1 and y.dtype.kind in "iubU"
    if is_list and kind in CLASSES and (classes := classes_of(spec.data, y)):
        arrays = _labels(raw.arrays, lambda part, name: _numbered(part, classes, name))
        notice = "; ".join(filter(None, [raw.notice, classes.notice]))
        raw = replace(raw, arrays=arrays, classes=len(classes.names), notice=notice or None)
        return EncodedLabels(raw, classes.names)
    if y.dtype.kind == "U":
        y = _as_numbers(spec, y)
        raw = replace(raw, arrays=_labels(raw.arrays, lambda part, name: _as_numbers(spec, part)))
    if kind in CLASSES and is_list:
        arrays = _labels(raw.arrays, lambda part, name: _as_type(part, np.int64, name))
        return EncodedLabels(
            replace(raw, arrays=arrays, classes=_number_of_classes(single(arrays.y)))
        )
    dtype = np.float64 if y.dtype.kind in "iub" else None
    arrays = _labels(raw.arrays, lambda part, name: _as_type(part, dtype or part.dtype, name))
    return EncodedLabels(replace(raw, arrays=arrays, classes=None))


def _kind(data: Any, kind: LabelKind, y: Any) -> LabelKind:
    """Return the kind of labels; under a loss of own code, what the labels look like.

    Text, true and false, and 0, 1, 2, ... are classes; other whole numbers stay what they are.
    """
    if kind != "any":
        return kind
    is_named = getattr(data, "labels", None) is not None
    if is_named or y.dtype.kind in "bU":
        return "index"
    values = np.unique(y) if y.ndim == 1 and y.dtype.kind in "iu" else np.empty(0)
    are_numbered = bool(len(values)) and bool((values == np.arange(len(values))).all())
    return "index" if are_numbered and are_classes(values, len(y)) else "number"


def _classes_of_stream(spec: Spec, raw: RawData, kind: str) -> int | None:
    """Return the number of classes of a stream, whose labels are not changed.

    Raises:
        SpecError: if `labels` are not 0, 1, 2, ....
    """
    labels, y = getattr(spec.data, "labels", None), single(raw.arrays.y)
    if kind not in CLASSES or y.ndim != 1:
        return None
    if labels is None:
        return _number_of_classes(y)
    if [str(label) for label in labels] != [str(number) for number in range(len(labels))]:
        message = "a stream needs labels 0, 1, 2, ...; number them in the dataset"
        raise SpecError.at(("data", "labels"), message)
    return len(labels)


def _from_columns(raw: RawData) -> RawData:
    """Return data with class numbers in place of one-hot columns, and of 0.0, 1.0, ...."""
    y = single(raw.arrays.y)
    if y.dtype.kind == "f" and y.ndim == 1 and (y == np.round(y)).all():
        arrays = _labels(raw.arrays, lambda part, name: _as_type(part, np.int64, name))
        return replace(raw, arrays=arrays)
    if not is_one_hot(y):
        return raw
    others = (raw.arrays.y_val, raw.arrays.y_test)
    for part in [single(targets) for targets in others if targets is not None]:
        if not (is_one_hot(part) and part.shape[1] == y.shape[1]):
            message = (
                f"the labels of training are one-hot columns of {y.shape[1]} classes, and those "
            )
            raise SpecError.at(("data",), f"{message}of another part are not")
    message = f"one-hot labels, taken as the numbers of {y.shape[1]} classes"
    notice = "; ".join(filter(None, [raw.notice, message]))
    arrays = _labels(raw.arrays, lambda part, name: part.argmax(axis=1))
    return replace(raw, arrays=arrays, notice=notice)


def is_one_hot(y: Array) -> bool:
    """Return whether labels are columns of 0 with a single 1 in each row."""
    if y.ndim != 2 or y.shape[1] < 2 or y.dtype.kind not in "biuf":
        return False
    return bool(np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all())


def _as_numbers(spec: Spec, labels: Array) -> Array:
    """Return labels of text as numbers, for a loss that compares numbers."""
    try:
        return labels.astype(np.float64)
    except ValueError:
        message = f"holds labels as text, and {spec.loss.name or 'its loss'} compares numbers"
        advice = "write sparse_categorical_crossentropy"
        raise SpecError.at(("data",), f"{message}; {advice}") from None


def _labels(arrays: RawArrays, encode: Callable[[Array, str], Array]) -> RawArrays:
    """Return data with the labels of every part encoded."""
    parts = {"y": arrays.y, "y_val": arrays.y_val, "y_test": arrays.y_test}
    part_names = {"y_val": "the file for validation"}
    if arrays.columns is not None:
        part_names["y_test"] = "the file for the test"
    encoded: dict[str, Any] = {
        name: encode(single(part), part_names.get(name, name))
        for name, part in parts.items()
        if part is not None
    }
    return replace(arrays, **encoded)


def _numbered(labels: Array, classes: Classes, name: str) -> Array:
    numbers = {value: number for number, value in enumerate(classes.values)}
    encoded = [numbers.get(str(label), -1) for label in labels.tolist()]
    if min(encoded) < 0:
        unknown = shortened(str(labels[encoded.index(-1)]), 40)
        raise SpecError.at(("data",), f"{name} holds the label {unknown!r}, which is no class")
    return np.array(encoded)


def _as_type(labels: Array, dtype: DTypeLike, name: str) -> Array:
    if labels.dtype.kind == "U":
        raise SpecError.at(("data",), f"{name} holds text, and the target of training numbers")
    if labels.dtype.kind == "f" and dtype is np.int64 and not (labels == np.round(labels)).all():
        raise SpecError.at(("data",), f"{name} holds numbers that are not classes")
    encoded: Array = labels.astype(dtype)
    return encoded


def _number_of_classes(y: Array) -> int:
    """Return the number of outputs that class numbers need: the highest number plus 1."""
    highest, distinct = int(y.max()), len(np.unique(y))
    if highest >= max(MIN_LABEL_FOR_GAPS, MAX_GAP_RATIO * distinct):
        message = (
            f"the labels go up to {highest:,}, and only {distinct:,} of them are different; "
            f"number the classes 0, 1, 2, ..., or write mse if they are not classes"
        )
        raise SpecError.at(("data",), message)
    return max(highest + 1, 2)
