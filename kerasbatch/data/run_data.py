"""spec.data -> the arrays of a run: split, encoded, and with a fingerprint.

Images keep their type; a batch is multiplied by `scale` before the model.
Tables are encoded by the preprocessing that was fitted to the training part.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kerasbatch.array_files import FileState, file_names
from kerasbatch.data.builtin import DATASETS, is_available_offline
from kerasbatch.data.description import describe_data
from kerasbatch.data.encoder import Encoder
from kerasbatch.data.labels import encode_labels
from kerasbatch.data.linear_objective import line_notice
from kerasbatch.data.preprocessing import Preprocessing, Standardization
from kerasbatch.data.raw import RawData, read_raw
from kerasbatch.data.sample_weights import training_weights
from kerasbatch.data.split import evaluation_subset, split_data, train_size, validation_sizes
from kerasbatch.spec.data_schema import BuiltInData, BuiltInName
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access
from kerasbatch.types import Array


@dataclass(frozen=True)
class RunData:
    """The arrays of a run.

    Args:
        used: the name of the data that are used, which may be a fallback.
        x_train: training examples, shape (n, ...).
        y_train: their labels or numbers, shape (n,).
        x_val: examples for validation, or None.
        y_val: their labels, or None.
        x_test: examples for the test at the end, or None.
        y_test: their labels, or None.
        scale: the factor of x before the model, or None.
        classes: the number of classes, or None where y is a number.
        fingerprint: a hash of the data before any processing.
        preprocessing: the transformations fitted to the training part, as plain values.
        w_train: the weights of the training examples, shape (n,), or None if all are equal.
        notice: a message for the user, such as a fallback; or None.
        files: the state of the mapped files before the fingerprint was computed.
        description: what the model learns from, as texts by their titles.
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
    files: Mapping[str, FileState] = field(default_factory=dict)
    description: Mapping[str, str] = field(default_factory=dict)

    @property
    def train(self) -> tuple[Array, ...]:
        """The training data: (x, y), or (x, y, weights)."""
        weights = () if self.w_train is None else (self.w_train,)
        return (self.x_train, self.y_train, *weights)

    @property
    def size(self) -> int:
        """The bytes of all arrays."""
        return sum(getattr(part, "nbytes", 0) for part in vars(self).values())

    @property
    def target_units(self) -> Standardization | None:
        """The standardization of the target, or None."""
        return Preprocessing.from_json(self.preprocessing).target

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return tuple(self.x_train.shape[1:])

    @property
    def evaluated(self) -> tuple[Array, Array]:
        """The data of the evaluations: validation data, or else a fixed sample of training data."""
        if self.x_val is not None and self.y_val is not None:
            return self.x_val, self.y_val
        rows = self._evaluated_rows
        return self.x_train[rows], self.y_train[rows]

    @property
    def evaluated_labels(self) -> Array:
        """The labels of the evaluations, without a copy of their examples."""
        if self.x_val is not None and self.y_val is not None:
            return self.y_val
        return self.y_train[self._evaluated_rows]

    @property
    def _evaluated_rows(self) -> Array:
        return evaluation_subset(len(self.x_train), self.y_train if self.classes else None)


@dataclass(frozen=True)
class DataSizes:
    """The sizes of the data of a run, known before they are loaded.

    Args:
        used: the name of the data.
        train_examples: the number of training examples.
        held_back: the number of examples taken from the training data for validation.
        notice: a message for the user about the data, or None.
        description: what the model learns from, as texts by their titles; empty for built-in data.
    """

    used: str
    train_examples: int
    held_back: int
    notice: str | None = None
    description: Mapping[str, str] = field(default_factory=dict)


def load_data(spec: Spec, access: Access) -> RunData:
    """Read, encode, split and scale the data of a run.

    Args:
        spec: a single-run spec.
        access: the files and code that the spec may use.

    Raises:
        DataUnavailableError: if they are not available and the spec names no fallback.
        SpecError: if they cannot be read, or do not fit the spec.
    """
    return prepare_data(spec, read_raw(spec.data, access))


def prepare_data(spec: Spec, raw: RawData) -> RunData:
    """Encode the labels of raw data for a spec's loss, then split and scale the data.

    Raises:
        SpecError: if they do not fit the spec.
    """
    labels = encode_labels(spec, raw)
    parts = split_data(spec, labels.raw, labels.names)
    x_val, y_val = parts.validation(spec.validation)
    x_test, y_test = parts.test()
    encoder = Encoder.fitted(spec, parts)
    notices = [*encoder.notices(parts.notice, {"validation": x_val, "test": x_test})]
    x_train = encoder.x(parts.x)
    if raw.used == "line":
        notices.append(line_notice(x_train))
    data = RunData(
        used=raw.used,
        x_train=x_train,
        y_train=encoder.y(parts.y),
        x_val=None if x_val is None else encoder.x(x_val),
        y_val=None if y_val is None else encoder.y(y_val),
        x_test=None if x_test is None else encoder.x(x_test),
        y_test=None if y_test is None else encoder.y(y_test),
        scale=raw.scale,
        classes=parts.raw.classes,
        fingerprint=raw.fingerprint,
        preprocessing=encoder.preprocessing.json(),
        w_train=training_weights(spec, parts.y, parts.weight, parts.labels),
        notice="; ".join(notices) or None,
        description=describe_data(spec, parts, encoder.preprocessing),
    )
    mapped = file_names(vars(data).values())
    return replace(data, files={file: raw.files[file] for file in raw.files if file in mapped})


def data_sizes(
    spec: Spec, access: Access, read: Callable[[Spec], RawData] | None = None
) -> DataSizes:
    """Return the sizes of the data of a run, without loading built-in data.

    Args:
        spec: the spec of the run.
        access: the files and code that the spec may use.
        read: returns user data that are read already; None reads them.

    Raises:
        SpecError: if the sizes do not fit each other, or user data cannot be read.
    """
    data = spec.data
    if not isinstance(data, BuiltInData):
        raw = read(spec) if read else read_raw(data, access)
        labels = encode_labels(spec, raw)
        parts = split_data(spec, labels.raw, labels.names)
        encoding = Encoder.fitted(spec, parts).preprocessing
        if spec.class_weight != "balanced":  # balanced needs scikit-learn, and fits any classes
            training_weights(spec, parts.y, parts.weight, parts.labels)
        description = describe_data(spec, parts, encoding)
        return DataSizes(raw.used, len(parts.x), len(parts.held), parts.notice, description)
    if data.name == "line":  # generated in a moment
        run_data = prepare_data(spec, read(spec) if read else read_raw(data, access))
        held = 0 if run_data.x_val is None else len(run_data.x_val)
        return DataSizes(data.name, len(run_data.x_train), held, run_data.notice)
    facts = DATASETS[data.name]
    total = data.examples or facts.train_examples
    train = train_size(data, spec.validation, total, facts.test_examples > 0)
    notice = None
    if not is_available_offline(data.name):
        notice = f"{data.name} is not on this machine; a run would try to download it"
        if data.fallback:
            fallback_train = train_size(data, spec.validation, *_fallback_sizes(data.fallback))
            notice += f", and use {data.fallback} ({fallback_train:,} examples) if it cannot"
    _, held = validation_sizes(spec.validation, total, facts.test_examples > 0)
    return DataSizes(data.name, train, held, notice)


def _fallback_sizes(name: BuiltInName) -> tuple[int, bool]:
    facts = DATASETS[name]
    return facts.train_examples, facts.test_examples > 0
