"""The step check: observed counts against planned counts.

Three counts are compared for every epoch: batches (from Keras' callback hooks), updates (the
optimizer's own counter) and examples (the rows that Keras' loss metric has averaged over). The
fused engine also sums random tags of the examples in its training step. The sum reveals a batch
that replaces another one, which leaves the counts unchanged.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from kerasbatch.columns import STEP_COLUMNS
from kerasbatch.steps import EpochPlan, Plan

Failure = Literal["failed", "out_of_memory"]
"""Endings by an error, which may fall inside a step."""
Ending = (
    Literal["target_reached", "early_stop", "diverged", "budget", "capped", "interrupted"] | Failure
)
OK = "ok"


@dataclass(frozen=True)
class ObservedEpoch:
    """The counts of an epoch; None for a count that is not available.

    Args:
        updates: the steps, by the optimizer's counter.
        batches: the batches, by the callbacks.
        examples: the rows, by Keras' loss metric.
        examples_match: whether the examples are those of the planned order, each as often.
    """

    updates: int
    batches: int | None = None
    examples: int | None = None
    examples_match: bool | None = None


def epoch_check(
    planned: EpochPlan, batch_size: int, seen: ObservedEpoch, ending: Ending | None
) -> str:
    """Return the check of one epoch: `ok`, `ended_early: <why>` or `mismatch: <cause>`.

    Args:
        planned: the epoch as planned.
        batch_size: the batch size as a number.
        seen: the observed counts.
        ending: the reason why the run ended inside this epoch, if it did.
    """
    if seen.batches is not None and seen.updates != seen.batches:
        cause = "skipped_updates" if seen.updates < seen.batches else "repeated_updates"
        return f"mismatch: {cause}"
    if seen.updates > planned.steps:
        return "mismatch: repeated_batches"
    if seen.updates < planned.steps and ending is None:
        return "mismatch: missing_batches"
    expected = min(seen.updates * batch_size, planned.examples)
    miscounted = seen.examples is not None and seen.examples != expected
    if miscounted or seen.examples_match is False:
        return "mismatch: wrong_examples"
    if seen.updates < planned.steps or is_failure(ending):  # its last step may be incomplete
        return f"ended_early: {ending}"
    return OK if planned.is_complete else "ended_early: budget"


def is_failure(ending: Ending | None) -> bool:
    """Return whether an error ended the training."""
    return ending in get_args(Failure)


def is_mismatch(check: str) -> bool:
    """Return whether a check is a mismatch; an early end is not one."""
    return check.startswith("mismatch")


def check_row(plan: Plan, epoch: int, seen: ObservedEpoch, ending: Ending | None) -> dict[str, Any]:
    """Return the row of steps.csv for one epoch, counted from 1."""
    planned = plan.epoch_plan(epoch)
    values = (
        epoch,
        plan.train_examples,
        plan.batch_size,
        planned.steps,
        seen.updates,
        planned.examples,
        seen.examples,
        planned.last_batch_size,
        epoch_check(planned, plan.batch_size, seen, ending),
    )
    return dict(zip(STEP_COLUMNS, values, strict=True))


def run_check(plan: Plan, rows: list[dict[str, Any]], ending: Ending | None) -> str:
    """Return the check of a run from the rows of its epochs.

    The first mismatch decides. A run that took every planned step is ok, even if its budget
    ends inside an epoch, unless an error or an interrupt ended it.
    """
    for row in rows:
        if is_mismatch(row["check"]):
            return str(row["check"])
    observed = sum(row["observed_steps"] for row in rows)
    if observed == plan.total_steps and ending != "interrupted" and not is_failure(ending):
        return OK
    if observed > plan.total_steps:
        return "mismatch: repeated_batches"
    if ending is None:
        return "mismatch: missing_batches"
    return f"ended_early: {ending}"
