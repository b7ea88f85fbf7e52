"""spec.data -> the arrays of a run: split, scaled, and with a fingerprint.

Images stay in their own type; `scale` says by what a batch is multiplied on its way to the model.
Tables are standardized here, with the statistics of the training part.
"""

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from kerasbatch.errors import DataUnavailableError, SpecError
from kerasbatch.shared_types import Array
from kerasbatch.spec import keras_names
from kerasbatch.spec.access import Access
from kerasbatch.spec.data_keys import BuiltInData, BuiltInName, CsvData, NpzData, PythonData
from kerasbatch.spec.keys import AnyValidation, Spec
from kerasbatch.workload import built_in_data, own_data
from kerasbatch.workload.built_in_data import FACTS, DataSet
from kerasbatch.workload.split import for_evaluation, split, train_size


@dataclass(frozen=True)
class Data:
    """The arrays of a run.

    Args:
        used: the name of the data really used.
        x_train: training examples, shape (n, ...).
        y_train: their labels or numbers, shape (n,).
        x_val: examples for validation, or None.
        y_val: their labels, or None.
        x_test: examples for the test at the end, or None.
        y_test: their labels, or None.
        scale: what x is multiplied by on its way to the model, or None.
        classes: the number of classes, or None where y is a number.
        fingerprint: a hash of the data as they came.
        notice: what a person must know, such as a fallback; or None.
    """

    used: str
    x_train: Array
    y_train: Array
    x_val: Array | None
    y_val: Array | None
    x_test: Array | None
    y_test: Array | None
    scale: float | None
    classes: int | None
    fingerprint: str
    notice: str | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return tuple(self.x_train.shape[1:])

    @property
    def evaluated(self) -> tuple[Array, Array]:
        """What a run is evaluated on: validation data, or else a fixed part of the training."""
        if self.x_val is not None and self.y_val is not None:
            return self.x_val, self.y_val
        chosen = for_evaluation(len(self.x_train), self.y_train if self.classes else None)
        return self.x_train[chosen], self.y_train[chosen]


@dataclass(frozen=True)
class Sizes:
    """How many examples a run trains on, and what is known of the data before they are loaded."""

    used: str
    train_examples: int
    notice: str | None = None


def load(spec: Spec, access: Access) -> Data:
    """Load, split and scale the data of a run.

    Args:
        spec: a single-run spec.
        access: what the spec may reach.

    Raises:
        DataUnavailableError: if they cannot be had and the spec names no fallback.
        SpecError: if they cannot be read, or do not fit the spec.
    """
    if not isinstance(spec.data, BuiltInData):
        return _divide(spec, _own(spec, own_data.load(spec.data, access)))
    data, notice = spec.data, None
    used = data.name
    try:
        arrays = built_in_data.load(data.name, examples=data.examples, noise=data.noise)
    except DataUnavailableError as error:
        if data.fallback is None:
            raise
        arrays, used = built_in_data.load(data.fallback), data.fallback
        notice = _fallback_notice(data, error)
    facts = FACTS[used]
    scale = 1 / facts.white if facts.kind == "image" else None
    raw = _Raw(used, arrays, facts.classes, scale, facts.kind == "table")
    return replace(_divide(spec, raw), notice=notice)


def _own(spec: Spec, arrays: DataSet) -> "_Raw":
    """Tell what own data are: images or tables, classes or numbers."""
    used = {CsvData: "csv", NpzData: "npz", PythonData: "python"}[type(spec.data)]
    classes, arrays = _own_classes(spec, arrays)
    image = arrays.x.dtype == np.uint8 and arrays.x.ndim >= 3
    table = arrays.x.dtype.kind == "f" and arrays.x.ndim == 2
    return _Raw(used, arrays, classes, 1 / 255 if image else None, table)


def _own_classes(spec: Spec, arrays: DataSet) -> tuple[int | None, DataSet]:
    """Turn labels into class numbers where the loss is about classes, else into numbers."""
    y, y_test = arrays.y, arrays.y_test
    kind = keras_names.label_kind(spec.loss.name)
    if y.dtype.kind == "U" and y.ndim == 1:
        if kind == "number":
            message = f"holds labels as text, and {spec.loss.name} compares numbers"
            raise SpecError.at(("data",), f"{message}; write sparse_categorical_crossentropy")
        words = np.unique(y)
        if y_test is not None and not np.isin(y_test, words).all():
            raise SpecError.at(("data",), "y_test holds labels that y_train does not")
        y = np.searchsorted(words, y)
        y_test = None if y_test is None else np.searchsorted(words, y_test)
        return len(words), replace(arrays, y=y, y_test=y_test)
    if kind in ("index", "binary") and y.dtype.kind in "iub" and y.ndim == 1:
        y, y_test = y.astype(np.int64), None if y_test is None else y_test.astype(np.int64)
        return max(int(y.max()) + 1, 2), replace(arrays, y=y, y_test=y_test)
    if y.dtype.kind in "iub":
        y, y_test = y.astype(np.float32), None if y_test is None else y_test.astype(np.float32)
    return None, replace(arrays, y=y, y_test=y_test)


def sizes(spec: Spec, access: Access) -> Sizes:
    """Return how many examples a run will train on, without loading built-in data.

    Raises:
        SpecError: if the sizes do not fit each other, or own data cannot be read.
    """
    data = spec.data
    if not isinstance(data, BuiltInData):
        loaded = load(spec, access)
        return Sizes(loaded.used, len(loaded.x_train))
    facts = FACTS[data.name]
    total = data.examples or facts.train_examples
    train = train_size(data, spec.validation, total, facts.test_examples > 0)
    notice = None
    if not built_in_data.is_at_hand(data.name):
        notice = f"{data.name} is not on this machine; a run would try to download it"
        if data.fallback:
            other = train_size(data, spec.validation, *_fallback_sizes(data.fallback))
            notice += f", and use {data.fallback} ({other:,} examples) if it cannot"
    return Sizes(data.name, train, notice)


def _fallback_sizes(name: BuiltInName) -> tuple[int, bool]:
    facts = FACTS[name]
    return facts.train_examples, facts.test_examples > 0


def _fallback_notice(data: BuiltInData, error: DataUnavailableError) -> str:
    return (
        f"{data.name.upper()} IS NOT AVAILABLE, TRAINING ON {str(data.fallback).upper()} INSTEAD "
        f"({error.reason}). To train on {data.name}, connect to the internet, or put "
        f"{data.name}.npz into a folder and set KERASBATCH_DATA to it."
    )


@dataclass(frozen=True)
class _Raw:
    """A data set before it is divided."""

    used: str
    arrays: DataSet
    classes: int | None
    scale: float | None
    is_table: bool


def _divide(spec: Spec, raw: _Raw) -> Data:
    arrays, labels = raw.arrays, raw.arrays.y if raw.classes else None
    total, has_test = len(arrays.x), arrays.x_test is not None
    parts = split(spec.data, spec.validation, total, has_test, labels)
    kept, held = parts.train, parts.held
    x, y = (arrays.x, arrays.y) if len(kept) == total else (arrays.x[kept], arrays.y[kept])
    x_val, y_val = _validation_part(spec.validation, arrays, held)
    x_test, y_test = (arrays.x_test, arrays.y_test) if len(held) else (None, None)
    if raw.is_table and spec.data.standardize:
        mean, deviation = _statistics(x)
        x = _standardized(x, mean, deviation)
        x_val = None if x_val is None else _standardized(x_val, mean, deviation)
        x_test = None if x_test is None else _standardized(x_test, mean, deviation)
    return Data(
        used=raw.used,
        x_train=x,
        y_train=y,
        x_val=x_val,
        y_val=y_val,
        x_test=x_test,
        y_test=y_test,
        scale=raw.scale,
        classes=raw.classes,
        fingerprint=fingerprint(arrays),
    )


def _validation_part(
    validation: AnyValidation | None, arrays: DataSet, held: Array
) -> tuple[Array | None, Array | None]:
    if len(held):
        return arrays.x[held], arrays.y[held]
    return (None, None) if validation == "none" else (arrays.x_test, arrays.y_test)


def _statistics(x: Array) -> tuple[Array, Array]:
    mean = x.mean(axis=0, dtype=np.float64)
    deviation = x.std(axis=0, dtype=np.float64)
    return mean, np.where(deviation > 0, deviation, 1.0)  # a constant column becomes 0


def _standardized(x: Array, mean: Array, deviation: Array) -> Array:
    standardized: Array = ((x - mean) / deviation).astype(np.float32)
    return standardized


def fingerprint(arrays: DataSet) -> str:
    """Return a hash of arrays: their types, shapes and bytes."""
    digest = hashlib.sha256()
    for array in (arrays.x, arrays.y, arrays.x_test, arrays.y_test):
        if array is None:
            digest.update(b"none")
            continue
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()
