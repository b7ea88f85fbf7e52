"""The spec of an experiment: frozen, strict models, one field per key.

A spec says what to train; nothing here reads files, knows YAML or imports Keras. Short forms
(`data: digits`, `optimizer: adam`) are opened into their long forms before they are checked, so
the rest of the program meets one form only. Every field carries in words what it must be; errors
and the JSON schema use the same words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from kerasbatch.shared_types import BudgetKind, Engine, EveryKind, PartialBatch, Sampling
from kerasbatch.steps import Budget

KerasData = Literal["mnist", "fashion_mnist", "cifar10", "cifar100"]
SklearnData = Literal["digits", "iris", "wine", "breast_cancer", "diabetes"]
BuiltInName = Literal[KerasData, SklearnData, "line"]
Preset = Literal["linear", "mlp", "cnn"]
Recorded = Literal["steps", "weights"]
BUDGETS: tuple[BudgetKind, ...] = get_args(BudgetKind)
MAX_COUNT = 10**12
MAX_MADE = 10**7
"""The most examples that are made for a line."""


@dataclass(frozen=True)
class Must:
    """Says in words what a value must be; every failure below it becomes that one sentence."""

    be: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Wrap the validation of the annotated type."""
        return core_schema.no_info_wrap_validator_function(self._validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe the value in the same words."""
        return handler(schema) | {"description": self.be}

    def _validate(self, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise PydanticCustomError("must", "{be}", {"be": self.be}) from None


@dataclass(frozen=True)
class Short:
    """Lets a mapping be written as plain text that stands for one of its keys."""

    key: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Open the short form before validating."""
        return core_schema.no_info_before_validator_function(self._open, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Allow both forms."""
        return {"anyOf": [{"type": "string"}, handler(schema)]}

    def _open(self, value: Any) -> Any:
        return {self.key: value} if isinstance(value, str) else value


def _one_of(names: Any) -> str:
    return "one of " + ", ".join(get_args(names))


Count = Annotated[int, Strict(), Field(ge=1, le=MAX_COUNT), Must("a whole number, at least 1")]
Fraction = Annotated[float, Field(gt=0, lt=1), Must("a number between 0 and 1, both excluded")]
Text = Annotated[str, Strict(), Field(min_length=1, max_length=2000), Must("text")]
Flag = Annotated[bool, Strict(), Must("true or false")]
FileName = Annotated[
    str, Strict(), Field(min_length=1, max_length=1000), Must("the name of a file")
]
PythonName = Annotated[
    str,
    Strict(),
    Field(pattern=r"^[^:\x00]+\.py:[A-Za-z_][A-Za-z0-9_]*$", max_length=1000),
    Must("a file and a function in it, like my_code.py:build"),
]


class Part(BaseModel):
    """The rules of every mapping in a spec: no unknown keys, no conversions, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Named(BaseModel):
    """A Keras object by name, with its arguments beside it; `names` checks both."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    name: Text

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as they were written, without the name."""
        return dict(self.model_extra or {})


class BuiltInData(Part):
    """Data that come with Keras or scikit-learn, or are made here."""

    name: Annotated[BuiltInName, Must(_one_of(BuiltInName))]
    fallback: Annotated[BuiltInName | None, Must(_one_of(BuiltInName))] = None
    examples: Annotated[
        int | None,
        Strict(),
        Field(ge=1, le=MAX_MADE),
        Must(f"a whole number, 1 to {MAX_MADE:,}"),
    ] = None
    noise: Annotated[float | None, Field(ge=0), Must("a number, 0 or more")] = None
    train_examples: Count | None = None
    standardise: Flag = True


class CsvData(Part):
    """A table in a CSV file; the target is one of its columns."""

    csv: FileName
    target: Text
    columns: Annotated[
        tuple[Text, ...] | None, Field(strict=False, min_length=1), Must("a list of column names")
    ] = None
    train_examples: Count | None = None
    standardise: Flag = True


class NpzData(Part):
    """Arrays in an npz file: x_train, y_train and, where there are any, x_test, y_test."""

    npz: FileName
    train_examples: Count | None = None
    standardise: Flag = True


class PythonData(Part):
    """Arrays that a Python function returns; needs trust."""

    python: PythonName
    train_examples: Count | None = None
    standardise: Flag = True


class LayerModel(Part):
    """A model as a list of Keras layers; `names` checks the layers."""

    layers: tuple[Any, ...] = Field(strict=False)


class PythonModel(Part):
    """A model that a Python function returns; needs trust."""

    python: PythonName


def _by_key(**models: type[Part]) -> Discriminator:
    """Choose the member of a union by the key that is present; the first one if none is."""

    def choose(value: Any) -> str:
        if isinstance(value, Part):
            return tag(type(value))
        present = value if isinstance(value, dict) else ()
        chosen = next((model for key, model in models.items() if key in present), None)
        return tag(chosen or next(iter(models.values())))

    return Discriminator(choose)


def tag(model: type[Any]) -> str:
    """Return the mark that a member of a union leaves in the location of an error."""
    return f"<{model.__name__}>"


def _word_or(mapping: str) -> Discriminator:
    """Choose between a plain word and a mapping."""
    scalar = str | int | float | None
    return Discriminator(lambda value: "<word>" if isinstance(value, scalar) else mapping)


AnyData = Annotated[
    Annotated[BuiltInData, Tag(tag(BuiltInData))]
    | Annotated[CsvData, Tag(tag(CsvData))]
    | Annotated[NpzData, Tag(tag(NpzData))]
    | Annotated[PythonData, Tag(tag(PythonData))],
    _by_key(name=BuiltInData, csv=CsvData, npz=NpzData, python=PythonData),
]
OwnModel = Annotated[
    Annotated[LayerModel, Tag(tag(LayerModel))] | Annotated[PythonModel, Tag(tag(PythonModel))],
    _by_key(layers=LayerModel, python=PythonModel),
]
AnyModel = Annotated[
    Annotated[Preset, Must(_one_of(Preset) + ", or {layers: [...]}"), Tag("<word>")]
    | Annotated[OwnModel, Tag("<own>")],
    _word_or("<own>"),
]


class FractionForValidation(Part):
    """Validation on a share of the training data."""

    fraction: Fraction


class ExamplesForValidation(Part):
    """Validation on so many of the training examples."""

    examples: Count


SplitForValidation = Annotated[
    Annotated[FractionForValidation, Tag(tag(FractionForValidation))]
    | Annotated[ExamplesForValidation, Tag(tag(ExamplesForValidation))],
    _by_key(fraction=FractionForValidation, examples=ExamplesForValidation),
]
AnyValidation = Annotated[
    Annotated[
        Literal["test", "none"],
        Must("test, none, {fraction: 0.2} or {examples: 1000}"),
        Tag("<word>"),
    ]
    | Annotated[SplitForValidation, Tag("<split>")],
    _word_or("<split>"),
]


class EvaluateEvery(Part):
    """When a run is evaluated: exactly one of the four."""

    epochs: Count | None = None
    steps: Count | None = None
    examples: Count | None = None
    growth: Annotated[
        float | None, Field(ge=1.01, le=1000), Must("a factor from 1.01 on, like 1.1")
    ] = None

    @property
    def kind(self) -> EveryKind:
        """Which of the four is set."""
        return next(kind for kind in get_args(EveryKind) if getattr(self, kind) is not None)

    @property
    def amount(self) -> float:
        """The value of the one that is set."""
        return float(getattr(self, self.kind))


class Target(Part):
    """The metric value to reach; `stop` ends the run there."""

    metric: Text
    at_least: Annotated[float | None, Must("a finite number")] = None
    at_most: Annotated[float | None, Must("a finite number")] = None
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


class LearningRateRule(Part):
    """How the learning rate follows the batch size."""

    rule: Annotated[Literal["none", "linear", "sqrt"], Must("one of none, linear, sqrt")] = "none"
    base_batch_size: Count = 32
    betas: Flag = False
    times: Annotated[float, Field(gt=0), Must("a number above 0")] = 1.0


class Spec(Part):
    """A whole spec. With `sweep` it stands for many runs, without it for one."""

    question: Text | None = None
    name: Text = "experiment"
    data: Annotated[AnyData, Short("name")]
    model: AnyModel
    optimizer: Annotated[Named, Short("name")]
    loss: Annotated[Named, Short("name")]
    metrics: Annotated[tuple[Annotated[Named, Short("name")], ...], Field(strict=False)] = ()
    epochs: Count | None = None
    steps: Count | None = None
    examples: Count | None = None
    batch_size: Annotated[
        Annotated[int, Strict(), Field(ge=1, le=MAX_COUNT)] | Literal["full"],
        Must("a whole number from 1 up to the number of training examples, or full"),
    ]
    seed: Annotated[
        int, Strict(), Field(ge=0, lt=2**32), Must("a whole number, 0 to 4294967295")
    ] = 0
    validation: AnyValidation | None = None
    evaluate_every: EvaluateEvery = EvaluateEvery(epochs=1)
    target: Target | None = None
    sampling: Annotated[Sampling, Must(_one_of(Sampling))] = "shuffle"
    partial_batch: Annotated[PartialBatch, Must(_one_of(PartialBatch))] = "keep"
    learning_rate_rule: Annotated[LearningRateRule, Short("rule")] = LearningRateRule()
    record: Annotated[
        tuple[Recorded, ...], Field(strict=False), Must("a list of steps and weights, like [steps]")
    ] = ()
    engine: Annotated[Engine, Must(_one_of(Engine))] = "auto"
    precision: Annotated[
        Literal["float32", "mixed_bfloat16"], Must("float32 or mixed_bfloat16")
    ] = "float32"
    sweep: Annotated[
        dict[str, Any] | None,
        Field(min_length=1),
        Must("lists by dotted key, like {batch_size: [16, 128]}"),
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


def legal_keys(path: tuple[str | int, ...]) -> list[str]:
    """Return the keys that the mapping at the end of an error's location may have."""
    parts: list[type[BaseModel]] = [*Part.__subclasses__(), Named]
    models = {tag(model): model for model in parts}
    model: type[BaseModel] = Spec
    for part in path:
        if isinstance(part, str) and part in Spec.model_fields:
            members = {Spec.model_fields[part].annotation}
            members.update(get_args(Spec.model_fields[part].annotation))
            model = next((each for each in parts if each in members), model)
        else:
            model = models.get(str(part), model)
    return list(model.model_fields)
