"""The spec of an experiment: a frozen, strict model with one field per key.

The fields are the only list of keys. Each field carries its metadata, a `Key`; every other list of
keys derives from it by `keys_where`. This module reads no files, parses no YAML and imports no
Keras.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, Strict

from kerasbatch.spec import stored_schema as stored
from kerasbatch.spec.compile_part import CompilePart
from kerasbatch.spec.data_schema import AnyData
from kerasbatch.spec.fields import (
    BOOKKEEPING,
    BUDGET,
    COMPILED,
    DATA,
    EXPERIMENT,
    MAX_COUNT,
    OBSERVED,
    PROCESS,
    SETTING,
    SWEEP,
    Count,
    Expected,
    Flag,
    Key,
    KeyedModel,
    Text,
    metadata,
    one_of,
)
from kerasbatch.spec.keras_registry import LabelKind, label_kind
from kerasbatch.spec.section_schema import (
    EVERY_EPOCH,
    EVERY_FORM,
    OWN_CODE,
    TARGET_FORM,
    AnyModel,
    AnyValidation,
    EvaluateEvery,
    LastForTest,
    LearningRateRule,
    Preset,
    Target,
)
from kerasbatch.spec.stored_schema import Saved, SaveEvery
from kerasbatch.steps import Budget
from kerasbatch.types import Backend, BudgetKind, Engine, PartialBatch, Precision, Sampling

Recorded = Literal["steps", "weights", "noise"]
BUDGETS: tuple[BudgetKind, ...] = get_args(BudgetKind)

OF_MODEL = CompilePart()
"""A part that the model was compiled with."""


class Spec(KeyedModel):
    """A spec. With `sweep` it describes many runs, without it one."""

    question: Annotated[Text | None, EXPERIMENT] = None
    name: Annotated[Text, EXPERIMENT] = "experiment"
    data: Annotated[
        AnyData,
        replace(DATA, short="name", placeholder="digits"),
    ]
    model: Annotated[
        AnyModel,
        replace(
            COMPILED,
            short="preset",
            placeholder="mlp",
            must=one_of(Preset) + ", or {layers: [...]}",
        ),
    ]
    initial_weights: Annotated[
        stored.AnyWeights | None,
        replace(SETTING, short="file", must=stored.WEIGHTS_FORM),
    ] = None
    freeze: Annotated[stored.LayerNames | None, COMPILED] = None
    optimizer: Annotated[
        CompilePart,
        replace(COMPILED, short="name", placeholder="adam", section="optimizers"),
    ] = OF_MODEL
    loss: Annotated[
        CompilePart,
        replace(  # it decides whether labels are classes
            COMPILED, affects_data=True, short="name", placeholder="mse", section="losses"
        ),
    ] = OF_MODEL
    metrics: Annotated[
        tuple[CompilePart, ...],
        Field(strict=False),
        replace(COMPILED, short="name"),
    ] = ()
    loss_weights: Annotated[
        dict[str, Annotated[float, Field(ge=0)]] | None,
        Field(min_length=1),
        Expected("a weight of 0 or more for each output, like {price: 0.1, kind: 1}"),
        COMPILED,
    ] = None
    epochs: Annotated[Count | None, BUDGET] = None
    steps: Annotated[Count | None, BUDGET] = None
    examples: Annotated[Count | None, BUDGET] = None
    batch_size: Annotated[
        Annotated[int, Strict(), Field(ge=1, le=MAX_COUNT)] | Literal["full"],
        Expected("a whole number from 1 up to the number of training examples, or full"),
        replace(SETTING, placeholder=32),  # Keras' own, where the sweep alone has sizes
    ]
    seed: Annotated[
        int,
        Strict(),
        Field(ge=0, lt=2**32),
        Expected("a whole number, 0 to 4294967295"),
        OBSERVED,
    ] = 0
    validation: Annotated[
        AnyValidation | None,
        replace(
            DATA,
            short="kind",
            must="test, none, {fraction: 0.2}, {examples: 1000}, {last: 0.2} or {groups: COLUMN}",
        ),
    ] = None
    test: Annotated[
        LastForTest | None,
        replace(DATA, must="{last: 0.1}"),
    ] = None
    evaluate_every: Annotated[EvaluateEvery, replace(BUDGET, must=EVERY_FORM)] = EVERY_EPOCH
    target: Annotated[Target | None, replace(OBSERVED, must=TARGET_FORM)] = None
    sampling: Annotated[Sampling, Expected(one_of(Sampling)), SETTING] = "shuffle"
    partial_batch: Annotated[PartialBatch, Expected(one_of(PartialBatch)), SETTING] = "keep"
    learning_rate_rule: Annotated[
        LearningRateRule,
        replace(SETTING, short="rule"),  # what it sets is part of the program key by itself
    ] = LearningRateRule()
    record: Annotated[
        tuple[Recorded, ...],
        Field(strict=False),
        Expected("a list of steps, weights and noise, like [steps]"),
        OBSERVED,
    ] = ()
    save: Annotated[
        tuple[Saved | SaveEvery, ...],
        Field(strict=False),
        Expected("none, last, best, [last, best] or {every: {epochs: 5}, keep: 3}"),
        replace(BOOKKEEPING, words="none"),
    ] = ()
    checkpoint: Annotated[
        stored.CheckpointEvery | None, replace(BOOKKEEPING, must=stored.CHECKPOINT_FORM)
    ] = None
    export: Annotated[stored.Exporters, BOOKKEEPING] = ()
    callbacks: Annotated[
        tuple[Any, ...],
        Field(strict=False),
        Expected("a list of callbacks, like [EarlyStopping: {patience: 3}]"),
        SETTING,
    ] = ()
    class_weight: Annotated[
        Literal["balanced"] | dict[str, Annotated[float, Field(ge=0)]] | None,
        Expected("balanced, or a weight of 0 or more for each class, like {0: 1, 1: 5}"),
        DATA,
    ] = None
    engine: Annotated[Engine, Expected(one_of(Engine)), BOOKKEEPING] = "auto"
    backend: Annotated[Backend, Expected(one_of(Backend)), PROCESS] = "tensorflow"
    precision: Annotated[Precision, Expected(one_of(Precision)), COMPILED] = "float32"
    sweep: Annotated[
        dict[str, Any] | None,
        Field(min_length=1),
        Expected("lists by dotted key, like {batch_size: [16, 128]}"),
        SWEEP,
    ] = None
    search: Annotated[
        dict[str, Any] | None,
        Field(min_length=1),
        Expected("trials and ranges, like {trials: 32, optimizer.learning_rate: {log: [0.01, 1]}}"),
        SWEEP,
    ] = None
    budget: Annotated[Literal["auto"] | None, Expected("auto, beside the budget"), SWEEP] = None
    cap: Annotated[Flag, SWEEP] = True

    @property
    def saved_models(self) -> tuple[Saved, ...]:
        """The models that are saved at the end."""
        return tuple(item for item in self.save if not isinstance(item, SaveEvery))

    @property
    def saved_every(self) -> SaveEvery | None:
        """The models that are saved during the training, or None."""
        return next((item for item in self.save if isinstance(item, SaveEvery)), None)

    @property
    def makes_many(self) -> bool:
        """True if it describes many runs."""
        return any(getattr(self, key) is not None for key in SWEEPING)

    @property
    def length(self) -> Budget:
        """The budget that ends the run."""
        kind = next(kind for kind in BUDGETS if getattr(self, kind) is not None)
        return Budget(kind, int(getattr(self, kind)))

    @property
    def label_kind(self) -> LabelKind:
        """The kind of labels that the loss compares."""
        is_known = not (self.loss.is_own or self.loss.is_of_model or self.loss.outputs)
        return label_kind(self.loss.name) if is_known else "any"

    def label_kind_of(self, output: str) -> LabelKind:
        """Return the kind of labels that the loss of an output compares."""
        if not self.loss.outputs:
            return self.label_kind
        loss = self.loss.outputs.get(output)
        return "any" if loss is None or loss.is_own else label_kind(loss.name)

    @property
    def knows_metrics(self) -> bool:
        """False if the metrics may be those of a model that own code compiles."""
        by_output = self.loss.outputs or any(metric.output for metric in self.metrics)
        return not by_output and (bool(self.metrics) or not isinstance(self.model, OWN_CODE))

    def logged_metrics(self) -> Iterator[str]:
        """Yield the names of the loss and the metrics in Keras' logs."""
        yield "loss"
        for metric in self.metrics:
            yield metric.column

    def plain(self) -> dict[str, Any]:
        """Return the spec as plain values that read back as the same spec."""
        plain = self.model_dump(mode="json", exclude_none=True, exclude_defaults=False)
        return {key: value for key, value in plain.items() if key not in COMPILE_PARTS or value}


def _key(name: str) -> Key:
    key = metadata(Spec, name)
    assert isinstance(key, Key)  # noqa: S101  # KeyedModel has checked it
    return key


KEYS: dict[str, Key] = {name: _key(name) for name in Spec.model_fields}
"""The metadata of every top-level key."""


def keys_where(condition: Callable[[Key], bool]) -> tuple[str, ...]:
    """Return the top-level keys whose metadata pass a condition, in the order of the fields."""
    return tuple(name for name, key in KEYS.items() if condition(key))


COMPILE_PARTS = keys_where(lambda key: key.section is not None)
"""The keys that only a model may leave out that is compiled already."""
OF_SWEEP = keys_where(lambda key: key.of_sweep)
SWEEPING = ("sweep", "search")
"""The keys that make many runs of a spec."""
