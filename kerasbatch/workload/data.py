"""spec.data -> the arrays of a run: split, scaled, and with a fingerprint.

Images stay in their own type; `scale` says by what a batch is multiplied on its way to the model.
Tables are encoded by what `preprocessing` fits to the training part.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from kerasbatch.errors import SpecError, counted, shortened
from kerasbatch.shared_types import Array
from kerasbatch.spec import keras_names
from kerasbatch.spec.access import Access
from kerasbatch.spec.data_keys import BuiltInData, BuiltInName, Table
from kerasbatch.spec.keys import AnyValidation, Spec
from kerasbatch.workload import built_in_data, example_weights
from kerasbatch.workload.built_in_data import FACTS, DataSet
from kerasbatch.workload.float32 import rounded
from kerasbatch.workload.preprocessing import (
    Preprocessing,
    Standard,
    fit,
    renumbered,
    seen_words,
)
from kerasbatch.workload.raw import Raw, read
from kerasbatch.workload.split import (
    Positions,
    for_evaluation,
    split,
    train_size,
    validation_sizes,
)

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
        preprocessing: what was fitted to the training part, as plain values.
        w_train: the weights of the training examples, shape (n,), or None where all count alike.
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
    preprocessing: Mapping[str, Any]
    w_train: Array | None = None
    notice: str | None = None

    @property
    def train(self) -> tuple[Array, ...]:
        """What is trained on: (x, y), or (x, y, weights)."""
        weights = () if self.w_train is None else (self.w_train,)
        return (self.x_train, self.y_train, *weights)

    @property
    def target_units(self) -> Standard | None:
        """By what the target is standardized, or None."""
        return Preprocessing.from_json(self.preprocessing).target

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
    return _divide(spec, *_with_classes(spec, raw))


def _with_classes(spec: Spec, raw: Raw) -> tuple[Raw, tuple[str, ...] | None]:
    """Turn labels into class numbers where the loss is about classes, else into numbers.

    Returns:
        The data, and the labels of the classes where they were text.
    """
    if isinstance(spec.data, BuiltInData):
        return raw, None
    y, kind = raw.arrays.y, keras_names.label_kind(spec.loss.name)
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


def _labels(arrays: DataSet, encode: Callable[[Array, str], Array]) -> DataSet:
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


def sizes(spec: Spec, access: Access) -> Sizes:
    """Return how many examples a run will train on, without loading built-in data.

    Raises:
        SpecError: if the sizes do not fit each other, or own data cannot be read.
    """
    data = spec.data
    if not isinstance(data, BuiltInData):
        raw = read(data, access)
        divided = _divided(spec, *_with_classes(spec, raw))
        _check_target(spec, divided)
        if spec.class_weight != "balanced":  # which needs scikit-learn, and fits any classes
            example_weights.of_examples(spec, divided.y, divided.weight, divided.labels)
        return Sizes(raw.used, len(divided.x), len(divided.held), divided.notice)
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


@dataclass(frozen=True)
class _Divided:
    """Data as they come, divided into parts.

    Args:
        raw: the whole.
        labels: the labels of the classes where they were text.
        x: the examples to train on.
        y: their targets.
        weight: their weights, or None.
        held: the positions of those that were held back for validation.
    """

    raw: Raw
    labels: tuple[str, ...] | None
    x: Array
    y: Array
    weight: Array | None
    held: Positions

    def validation(self, given: AnyValidation | None) -> tuple[Array | None, Array | None]:
        """Return the part for validation."""
        arrays = self.raw.arrays
        if len(self.held):
            return arrays.x[self.held], arrays.y[self.held]
        if given == "none":
            return None, None
        if arrays.x_val is not None:
            return arrays.x_val, arrays.y_val
        return arrays.x_test, arrays.y_test

    def test(self) -> tuple[Array | None, Array | None]:
        """Return the part for the test at the end, where validation is another one."""
        arrays = self.raw.arrays
        if len(self.held) or arrays.x_val is not None:
            return arrays.x_test, arrays.y_test
        return None, None

    @property
    def notice(self) -> str | None:
        """What a person must know."""
        told = [self.raw.notice, _one_class(self.y if self.raw.classes else None)]
        return "; ".join(text for text in told if text) or None


def _divided(spec: Spec, raw: Raw, labels: tuple[str, ...] | None) -> _Divided:
    arrays, total = raw.arrays, len(raw.arrays.x)
    classes = arrays.y if raw.classes else None
    has_own = arrays.x_val is not None
    parts = split(spec.data, spec.validation, total, arrays.x_test is not None, classes, has_own)
    whole = len(parts.train) == total
    x, y = (part if whole else part[parts.train] for part in (arrays.x, arrays.y))
    weight = arrays.weight if arrays.weight is None else arrays.weight[parts.train]
    if raw.is_table:
        _refuse_constant(x, arrays.columns)
    return _Divided(raw, labels, x, y, weight, parts.held)


def _divide(spec: Spec, raw: Raw, labels: tuple[str, ...] | None) -> Data:
    parts = _divided(spec, raw, labels)
    x_val, y_val = parts.validation(spec.validation)
    x_test, y_test = parts.test()
    weights = example_weights.of_examples(spec, parts.y, parts.weight, labels)
    encoder = _Encoder.fitted(spec, parts)
    return Data(
        used=raw.used,
        x_train=encoder.x(parts.x),
        y_train=encoder.y(parts.y),
        x_val=None if x_val is None else encoder.x(x_val),
        y_val=None if y_val is None else encoder.y(y_val),
        x_test=None if x_test is None else encoder.x(x_test),
        y_test=None if y_test is None else encoder.y(y_test),
        scale=raw.scale,
        classes=raw.classes,
        fingerprint=raw.fingerprint,
        preprocessing=encoder.preprocessing.json(),
        w_train=weights,
        notice="; ".join(encoder.notices(parts.notice, {"validation": x_val, "test": x_test}))
        or None,
    )


def _refuse_constant(x: Array, columns: Sequence[str] | None) -> None:
    """Refuse a table whose only column is the same for all examples.

    Raises:
        SpecError: if it is such a table.
    """
    if len(x) < 2 or x.shape[1] != 1 or len(np.unique(x)) > 1:
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
class _Encoder:
    """Brings the parts of a data set to the numbers that the model gets.

    Args:
        raw: the data set.
        preprocessing: what was fitted to the training part.
    """

    raw: Raw
    preprocessing: Preprocessing

    @classmethod
    def fitted(cls, spec: Spec, parts: _Divided) -> "_Encoder":
        """Fit to the training part."""
        raw, made = parts.raw, Preprocessing(labels=parts.labels)
        if raw.is_table:
            columns, words = raw.arrays.columns, raw.arrays.words
            seen = seen_words(parts.x, columns, words)
            made = fit(
                renumbered(parts.x, columns, words, seen),
                columns,
                seen,
                standardize=spec.data.standardize,
                fill_missing=isinstance(spec.data, Table) and spec.data.missing == "mean",
            )
        return cls(raw, replace(made, labels=parts.labels, target=_units(spec, parts)))

    def x(self, part: Array) -> Array:
        """Return examples, encoded where they are a table, and floats as float32."""
        made = self.preprocessing
        if self.raw.is_table:
            part = renumbered(part, made.columns, self.raw.arrays.words, made.words)
            part = made.x(part)
        return rounded(part, "x", made.encoded_columns, ("data",))

    def notices(self, told: str | None, parts: Mapping[str, Array | None]) -> Iterator[str]:
        """Yield what a person must know: that, and words that the training part does not hold."""
        if told:
            yield told
        made, words = self.preprocessing, self.raw.arrays.words
        for name in made.words:
            place = list(made.columns or ()).index(name)
            for called, part in parts.items():
                if part is None:
                    continue
                codes = renumbered(part, made.columns, words, made.words)[:, place]
                unseen = int((np.isnan(codes) & ~np.isnan(part[:, place])).sum())
                if unseen:
                    yield (
                        f"{counted(unseen, 'row')} of column {shortened(name, 60)} for {called} "
                        f"hold words that the training part does not; they count as none"
                    )

    def y(self, part: Array) -> Array:
        """Return labels as they are, and numbers as float32, standardized if asked for."""
        return rounded(self.preprocessing.y(part), "the target", None, ("data",))


def _units(spec: Spec, parts: _Divided) -> Standard | None:
    """Return by what the target is standardized, or None."""
    _check_target(spec, parts)
    if not spec.data.standardize_target:
        return None
    return Standard.of(parts.y.reshape(len(parts.y), -1))


def _check_target(spec: Spec, parts: _Divided) -> None:
    """Refuse to standardize classes."""
    if not spec.data.standardize_target:
        return
    if parts.raw.classes is not None or parts.y.dtype.kind != "f":
        message = "belongs to a target of numbers, and these are classes; leave it out"
        raise SpecError.at(("data", "standardize_target"), message)
