"""spec.data -> the arrays of a run: split, scaled, and with a fingerprint.

Images stay in their own type; `scale` says by what a batch is multiplied on its way to the model.
Tables are standardized here, with the statistics of the training part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kerasbatch.errors import SpecError, shortened
from kerasbatch.shared_types import Array
from kerasbatch.spec import keras_names
from kerasbatch.spec.access import Access
from kerasbatch.spec.data_keys import BuiltInData, BuiltInName
from kerasbatch.spec.keys import AnyValidation, Spec
from kerasbatch.workload import built_in_data
from kerasbatch.workload.built_in_data import FACTS, DataSet
from kerasbatch.workload.float32 import rounded, standardized, statistics
from kerasbatch.workload.raw import Raw, read
from kerasbatch.workload.split import for_evaluation, split, train_size, validation_sizes

LEAST_FOR_GAPS, MAX_GAPS = 1000, 10
"""From so many classes on, labels must not be this many times sparser than their highest."""


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
    """What is known of the data of a run before they are loaded.

    Args:
        used: the name of the data.
        train_examples: how many examples there are to train on.
        held_back: how many are taken from the training data for validation.
        notice: what a person must know of them, or None.
    """

    used: str
    train_examples: int
    held_back: int
    notice: str | None = None


def load(spec: Spec, access: Access) -> Data:
    """Read, encode, divide and scale the data of a run.

    Args:
        spec: a single-run spec.
        access: what the spec may reach.

    Raises:
        DataUnavailableError: if they cannot be had and the spec names no fallback.
        SpecError: if they cannot be read, or do not fit the spec.
    """
    return prepared_for(spec, read(spec.data, access))


def prepared_for(spec: Spec, raw: Raw) -> Data:
    """Encode the labels of raw data for a spec's loss, divide them and scale them.

    Raises:
        SpecError: if they do not fit the spec.
    """
    if isinstance(spec.data, BuiltInData):
        return _divide(spec, raw)
    classes, arrays = _own_classes(spec, raw.arrays)
    return _divide(spec, replace(raw, arrays=arrays, classes=classes))


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
        return _number_of_classes(y), replace(arrays, y=y, y_test=y_test)
    if y.dtype.kind in "iub":
        y, y_test = y.astype(np.float64), None if y_test is None else y_test.astype(np.float64)
    return None, replace(arrays, y=y, y_test=y_test)


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


def sizes(spec: Spec, access: Access) -> Sizes:
    """Return how many examples a run will train on, without loading built-in data.

    Raises:
        SpecError: if the sizes do not fit each other, or own data cannot be read.
    """
    data = spec.data
    if not isinstance(data, BuiltInData):
        raw = read(data, access)
        loaded, has_test = prepared_for(spec, raw), raw.arrays.x_test is not None
        _, held = validation_sizes(spec.validation, len(raw.arrays.x), has_test)
        return Sizes(loaded.used, len(loaded.x_train), held, raw.notice)
    facts = FACTS[data.name]
    total = data.examples or facts.train_examples
    train = train_size(data, spec.validation, total, facts.test_examples > 0)
    notice = None
    if not built_in_data.is_at_hand(data.name):
        notice = f"{data.name} is not on this machine; a run would try to download it"
        if data.fallback:
            other = train_size(data, spec.validation, *_fallback_sizes(data.fallback))
            notice += f", and use {data.fallback} ({other:,} examples) if it cannot"
    _, held = validation_sizes(spec.validation, total, facts.test_examples > 0)
    return Sizes(data.name, train, held, notice or built_in_data.told(data.name))


def _fallback_sizes(name: BuiltInName) -> tuple[int, bool]:
    facts = FACTS[name]
    return facts.train_examples, facts.test_examples > 0


def _divide(spec: Spec, raw: Raw) -> Data:
    arrays, labels = raw.arrays, raw.arrays.y if raw.classes else None
    total, has_test = len(arrays.x), arrays.x_test is not None
    parts = split(spec.data, spec.validation, total, has_test, labels)
    kept, held = parts.train, parts.held
    x, y = (arrays.x, arrays.y) if len(kept) == total else (arrays.x[kept], arrays.y[kept])
    x_val, y_val = _validation_part(spec.validation, arrays, held)
    x_test, y_test = (arrays.x_test, arrays.y_test) if len(held) else (None, None)
    if raw.is_table:
        _refuse_constant(x, arrays.columns)
    standardize = raw.is_table and spec.data.standardize
    scaled = _Scaled(raw, statistics(x) if standardize else None)
    return Data(
        used=raw.used,
        x_train=scaled.x(x),
        y_train=scaled.y(y),
        x_val=None if x_val is None else scaled.x(x_val),
        y_val=None if y_val is None else scaled.y(y_val),
        x_test=None if x_test is None else scaled.x(x_test),
        y_test=None if y_test is None else scaled.y(y_test),
        scale=raw.scale,
        classes=raw.classes,
        fingerprint=raw.fingerprint,
        notice=raw.notice or _one_class(y if raw.classes else None),
    )


def _refuse_constant(x: Array, columns: Sequence[str] | None) -> None:
    """Refuse a table whose only column is the same for all examples.

    Raises:
        SpecError: if it is such a table.
    """
    if len(x) < 2 or x.shape[1] != 1 or x.min() < x.max():
        return
    name = f", {shortened(columns[0], 60)}," if columns else ""
    message = (
        f"the only column of x{name} is constant: the same for all {len(x):,} training examples, "
        "so nothing can be learned from it; take another column"
    )
    raise SpecError.at(("data",), message)


def _one_class(labels: Array | None) -> str | None:
    if labels is None or len(np.unique(labels)) > 1:
        return None
    return f"all {len(labels):,} training examples are of one class; there is nothing to tell apart"


@dataclass(frozen=True)
class _Scaled:
    """Brings the parts of a data set to the numbers that the model gets.

    Args:
        raw: the data set.
        statistics: mean and deviation of every column of the training part, to standardize by.
    """

    raw: Raw
    statistics: tuple[Array, Array] | None

    def x(self, part: Array) -> Array:
        """Return examples, standardized where they are a table, and floats as float32."""
        if self.statistics is not None:
            part = standardized(part, *self.statistics)
        return rounded(part, "x", self.raw.arrays.columns, ("data",))

    def y(self, part: Array) -> Array:
        """Return labels as they are, and numbers as float32."""
        return rounded(part, "the target", None, ("data",))


def _validation_part(
    validation: AnyValidation | None, arrays: DataSet, held: Array
) -> tuple[Array | None, Array | None]:
    if len(held):
        return arrays.x[held], arrays.y[held]
    return (None, None) if validation == "none" else (arrays.x_test, arrays.y_test)
