"""The step check: what was counted against what was planned.

Three counts are compared for every epoch: batches (told by Keras to callbacks), updates (the
optimizer's own counter) and examples (the rows that Keras' loss metric has averaged over). Where
the engine is ours, the training step also adds up random tags of the examples it meets, so that a
batch that is dropped for another one, repeated, cannot hide behind right counts.
"""

from dataclasses import dataclass
from typing import Any, Literal

from kerasbatch.columns import STEP_COLUMNS
from kerasbatch.steps import EpochPlan, Plan

Ending = Literal["target_reached", "early_stop", "diverged", "interrupted", "failed", "budget"]
OK = "ok"


@dataclass(frozen=True)
class ObservedEpoch:
    """What was counted in an epoch; None for what could not be counted.

    Args:
        updates: steps by the optimizer's counter.
        batches: batches by the callbacks.
        examples: rows by Keras' loss metric.
        examples_match: whether these were the examples that the order says, each as often.
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
        seen: what was counted.
        ending: why the run ended inside this epoch, if it did.
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
    if seen.updates < planned.steps or ending == "failed":  # its last step may be half a step
        return f"ended_early: {ending}"
    return OK if planned.whole else "ended_early: budget"


def is_mismatch(check: str) -> bool:
    """Tell whether a check found something wrong; a training that ended early is not."""
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
    """Return the check of a whole run from the rows of its epochs.

    The first mismatch decides. A run that took every planned step is ok, also where its budget
    ends inside an epoch.
    """
    for each in rows:
        if is_mismatch(each["check"]):
            return str(each["check"])
    observed = sum(each["observed_steps"] for each in rows)
    if observed == plan.total_steps:
        return OK
    if observed > plan.total_steps:
        return "mismatch: repeated_batches"
    if ending is None:
        return "mismatch: missing_batches"
    return f"ended_early: {ending}"
