"""The spec of an experiment: frozen, strict models, one field per key.

A spec says what to train; nothing here reads files, knows YAML or imports Keras. Short forms
(`data: digits`, `optimizer: adam`) are opened into their long forms before they are checked, so
the rest of the program meets one form only. Every field carries in words what it must be; errors
and the JSON schema use the same words.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field, Strict, Tag

from kerasbatch.spec.data_schema import (
    AnyData,
    BuiltInData,
    CsvData,
    NpyData,
    NpyFiles,
    NpzData,
    ParquetData,
    PythonData,
)
from kerasbatch.spec.fields import (
    MAX_COUNT,
    Count,
    Expected,
    Flag,
    Fraction,
    NamedObject,
    PythonName,
    Short,
    StrictModel,
    Text,
    Words,
    by_key,
    one_of,
    tag,
    word_or,
)
from kerasbatch.steps import Budget
from kerasbatch.types import BudgetKind, Engine, EveryKind, PartialBatch, Sampling

Preset = Literal["linear", "mlp", "cnn"]
Recorded = Literal["steps", "weights", "noise"]
Saved = Literal["last", "best"]
BUDGETS: tuple[BudgetKind, ...] = get_args(BudgetKind)


class LayerModel(StrictModel):
    """A model as a list of Keras layers; `names` checks the layers."""

    layers: tuple[Any, ...] = Field(strict=False)


class PythonModel(StrictModel):
    """A model that a Python function returns; needs trust."""

    python: PythonName


OwnModel = Annotated[
    Annotated[LayerModel, Tag(tag(LayerModel))] | Annotated[PythonModel, Tag(tag(PythonModel))],
    by_key(layers=LayerModel, python=PythonModel),
]
AnyModel = Annotated[
    Annotated[Preset, Expected(one_of(Preset) + ", or {layers: [...]}"), Tag("<word>")]
    | Annotated[OwnModel, Tag("<own>")],
    word_or("<own>"),
]


class FractionForValidation(StrictModel):
    """Validation on a share of the training data."""

    fraction: Fraction


class ExamplesForValidation(StrictModel):
    """Validation on so many of the training examples."""

    examples: Count


SplitForValidation = Annotated[
    Annotated[FractionForValidation, Tag(tag(FractionForValidation))]
    | Annotated[ExamplesForValidation, Tag(tag(ExamplesForValidation))],
    by_key(fraction=FractionForValidation, examples=ExamplesForValidation),
]
AnyValidation = Annotated[
    Annotated[
        Literal["test", "none"],
        Expected("test, none, {fraction: 0.2} or {examples: 1000}"),
        Tag("<word>"),
    ]
    | Annotated[SplitForValidation, Tag("<split>")],
    word_or("<split>"),
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
        """Which of the four is set."""
        return next(kind for kind in get_args(EveryKind) if getattr(self, kind) is not None)

    @property
    def amount(self) -> float:
        """The value of the one that is set."""
        return float(getattr(self, self.kind))


class Target(StrictModel):
    """The metric value to reach; `stop` ends the run there."""

    metric: Text
    at_least: Annotated[float | None, Expected("a finite number")] = None
    at_most: Annotated[float | None, Expected("a finite number")] = None
    stop: Flag = False

    def reached(self, value: float) -> bool:
        """Tell whether a value of the metric passes the target."""
        if self.at_least is not None:
            return value >= self.at_least
        return self.at_most is not None and value <= self.at_most

    def describe(self) -> str:
        """Write the target as it is compared: val_accuracy >= 0.97."""
        if self.at_least is not None:
            return f"{self.metric} >= {self.at_least:g}"
        return f"{self.metric} <= {self.at_most:g}"


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


class Spec(StrictModel):
    """A whole spec. With `sweep` it stands for many runs, without it for one."""

    question: Text | None = None
    name: Text = "experiment"
    data: Annotated[AnyData, Short("name")]
    model: AnyModel
    optimizer: Annotated[NamedObject, Short("name")]
    loss: Annotated[NamedObject, Short("name")]
    metrics: Annotated[tuple[Annotated[NamedObject, Short("name")], ...], Field(strict=False)] = ()
    epochs: Count | None = None
    steps: Count | None = None
    examples: Count | None = None
    batch_size: Annotated[
        Annotated[int, Strict(), Field(ge=1, le=MAX_COUNT)] | Literal["full"],
        Expected("a whole number from 1 up to the number of training examples, or full"),
    ]
    seed: Annotated[
        int, Strict(), Field(ge=0, lt=2**32), Expected("a whole number, 0 to 4294967295")
    ] = 0
    validation: AnyValidation | None = None
    evaluate_every: EvaluateEvery = EvaluateEvery(epochs=1)
    target: Target | None = None
    sampling: Annotated[Sampling, Expected(one_of(Sampling))] = "shuffle"
    partial_batch: Annotated[PartialBatch, Expected(one_of(PartialBatch))] = "keep"
    learning_rate_rule: Annotated[LearningRateRule, Short("rule")] = LearningRateRule()
    record: Annotated[
        tuple[Recorded, ...],
        Field(strict=False),
        Expected("a list of steps, weights and noise, like [steps]"),
    ] = ()
    save: Annotated[
        tuple[Saved, ...],
        Field(strict=False),
        Words("none"),
        Expected("none, last, best or [last, best]"),
    ] = ()
    callbacks: Annotated[
        tuple[Any, ...],
        Field(strict=False),
        Expected("a list of callbacks, like [EarlyStopping: {patience: 3}]"),
    ] = ()
    class_weight: Annotated[
        Literal["balanced"] | dict[str, Annotated[float, Field(ge=0)]] | None,
        Expected("balanced, or a weight of 0 or more for each class, like {0: 1, 1: 5}"),
    ] = None
    engine: Annotated[Engine, Expected(one_of(Engine))] = "auto"
    precision: Annotated[
        Literal["float32", "mixed_bfloat16"], Expected("float32 or mixed_bfloat16")
    ] = "float32"
    sweep: Annotated[
        dict[str, Any] | None,
        Field(min_length=1),
        Expected("lists by dotted key, like {batch_size: [16, 128]}"),
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


SHORT_FORMS = {
    key: short.key
    for key, field in Spec.model_fields.items()
    for short in field.metadata
    if isinstance(short, Short)
}
"""The keys whose mapping may be written as plain text, and which of its keys the text is."""

_TAGGED: tuple[type[BaseModel], ...] = (
    BuiltInData,
    CsvData,
    ParquetData,
    NpzData,
    NpyData,
    PythonData,
    LayerModel,
    PythonModel,
    FractionForValidation,
    ExamplesForValidation,
)
_MAPPINGS: dict[str, type[BaseModel]] = {tag(model): model for model in _TAGGED} | {
    "npy": NpyFiles,
    "evaluate_every": EvaluateEvery,
    "target": Target,
    "learning_rate_rule": LearningRateRule,
    "warmup": WarmUpLength,
}


def legal_keys(path: tuple[str | int, ...]) -> list[str]:
    """Return the keys that the mapping at the end of an error's location may have."""
    return list(_MAPPINGS.get(str(path[-1]), Spec).model_fields if path else Spec.model_fields)
