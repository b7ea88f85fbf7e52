"""The keys of stored models and states: initial_weights, save, checkpoint and export."""

from typing import Annotated, Literal

from pydantic import Field

from kerasbatch.spec.fields import (
    FILE,
    Count,
    Expected,
    FileName,
    InnerKey,
    KeyedModel,
    OneOf,
    StrictModel,
    Text,
)
from kerasbatch.spec.section_schema import EvaluateEvery

Saved = Literal["last", "best"]
WEIGHTS_FORM = "a file of weights, the directory of a run, or {experiment: head}"
CHECKPOINT_FORM = "one of epochs, steps, minutes, like {epochs: 1}"
LayerNames = Annotated[
    tuple[Text, ...],
    Field(strict=False, min_length=1),
    Expected('a list of layers, or of patterns such as "conv_*"'),
]
Exporters = Annotated[
    tuple[Literal["tensorboard"], ...],
    Field(strict=False),
    Expected("[tensorboard]; for others, use kerasbatch export"),
]
_ELSEWHERE = InnerKey(identity=False)
"""Names of weights, whose content is part of a run's identity."""


class _Weights(KeyedModel):
    """Weights of a kept model.

    Args:
        which: the model of a run, `last` or `best`; by default the best, if it was kept.
        skip: the layers that may stay as they were drawn.
    """

    which: Annotated[Saved | None, Expected("last or best"), _ELSEWHERE] = None
    skip: Annotated[LayerNames | None, InnerKey()] = None


class WeightsOfFile(_Weights):
    """Weights of a file, or of the directory of a run."""

    kind: Literal["file"] = Field("file", exclude=True)
    file: Annotated[FileName, FILE]


class WeightsOfExperiment(_Weights):
    """Weights of a run of an experiment in the same results folder."""

    kind: Literal["experiment"] = Field("experiment", exclude=True)
    experiment: Annotated[Text, _ELSEWHERE]
    run: Annotated[Text, _ELSEWHERE] = "best"


def skipped_layers(weights: "AnyWeights | None") -> tuple[str, ...]:
    """Return the layers that may stay as they were drawn."""
    return () if weights is None else weights.skip or ()


AnyWeights = Annotated[WeightsOfFile | WeightsOfExperiment, Field(discriminator="kind")]


class SaveEvery(StrictModel):
    """Models that are saved during the training, of which the last ones are kept."""

    every: EvaluateEvery
    keep: Count = 1


class CheckpointEvery(OneOf):
    """The distance of checkpoints: exactly one of the three."""

    epochs: Count | None = None
    steps: Count | None = None
    minutes: Annotated[float | None, Field(gt=0), Expected("a number above 0")] = None
