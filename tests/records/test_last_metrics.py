"""The last and the best values of a history."""

from kerasbatch.records.last_metrics import last_and_best
from kerasbatch.spec.section_schema import Target

ROWS = [
    {"step": step, "val_loss": loss, "val_gain": gain}
    for step, loss, gain in [(0, 0.1, 9.0), (5, 3.0, 2.0), (10, 1.0, float("nan")), (15, 2.0, 1.0)]
]


def test_best_of_a_metric_of_keras() -> None:
    """The lowest loss, without that of the untrained model."""
    assert last_and_best(ROWS, "val_", None) == {
        "val_loss": 2.0,
        "val_gain": 1.0,
        "best_val_loss": 1.0,
    }


def test_a_target_tells_the_direction_of_an_own_metric() -> None:
    """Of own code, only the bound says whether more is better."""
    higher = last_and_best(ROWS, "val_", Target(metric="val_gain", at_least=5.0))
    lower = last_and_best(ROWS, "val_", Target(metric="val_gain", at_most=0.5))
    assert (higher["best_val_gain"], lower["best_val_gain"]) == (2.0, 1.0)
