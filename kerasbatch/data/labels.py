"""The encoding of labels: class numbers for a loss of classes, else plain numbers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from kerasbatch.data.arrays import RawArrays
from kerasbatch.data.raw import RawData
from kerasbatch.errors import SpecError
from kerasbatch.spec import keras_registry
from kerasbatch.spec.data_schema import BuiltInData
from kerasbatch.spec.schema import Spec
from kerasbatch.types import Array

MIN_LABEL_FOR_GAPS, MAX_GAP_RATIO = 1000, 10
"""The highest label must be below the first, or below the second times the number of classes."""


def encode_labels(spec: Spec, raw: RawData) -> tuple[RawData, tuple[str, ...] | None]:
    """Encode labels as class numbers if the loss compares classes, else as numbers.

    Returns:
        The data, and the labels of the classes if they were text.
    """
    if isinstance(spec.data, BuiltInData):
        return raw, None
    y, kind = raw.arrays.y, keras_registry.label_kind(spec.loss.name)
    if y.dtype.kind == "U" and y.ndim == 1:
        if kind == "number":
            message = f"holds labels as text, and {spec.loss.name} compares numbers"
            raise SpecError.at(("data",), f"{message}; write sparse_categorical_crossentropy")
        words = np.unique(y)
        arrays = _labels(raw.arrays, lambda part, name: _numbered(part, words, name))
        return replace(raw, arrays=arrays, classes=len(words)), tuple(map(str, words))
    if kind in ("index", "binary") and y.dtype.kind in "iub" and y.ndim == 1:
        arrays = _labels(raw.arrays, lambda part, name: _as_type(part, np.int64, name))
        return replace(raw, arrays=arrays, classes=_number_of_classes(arrays.y)), None
    if y.dtype.kind in "iub":
        arrays = _labels(raw.arrays, lambda part, name: _as_type(part, np.float64, name))
        return replace(raw, arrays=arrays, classes=None), None
    arrays = _labels(raw.arrays, lambda part, name: _as_type(part, part.dtype, name))
    return replace(raw, arrays=arrays, classes=None), None


def _labels(arrays: RawArrays, encode: Callable[[Array, str], Array]) -> RawArrays:
    """Return data with the labels of every part encoded."""
    parts = {"y": arrays.y, "y_val": arrays.y_val, "y_test": arrays.y_test}
    part_names = {"y_val": "the file for validation"}
    if arrays.columns is not None:
        part_names["y_test"] = "the file for the test"
    encoded: dict[str, Any] = {
        name: encode(part, part_names.get(name, name))
        for name, part in parts.items()
        if part is not None
    }
    return replace(arrays, **encoded)


def _numbered(labels: Array, words: Array, name: str) -> Array:
    if labels.dtype.kind != "U" or not np.isin(labels, words).all():
        raise SpecError.at(("data",), f"{name} holds labels that the training data do not")
    return np.searchsorted(words, labels)


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
