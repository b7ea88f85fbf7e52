"""The result of one seed of a setting, as far as a search may know it under a cap."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kerasbatch.records.run_status import RunStatus
from kerasbatch.search.judged_metric import judged_metric, lower_is_better
from kerasbatch.search.skill import has_no_skill
from kerasbatch.spec.schema import Spec
from kerasbatch.types import Row

Record = Mapping[str, Any]


@dataclass(frozen=True)
class SeedResult:
    """The result of one seed of a setting.

    Args:
        steps: the steps to the target, or None if it was not reached.
        taken: the steps known to be taken without reaching the target; infinite for a run that
            ended without it.
        badness: the last value of the judged metric, or its negative if higher values are better;
            infinite for a run that diverged or learned nothing.
        diverged: whether it diverged.
        failed: whether it failed, so that nothing is known of it.
    """

    steps: float | None
    taken: float
    badness: float
    diverged: bool = False
    failed: bool = False

    @property
    def learned(self) -> bool:
        """True if it learned something."""
        return self.steps is not None or math.isfinite(self.badness)

    @property
    def least_steps(self) -> float:
        """The least number of steps that it needs to the target."""
        if self.failed:
            return 0.0
        return self.taken + 1 if self.steps is None else self.steps


NOT_READ = SeedResult(None, math.inf, math.inf)
"""The result of a run of a grid without caps, which decides nothing."""
FAILED = SeedResult(None, math.inf, math.inf, failed=True)
"""The result of a run that failed."""


def is_enough(record: Record, cap: int | None) -> bool:
    """Return whether a record answers a request for a run with a cap in steps."""
    status = RunStatus(record["status"])
    if status == RunStatus.CAPPED:
        return cap is not None and record["cap"]["steps"] >= cap
    return status.is_finished


def seed_result(spec: Spec, record: Record, history: Sequence[Row], cap: int | None) -> SeedResult:
    """Return what a search knows of a run that was stopped at a cap, or would have been.

    A run that went on beyond the cap counts as if it had stopped at its first evaluation there, so
    that a search takes the same course whatever runs exist already.

    Args:
        spec: its spec.
        record: its record.
        history: the rows of its history.csv, as numbers.
        cap: the number of steps at which the search lets it stop, or None.
    """
    row, status = record["row"], RunStatus(record["status"])
    if status.is_failure:
        return FAILED
    metric = judged_metric(spec, row)
    lower = lower_is_better(spec.target, metric)
    steps, end = _steps_to_target(spec, history), row["observed_steps"]
    goes_on = cap is not None and (end > cap or status == RunStatus.CAPPED)
    if cap is not None and goes_on and not (steps is not None and steps <= cap):
        seen = [entry for entry in history if entry["step"] >= cap][:1]
        value = seen[0].get(metric) if seen else None
        return SeedResult(None, cap, _badness(metric, lower, value, record, history))
    badness = _badness(metric, lower, row.get(metric), record, history)
    if status == RunStatus.DIVERGED:
        return SeedResult(None, math.inf, math.inf, diverged=True)
    if steps is None or math.isinf(badness):
        return SeedResult(None, math.inf, badness)
    return SeedResult(float(steps), float(steps), badness)


def _steps_to_target(spec: Spec, history: Sequence[Row]) -> float | None:
    """Return the step of the first evaluation that reached the target, as `compare` does."""
    target = spec.target
    if target is None:
        return None
    values = ((row["step"], row.get(target.metric)) for row in history if row["step"] > 0)
    return next((s for s, v in values if v is not None and target.is_reached_by(v)), None)


def _badness(
    metric: str, lower: bool, value: float | None, record: Record, history: Sequence[Row]
) -> float:
    if not isinstance(value, int | float) or math.isnan(value):
        return math.inf
    levels = [
        level
        for level in (
            (record.get("chance_level") or {}).get(metric),
            *(entry.get(metric) for entry in history[:1] if entry["step"] == 0),
        )
        if level is not None
    ]
    if levels and has_no_skill(value, min(levels) if lower else max(levels), lower=lower):
        return math.inf
    return float(value if lower else -value)
