"""Every verdict of the step check."""

import pytest

from kerasbatch.planning import plan
from kerasbatch.step_check import Ending, ObservedEpoch, epoch_check, run_check

PLAN = plan(10, batch_size=4, epochs=2)
CUT = plan(10, batch_size=4, steps=4)


@pytest.mark.parametrize(
    ("seen", "ending", "check"),
    [
        (ObservedEpoch(3, 3, 10), None, "ok"),
        (ObservedEpoch(3, None, None), None, "ok"),
        (ObservedEpoch(2, 3, 10), None, "mismatch: skipped_updates"),
        (ObservedEpoch(4, 3, 10), None, "mismatch: repeated_updates"),
        (ObservedEpoch(4, 4, 14), None, "mismatch: repeated_batches"),
        (ObservedEpoch(2, 2, 8), None, "mismatch: missing_batches"),
        (ObservedEpoch(2, 2, 8), "target_reached", "ended_early: target_reached"),
        (ObservedEpoch(2, 2, 6), "diverged", "mismatch: wrong_examples"),
        (ObservedEpoch(3, 3, 12), None, "mismatch: wrong_examples"),
        (ObservedEpoch(3, 3, 10, examples_match=False), None, "mismatch: wrong_examples"),
        (ObservedEpoch(3, 3, 10, examples_match=True), None, "ok"),
    ],
)
def test_verdicts(seen: ObservedEpoch, ending: Ending | None, check: str) -> None:
    """An epoch of 10 examples at batch 4: 3 steps."""
    assert epoch_check(PLAN.epoch_plan(1), 4, seen, ending) == check


def test_a_budget_that_ends_inside_an_epoch() -> None:
    """The epoch ended early, the run did as planned."""
    check = epoch_check(CUT.epoch_plan(2), 4, ObservedEpoch(1, 1, 4), None)
    assert check == "ended_early: budget"
    rows = [{"check": "ok", "observed_steps": 3}, {"check": check, "observed_steps": 1}]
    assert run_check(CUT, rows, None) == "ok"


def test_totals() -> None:
    """A mismatch decides; missing epochs need a reason."""
    one = {"check": "ok", "observed_steps": 3}
    wrong = {"check": "mismatch: skipped_updates", "observed_steps": 2}
    assert run_check(PLAN, [one, one], None) == "ok"
    assert run_check(PLAN, [one, wrong], "target_reached") == "mismatch: skipped_updates"
    assert run_check(PLAN, [one], "interrupted") == "ended_early: interrupted"
    assert run_check(PLAN, [one], None) == "mismatch: missing_batches"
