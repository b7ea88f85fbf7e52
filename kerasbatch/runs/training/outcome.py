"""The outcome of a training: its end and its measurements."""

from dataclasses import dataclass, field

from kerasbatch.records.run_status import RunStatus
from kerasbatch.types import Row


@dataclass(frozen=True)
class Outcome:
    """The outcome of a training; None for a value that was not measured.

    Args:
        status: the kind of its end.
        message: a description of its end.
        engine: the engine, or None if the training did not begin.
        why: the reason for this engine.
        jit_compile: whether XLA compiled the step.
        step_check: the step check of the run.
        observed_steps: the steps counted by the optimizer.
        observed_examples: the examples counted by Keras' loss metric.
        train_seconds: the seconds of training alone.
        compile_seconds: the seconds of compilation.
        evaluate_seconds: the seconds of evaluation.
        metrics: the last and best values, and those of the test part.
        reached: the row of the first evaluation that reached the target.
        error: the traceback of an error.
        chance_level: the metrics of the best constant prediction, by their columns.
    """

    status: RunStatus
    message: str
    engine: str | None
    why: str
    jit_compile: bool | None
    step_check: str
    observed_steps: int
    observed_examples: int | None
    train_seconds: float | None
    compile_seconds: float | None
    evaluate_seconds: float | None
    metrics: dict[str, float]
    reached: Row | None = None
    error: str | None = None
    chance_level: dict[str, float] = field(default_factory=dict)
