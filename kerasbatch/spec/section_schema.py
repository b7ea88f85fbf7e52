"""The sections of the spec: model, validation, evaluations, target and learning-rate rule."""

import ctypes
import math
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, model_serializer

from kerasbatch.spec import keras_registry
from kerasbatch.spec.fields import (
    CODE,
    Count,
    Expected,
    Flag,
    Fraction,
    InnerKey,
    KeyedModel,
    OneOf,
    OwnArguments,
    PythonName,
    StrictModel,
    Text,
    one_of,
)
from kerasbatch.steps import Plan
from kerasbatch.types import EveryKind

Preset = Literal["linear", "mlp", "cnn"]
Decay = Literal["cosine", "linear"]
EVERY_FORM = "a mapping, like {steps: 100}"
TARGET_FORM = "a mapping, like {metric: val_accuracy, at_least: 0.97}"


class PresetModel(KeyedModel):
    """A preset model, by its name."""

    is_text: ClassVar[bool] = True
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
    arguments: Annotated[OwnArguments, InnerKey()] = None


class ObjectModel(KeyedModel):
    """A model, or what builds one, that Python code passed."""

    kind: Literal["object"] = Field("object", exclude=True)
    object: Annotated[Text, InnerKey()]
    note: Annotated[Text | None, InnerKey(identity=False)] = None
    arguments: Annotated[OwnArguments, InnerKey()] = None


OWN_CODE = (PythonModel, ObjectModel)
"""The models that come from code of the user."""
AnyModel = Annotated[
    PresetModel | LayerModel | PythonModel | ObjectModel, Field(discriminator="kind")
]


class ValidationWord(StrictModel):
    """Validation on the test part of the data, or none."""

    is_text: ClassVar[bool] = True
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


class LastForValidation(StrictModel):
    """Validation on the last examples, for data in an order such as that of time."""

    kind: Literal["last"] = Field("last", exclude=True)
    last: Fraction


class GroupsForValidation(StrictModel):
    """Validation on whole groups of rows, such as all those of a patient."""

    kind: Literal["groups"] = Field("groups", exclude=True)
    groups: Text
    fraction: Fraction = 0.2


AnyValidation = Annotated[
    ValidationWord
    | FractionForValidation
    | ExamplesForValidation
    | LastForValidation
    | GroupsForValidation,
    Field(discriminator="kind"),
]


class LastForTest(StrictModel):
    """A test on the last examples, which neither training nor validation use."""

    last: Fraction


class EvaluateEvery(StrictModel):
    """The distance of evaluations: exactly one of the four."""

    epochs: Count | None = None
    steps: Count | None = None
    examples: Count | None = None
    growth: Annotated[
        float | None, Field(ge=1.01, le=1000), Expected("a factor from 1.01 on, like 1.1")
    ] = None

    @property
    def units(self) -> list[EveryKind]:
        """Those of the four that are set; exactly one in a checked spec."""
        return [kind for kind in get_args(EveryKind) if getattr(self, kind) is not None]

    @property
    def kind(self) -> EveryKind:
        """The one of the four that is set."""
        return self.units[0]

    @property
    def amount(self) -> float:
        """The value of the one that is set."""
        return float(getattr(self, self.kind))


EVERY_EPOCH = EvaluateEvery(epochs=1)


class Target(StrictModel):
    """The value of a metric to reach, with one bound; `stop` ends the run there."""

    metric: Text
    at_least: Annotated[float | None, Expected("a finite number")] = None
    at_most: Annotated[float | None, Expected("a finite number")] = None
    stop: Flag = False

    def __str__(self) -> str:
        """Return the target as text, like val_accuracy >= 0.97."""
        return f"{self.metric} {'<=' if self.at_least is None else '>='} {self.value:g}"

    @property
    def lower_is_better(self) -> bool:
        """True if the bound is an upper one."""
        return self.at_least is None

    @property
    def value(self) -> float:
        """The bound."""
        bound = self.at_most if self.at_least is None else self.at_least
        return math.nan if bound is None else bound

    def direction_problem(self) -> str | None:
        """Return the problem of a bound that a worse value reaches, with the right one; or None."""
        better = keras_registry.better_direction(self.metric)
        if better is None or (better == "lower") == self.lower_is_better:
            return None
        right = "at_least" if self.lower_is_better else "at_most"
        sign = ">=" if self.lower_is_better else "<="
        return (
            f"{self.metric} is better when it is {better}; write {right}: {self.value:g} "
            f'("{self.metric}{sign}{self.value:g}")'
        )

    def is_reached_by(self, values: Any) -> Any:
        """Return whether a value reaches the target, or for a Series, element by element.

        Metrics are float32, in which 9 of 10 is 0.89999998: it reaches 0.9.
        """
        rounded = ctypes.c_float(self.value).value
        if self.lower_is_better:
            return values <= max(self.value, rounded)
        return values >= min(self.value, rounded)


class WarmUpLength(OneOf):
    """The length of the warm-up: exactly one of the three."""

    epochs: Count | None = None
    steps: Count | None = None
    fraction: Fraction | None = None

    def in_steps(self, plan: Plan) -> int:
        """Return the length in steps; a fraction is one of the planned steps."""
        if self.fraction is not None:
            return round(self.fraction * plan.total_steps)
        return self.steps or (self.epochs or 0) * plan.steps_per_epoch


class LearningRateRule(StrictModel):
    """The rule by which the learning rate follows the batch size."""

    rule: Annotated[Literal["none", "linear", "sqrt"], Expected("one of none, linear, sqrt")] = (
        "none"
    )
    base_batch_size: Count = 32
    betas: Flag = False
    times: Annotated[float, Field(gt=0), Expected("a number above 0")] = 1.0
    warmup: WarmUpLength | None = None
    decay: Annotated[Decay | None, Expected(one_of(Decay))] = None
    final: Annotated[
        float | None, Field(ge=0, lt=1), Expected("the part of the top rate at the end, 0 up to 1")
    ] = None

    @property
    def follows_budget(self) -> bool:
        """True if the rate at a step depends on the length of the budget."""
        warmup = self.warmup is not None and self.warmup.fraction is not None
        return warmup or self.decay is not None

    @property
    def is_scheduled(self) -> bool:
        """True if the rate changes from step to step."""
        return self.warmup is not None or self.decay is not None
