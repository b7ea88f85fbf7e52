"""The spec of an experiment: frozen, strict models, one field per key.

The fields are the only list of keys; each carries its metadata, a `Key`, and everything that is
asked of keys elsewhere is derived from it by `keys_where`. Nothing here reads files, parses YAML
or imports Keras.
"""

import math
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, Strict, model_serializer

from kerasbatch.spec.data_schema import AnyData
from kerasbatch.spec.fields import (
    CODE,
    MAX_COUNT,
    Count,
    Expected,
    Flag,
    Fraction,
    InnerKey,
    Key,
    KeyedModel,
    NamedObject,
    PythonName,
    StrictModel,
    Text,
    metadata,
    one_of,
)
from kerasbatch.steps import Budget
from kerasbatch.types import BudgetKind, Engine, EveryKind, PartialBatch, Sampling

Preset = Literal["linear", "mlp", "cnn"]
Recorded = Literal["steps", "weights", "noise"]
Saved = Literal["last", "best"]
BUDGETS: tuple[BudgetKind, ...] = get_args(BudgetKind)


class PresetModel(KeyedModel):
    """A model by one word."""

    kind: Literal["preset"] = Field("preset", exclude=True)
    preset: Annotated[Preset, Expected(one_of(Preset) + ", or {layers: [...]}"), InnerKey()]

    @model_serializer
    def _word(self) -> str:
        return self.preset


class LayerModel(KeyedModel):
    """A model as a list of Keras layers; `keras_validation` checks the layers."""

    kind: Literal["layers"] = Field("layers", exclude=True)
    layers: Annotated[tuple[Any, ...], Field(strict=False), InnerKey()]


class PythonModel(KeyedModel):
    """A model that a Python function returns; needs trust."""

    kind: Literal["python"] = Field("python", exclude=True)
    python: Annotated[PythonName, CODE]


AnyModel = Annotated[PresetModel | LayerModel | PythonModel, Field(discriminator="kind")]


class ValidationWord(StrictModel):
    """Validation on the test part of the data, or none at all."""

    kind: Literal["test", "none"]

    @model_serializer
    def _word(self) -> str:
        return self.kind


class FractionForValidation(StrictModel):
    """Validation on a share of the training data."""

    kind: Literal["fraction"] = Field("fraction", exclude=True)
    fraction: Fraction


class ExamplesForValidation(StrictModel):
    """Validation on a number of the training examples."""

    kind: Literal["examples"] = Field("examples", exclude=True)
    examples: Count


AnyValidation = Annotated[
    ValidationWord | FractionForValidation | ExamplesForValidation, Field(discriminator="kind")
]


class EvaluateEvery(StrictModel):
    """When a run is evaluated: exactly one of the four."""

    epochs: Count | None = None
    steps: Count | None = None
    examples: Count | None = None
    growth: Annotated[
        float | None, Field(ge=1.01, le=1000), Expected("a factor from 1.01 on, like 1.1")
    ] = None

    @property
    def kind(self) -> EveryKind:
        """The one of the four that is set."""
        return next(kind for kind in get_args(EveryKind) if getattr(self, kind) is not None)

    @property
    def amount(self) -> float:
        """The value of the one that is set."""
        return float(getattr(self, self.kind))


class Target(StrictModel):
    """The value of a metric to reach, with one bound; `stop` ends the run there."""

    metric: Text
    at_least: Annotated[float | None, Expected("a finite number")] = None
    at_most: Annotated[float | None, Expected("a finite number")] = None
    stop: Flag = False

    def __str__(self) -> str:
        """Write the target as it is compared: val_accuracy >= 0.97."""
        return f"{self.metric} {'<=' if self.at_least is None else '>='} {self.value:g}"

    @property
    def lower_is_better(self) -> bool:
        """Whether the bound is an upper one."""
        return self.at_least is None

    @property
    def value(self) -> float:
        """The bound."""
        bound = self.at_most if self.at_least is None else self.at_least
        return math.nan if bound is None else bound

    def is_reached_by(self, values: Any) -> Any:
        """Return whether a value reaches the target, or whether each of a Series does."""
        return values <= self.value if self.lower_is_better else values >= self.value


class WarmUpLength(StrictModel):
    """How long the learning rate grows: exactly one of the two."""

    epochs: Count | None = None
    steps: Count | None = None

    def in_steps(self, steps_per_epoch: int) -> int:
        """Return the length in steps."""
        return self.steps or (self.epochs or 0) * steps_per_epoch


class LearningRateRule(StrictModel):
    """How the learning rate follows the batch size."""

    rule: Annotated[Literal["none", "linear", "sqrt"], Expected("one of none, linear, sqrt")] = (
        "none"
    )
    base_batch_size: Count = 32
    betas: Flag = False
    times: Annotated[float, Field(gt=0), Expected("a number above 0")] = 1.0
    warmup: WarmUpLength | None = None


_EXPERIMENT = Key(
    identity=False,
    swept=False,
    compiled=False,
    affects_data=False,
    setting=False,
    describes_run=False,
)
"""Keys that describe the experiment and change no run."""
_BOOKKEEPING = Key(identity=False, swept=False, compiled=False, affects_data=False, setting=False)
"""Keys that change how a run is made or kept, and none of its numbers."""
_BUDGET = Key(
    identity=True,
    swept=True,
    compiled=False,
    affects_data=False,
    setting=False,
    per_batch_size=True,
)
"""Keys that say how long a run trains or how often it is evaluated; budgets have a caveat of
their own in a comparison."""
_OBSERVED = Key(identity=True, swept=True, compiled=False, affects_data=False, setting=False)
"""Keys that are part of a run and make no other setting of it."""
_SETTING = Key(identity=True, swept=True, compiled=False, affects_data=False, setting=True)
"""Keys that make another setting, and neither another program nor other arrays."""


class Spec(KeyedModel):
    """A whole spec. With `sweep` it stands for many runs, without it for one."""

    question: Annotated[Text | None, _EXPERIMENT] = None
    name: Annotated[Text, _EXPERIMENT] = "experiment"
    data: Annotated[
        AnyData,
        Key(
            identity=True,
            swept=True,
            compiled=False,
            affects_data=True,
            setting=True,
            short="name",
            placeholder="digits",
        ),
    ]
    model: Annotated[
        AnyModel,
        Key(
            identity=True,
            swept=True,
            compiled=True,
            affects_data=False,
            setting=True,
            short="preset",
            placeholder="mlp",
            must=one_of(Preset) + ", or {layers: [...]}",
        ),
    ]
    optimizer: Annotated[
        NamedObject,
        Key(
            identity=True,
            swept=True,
            compiled=True,
            affects_data=False,
            setting=True,
            short="name",
            placeholder="adam",
            section="optimizers",
        ),
    ]
    loss: Annotated[
        NamedObject,
        Key(
            identity=True,
            swept=True,
            compiled=True,
            affects_data=True,  # it decides whether labels are classes
            setting=True,
            short="name",
            placeholder="mse",
            section="losses",
        ),
    ]
    metrics: Annotated[
        tuple[NamedObject, ...],
        Field(strict=False),
        Key(
            identity=True,
            swept=True,
            compiled=True,
            affects_data=False,
            setting=True,
            short="name",
        ),
    ] = ()
    epochs: Annotated[Count | None, _BUDGET] = None
    steps: Annotated[Count | None, _BUDGET] = None
    examples: Annotated[Count | None, _BUDGET] = None
    batch_size: Annotated[
        Annotated[int, Strict(), Field(ge=1, le=MAX_COUNT)] | Literal["full"],
        Expected("a whole number from 1 up to the number of training examples, or full"),
        Key(
            identity=True,
            swept=True,
            compiled=False,  # programs are kept by batch size, beside the key of the model
            affects_data=False,
            setting=True,
            placeholder=1,
        ),
    ]
    seed: Annotated[
        int,
        Strict(),
        Field(ge=0, lt=2**32),
        Expected("a whole number, 0 to 4294967295"),
        _OBSERVED,
    ] = 0
    validation: Annotated[
        AnyValidation | None,
        Key(
            identity=True,
            swept=True,
            compiled=False,
            affects_data=True,
            setting=True,
            short="kind",
            must="test, none, {fraction: 0.2} or {examples: 1000}",
        ),
    ] = None
    evaluate_every: Annotated[EvaluateEvery, _BUDGET] = EvaluateEvery(epochs=1)
    target: Annotated[Target | None, _OBSERVED] = None
    sampling: Annotated[Sampling, Expected(one_of(Sampling)), _SETTING] = "shuffle"
    partial_batch: Annotated[PartialBatch, Expected(one_of(PartialBatch)), _SETTING] = "keep"
    learning_rate_rule: Annotated[
        LearningRateRule,
        Key(
            identity=True,
            swept=True,
            compiled=False,  # what it sets of the optimizer is part of the program key by itself
            affects_data=False,
            setting=True,
            short="rule",
        ),
    ] = LearningRateRule()
    record: Annotated[
        tuple[Recorded, ...],
        Field(strict=False),
        Expected("a list of steps, weights and noise, like [steps]"),
        _OBSERVED,
    ] = ()
    save: Annotated[
        tuple[Saved, ...],
        Field(strict=False),
        Expected("none, last, best or [last, best]"),
        Key(
            identity=False,
            swept=False,
            compiled=False,
            affects_data=False,
            setting=False,
            words="none",
        ),
    ] = ()
    callbacks: Annotated[
        tuple[Any, ...],
        Field(strict=False),
        Expected("a list of callbacks, like [EarlyStopping: {patience: 3}]"),
        _SETTING,
    ] = ()
    class_weight: Annotated[
        Literal["balanced"] | dict[str, Annotated[float, Field(ge=0)]] | None,
        Expected("balanced, or a weight of 0 or more for each class, like {0: 1, 1: 5}"),
        Key(identity=True, swept=True, compiled=False, affects_data=True, setting=True),
    ] = None
    engine: Annotated[Engine, Expected(one_of(Engine)), _BOOKKEEPING] = "auto"
    precision: Annotated[
        Literal["float32", "mixed_bfloat16"],
        Expected("float32 or mixed_bfloat16"),
        Key(identity=True, swept=True, compiled=True, affects_data=False, setting=True),
    ] = "float32"
    sweep: Annotated[
        dict[str, Any] | None,
        Field(min_length=1),
        Expected("lists by dotted key, like {batch_size: [16, 128]}"),
        _EXPERIMENT,
    ] = None

    @property
    def budget(self) -> Budget:
        """What ends the run."""
        kind = next(kind for kind in BUDGETS if getattr(self, kind) is not None)
        return Budget(kind, int(getattr(self, kind)))

    def logged_metrics(self) -> Iterator[str]:
        """Yield the names under which Keras logs the loss and the metrics."""
        yield "loss"
        for metric in self.metrics:
            yield metric.name

    def plain(self) -> dict[str, Any]:
        """Return the spec as plain values that read back as the same spec."""
        return self.model_dump(mode="json", exclude_none=True, exclude_defaults=False)


def _key(name: str) -> Key:
    key = metadata(Spec, name)
    assert isinstance(key, Key)  # noqa: S101  # KeyedModel has checked it
    return key


KEYS: dict[str, Key] = {name: _key(name) for name in Spec.model_fields}
"""The metadata of every top-level key."""


def keys_where(condition: Callable[[Key], bool]) -> tuple[str, ...]:
    """Return the top-level keys whose metadata pass a condition, in the order of the fields."""
    return tuple(name for name, key in KEYS.items() if condition(key))
