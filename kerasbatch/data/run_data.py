"""spec.data -> the arrays of a run: split, encoded, and with a fingerprint.

Images keep their type; a batch is multiplied by `scale` before the model.
Tables are encoded by the preprocessing that was fitted to the training part.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kerasbatch import array_trees
from kerasbatch.array_files import FileState, file_names
from kerasbatch.array_trees import Arrays, Shape
from kerasbatch.data.description import describe_data
from kerasbatch.data.encoding.encoder import Encoder
from kerasbatch.data.encoding.labels import encode_labels
from kerasbatch.data.encoding.preprocessing import Preprocessing, Standardization
from kerasbatch.data.linear_objective import line_notice
from kerasbatch.data.parts.positions import evaluation_subset
from kerasbatch.data.parts.split import split_data
from kerasbatch.data.raw import RawData, group_column, read_raw
from kerasbatch.data.sample_weights import training_weights
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access
from kerasbatch.types import Array


@dataclass(frozen=True)
class RunData:
    """The arrays of a run.

    Args:
        used: the name of the data that are used, which may be a fallback.
        x_train: training examples, shape (n, ...), or such arrays by the names of inputs.
        y_train: their labels or numbers, shape (n,); of several outputs, such arrays by name.
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
        stream_examples: the examples of a dataset that is trained on as it comes, of which those
            of training are the first ones; or None.
        target_classes: of several targets, the number of classes of each, None for numbers.
    """

    used: str
    x_train: Arrays
    y_train: Arrays
    x_val: Arrays | None
    y_val: Arrays | None
    x_test: Arrays | None
    y_test: Arrays | None
    scale: float | None
    classes: int | None
    fingerprint: str
    preprocessing: Mapping[str, Any]
    w_train: Array | None = None
    notice: str | None = None
    files: Mapping[str, FileState] = field(default_factory=dict)
    description: Mapping[str, str] = field(default_factory=dict)
    stream_examples: int | None = None
    target_classes: Mapping[str, int | None] | None = None

    @property
    def train(self) -> tuple[Any, ...]:
        """The training data: (x, y), or (x, y, weights)."""
        weights = () if self.w_train is None else (self.w_train,)
        return (self.x_train, self.y_train, *weights)

    @property
    def size(self) -> int:
        """The bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays())

    def arrays(self) -> list[Array]:
        """Return all arrays."""
        parts = [leaf for part in vars(self).values() for leaf in array_trees.leaves(part)]
        return [part for part in parts if isinstance(part, np.ndarray)]

    @property
    def count(self) -> int:
        """The number of training examples."""
        examples = array_trees.length(self.y_train)
        return examples if self.stream_examples is None else self.stream_examples

    @property
    def target_units(self) -> Standardization | None:
        """The standardization of the target, or None."""
        return Preprocessing.from_json(self.preprocessing).target

    @property
    def input_shape(self) -> Shape:
        """The shape of one example, or of each of its inputs by name."""
        return array_trees.example_shape(self.x_train)

    @property
    def outputs(self) -> int | dict[str, int]:
        """The numbers of a target, one for each class; of several targets, by name."""
        if isinstance(self.y_train, dict):
            classes = self.target_classes or {}
            return {
                name: classes.get(name) or math.prod(y.shape[1:])
                for name, y in self.y_train.items()
            }
        return self.classes or math.prod(array_trees.single(self.y_train).shape[1:])

    @property
    def evaluated(self) -> tuple[Arrays, Arrays]:
        """The data of the evaluations: validation data, or else a fixed sample of training data."""
        if self.x_val is not None and self.y_val is not None:
            return self.x_val, self.y_val
        rows = self._evaluated_rows
        return array_trees.rows(self.x_train, rows), array_trees.rows(self.y_train, rows)

    @property
    def evaluated_labels(self) -> Arrays:
        """The labels of the evaluations, without a copy of their examples."""
        if self.x_val is not None and self.y_val is not None:
            return self.y_val
        labels: Arrays = array_trees.rows(self.y_train, self._evaluated_rows)
        return labels

    @property
    def _evaluated_rows(self) -> Array:
        labels = array_trees.single(self.y_train) if self.classes else None
        length = array_trees.length(self.y_train)
        size = sum(array.nbytes for array in array_trees.leaves(self.x_train))
        return evaluation_subset(length, labels, size // length)


def load_data(spec: Spec, access: Access) -> RunData:
    """Read, encode, split and scale the data of a run.

    Args:
        spec: a single-run spec.
        access: the files and code that the spec may use.

    Raises:
        DataUnavailableError: if they are not available and the spec names no fallback.
        SpecError: if they cannot be read, or do not fit the spec.
    """
    return prepare_data(spec, read_raw(spec.data, access, group_column(spec)))


def prepare_data(spec: Spec, raw: RawData) -> RunData:
    """Encode the labels of raw data for a spec's loss, then split and scale the data.

    Raises:
        SpecError: if they do not fit the spec.
    """
    labels = encode_labels(spec, raw)
    parts = split_data(spec, labels.raw, labels.names)
    named = {"train": parts.train, "validation": parts.validation(spec.validation)}
    named["test"] = parts.test(spec.validation)
    encoder = Encoder.fitted(spec, parts)
    notices = [*encoder.notices(parts.notice, named)]
    encoder, encoded = encoder.encoded(named)
    if raw.used == "line":
        notices.append(line_notice(encoded["x_train"]))
    data = RunData(
        used=raw.used,
        **encoded,
        scale=raw.scale,
        classes=parts.raw.classes,
        target_classes=parts.raw.target_classes,
        fingerprint=raw.fingerprint,
        preprocessing=encoder.preprocessing.json(),
        w_train=training_weights(spec, parts.targets, parts.weight, parts.labels),
        notice="; ".join(notices) or None,
        description=describe_data(spec, parts, encoder.preprocessing),
        stream_examples=raw.arrays.stream_examples,
    )
    mapped = file_names(data.arrays())
    return replace(data, files={file: raw.files[file] for file in raw.files if file in mapped})
