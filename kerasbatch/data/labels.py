"""Labels -> class numbers, where the loss is about classes; else numbers."""

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

LEAST_FOR_GAPS, MAX_GAPS = 1000, 10
"""From so many classes on, labels must not be this many times sparser than their highest."""


def encode_labels(spec: Spec, raw: RawData) -> tuple[RawData, tuple[str, ...] | None]:
    """Turn labels into class numbers where the loss is about classes, else into numbers.

    Returns:
        The data, and the labels of the classes where they were text.
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
    """Return data whose labels are encoded, those of every part."""
    parts = {"y": arrays.y, "y_val": arrays.y_val, "y_test": arrays.y_test}
    called = {"y_val": "the file for validation"}
    if arrays.columns is not None:
        called["y_test"] = "the file for the test"
    changed: dict[str, Any] = {
        name: encode(part, called.get(name, name))
        for name, part in parts.items()
        if part is not None
    }
    return replace(arrays, **changed)


def _numbered(labels: Array, words: Array, name: str) -> Array:
    if labels.dtype.kind != "U" or not np.isin(labels, words).all():
        raise SpecError.at(("data",), f"{name} holds labels that the training data do not")
    return np.searchsorted(words, labels)


def _as_type(labels: Array, wanted: DTypeLike, name: str) -> Array:
    if labels.dtype.kind == "U":
        raise SpecError.at(("data",), f"{name} holds text, and the target of training numbers")
    if labels.dtype.kind == "f" and wanted is np.int64 and not (labels == np.round(labels)).all():
        raise SpecError.at(("data",), f"{name} holds numbers that are no classes")
    encoded: Array = labels.astype(wanted)
    return encoded


def _number_of_classes(y: Array) -> int:
    """Return how many outputs class numbers need: the highest and one more."""
    highest, different = int(y.max()), len(np.unique(y))
    if highest >= max(LEAST_FOR_GAPS, MAX_GAPS * different):
        message = (
            f"the labels go up to {highest:,}, and only {different:,} of them are different; "
            f"number the classes 0, 1, 2, ..., or write mse if they are no classes"
        )
        raise SpecError.at(("data",), message)
    return max(highest + 1, 2)
