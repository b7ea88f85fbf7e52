"""spec.data -> the arrays of a run: split, scaled, and with a fingerprint.

Images stay in their own type; `scale` says by what a batch is multiplied on its way to the model.
Tables are encoded by what `preprocessing` fits to the training part.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kerasbatch import array_files
from kerasbatch.array_files import State
from kerasbatch.shared_types import Array
from kerasbatch.spec.access import Access
from kerasbatch.spec.data_keys import BuiltInData, BuiltInName
from kerasbatch.spec.keys import Spec
from kerasbatch.workload import built_in_data, example_weights
from kerasbatch.workload.built_in_data import FACTS
from kerasbatch.workload.classes import with_classes
from kerasbatch.workload.divided import divided
from kerasbatch.workload.encoder import Encoder, check_target
from kerasbatch.workload.preprocessing import Preprocessing, Standard
from kerasbatch.workload.raw import Raw, read
from kerasbatch.workload.split import for_evaluation, train_size, validation_sizes


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
        files: what is still mapped from a file, as it was before the fingerprint was taken.
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
    files: Mapping[str, State] = field(default_factory=dict)

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
    parts = divided(spec, *with_classes(spec, raw))
    x_val, y_val = parts.validation(spec.validation)
    x_test, y_test = parts.test()
    encoder = Encoder.fitted(spec, parts)
    notices = encoder.notices(parts.notice, {"validation": x_val, "test": x_test})
    data = Data(
        used=raw.used,
        x_train=encoder.x(parts.x),
        y_train=encoder.y(parts.y),
        x_val=None if x_val is None else encoder.x(x_val),
        y_val=None if y_val is None else encoder.y(y_val),
        x_test=None if x_test is None else encoder.x(x_test),
        y_test=None if y_test is None else encoder.y(y_test),
        scale=raw.scale,
        classes=parts.raw.classes,
        fingerprint=raw.fingerprint,
        preprocessing=encoder.preprocessing.json(),
        w_train=example_weights.of_examples(spec, parts.y, parts.weight, parts.labels),
        notice="; ".join(notices) or None,
    )
    mapped = array_files.names(vars(data).values())
    return replace(data, files={file: raw.files[file] for file in raw.files if file in mapped})


def sizes(spec: Spec, access: Access) -> Sizes:
    """Return how many examples a run will train on, without loading built-in data.

    Raises:
        SpecError: if the sizes do not fit each other, or own data cannot be read.
    """
    data = spec.data
    if not isinstance(data, BuiltInData):
        raw = read(data, access)
        parts = divided(spec, *with_classes(spec, raw))
        check_target(spec, parts)
        if spec.class_weight != "balanced":  # which needs scikit-learn, and fits any classes
            example_weights.of_examples(spec, parts.y, parts.weight, parts.labels)
        return Sizes(raw.used, len(parts.x), len(parts.held), parts.notice)
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
