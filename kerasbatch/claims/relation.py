"""Claims about the relation s = n*e/b: statements 5, 7 and 11."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kerasbatch.claims.claim import Claim, Study
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.claims.counting import LINE
from kerasbatch.claims.verdict import exactly, within
from kerasbatch.planning import plan


@dataclass(frozen=True)
class Training:
    """The steps of one training.

    Args:
        n: its training examples.
        epochs: its epochs.
        batch_size: its batch size.
        steps: the steps that the optimizer counted.
    """

    n: int
    epochs: int
    batch_size: int
    steps: int

    @property
    def excess(self) -> float:
        """The steps beyond n*e/b, as a part of it."""
        return self.steps / (self.n * self.epochs / self.batch_size) - 1


GRID: dict[str, list[int]] = {
    "data.examples": [60, 97, 100, 128],
    "epochs": [1, 2, 5],
    "batch_size": [1, 3, 7, 16, 20, 60],
}
SMALL_GRID = {"data.examples": [60, 100], "epochs": [1, 3], "batch_size": [1, 7, 20, 60]}


def measure_relation(runner: ClaimRunner) -> list[Training]:
    """Train a grid of n, e and b, and count the steps."""
    grid: dict[str, Any] = SMALL_GRID if runner.quick else GRID
    data = {"name": "line", "examples": 60}
    spec = {**LINE, "data": data, "epochs": 1, "batch_size": 1, "sweep": grid}
    rows = [result.row for result in runner.sweep(spec, "grid")]
    return [
        Training(
            row["train_examples"], int(row["epochs"]), row["batch_size"], row["observed_steps"]
        )
        for row in rows
    ]


def judge_relation(measured: Sequence[Training]) -> list[Claim]:
    """Statement 5: s = n*e/b where b divides n; elsewhere it is e * ceil(n/b)."""
    claims = []
    for key, runs in (
        ("relation_even", [run for run in measured if run.n % run.batch_size == 0]),
        ("relation_uneven", [run for run in measured if run.n % run.batch_size]),
    ):
        excess = [run.excess for run in runs]
        numbers = {
            "runs": len(runs),
            "exact": sum(error == 0 for error in excess),
            "low": min(excess, default=0.0),
            "high": max(excess, default=0.0),
            "rounded_up": sum(_steps_of_the_plan(run) == run.steps for run in runs),
        }
        claims.append(Claim(key, within(excess, 0.0), numbers))
    exact = sum(_steps_of_the_plan(run) == run.steps for run in measured)
    numbers = {"runs": len(measured), "exact": exact}
    return [*claims, Claim("relation_rounded_up", exactly(exact == len(measured)), numbers)]


def _steps_of_the_plan(run: Training) -> int:
    return plan(run.n, batch_size=run.batch_size, epochs=run.epochs).total_steps


@dataclass(frozen=True)
class Classifier:
    """The steps of a training on the classifier's data.

    Args:
        data: the name of the data.
        run: the steps.
        check: the step check of the run.
        accuracy: the validation accuracy at the end.
    """

    data: str
    run: Training
    check: str
    accuracy: float


def _classifier(runner: ClaimRunner, **keys: Any) -> Classifier:
    row = runner.run(runner.classifier(**keys)).row
    run = Training(
        row["train_examples"], int(row["epochs"]), row["batch_size"], row["observed_steps"]
    )
    return Classifier(runner.data, run, row["step_check"], row["val_accuracy"])


def measure_full_batch(runner: ClaimRunner) -> Classifier:
    """Train four epochs of full batch."""
    return _classifier(runner, epochs=4, batch_size="full")


def judge_full_batch(measured: Classifier) -> list[Claim]:
    """Statement 7: full batch means one update per epoch."""
    run = measured.run
    numbers = {"data": measured.data, "n": run.n, "epochs": run.epochs, "steps": run.steps}
    return [Claim("full_batch", exactly(run.steps == run.epochs), numbers)]


def measure_usage(runner: ClaimRunner) -> Classifier:
    """Train as the notes do."""
    return _classifier(runner, optimizer="adam", epochs=5, batch_size=16)


def judge_usage(measured: Classifier) -> list[Claim]:
    """Statement 11: adam, sparse_categorical_crossentropy, epochs 5, batch 16."""
    run = measured.run
    numbers = {
        "data": measured.data,
        "n": run.n,
        "steps": run.steps,
        "formula": run.n * run.epochs / run.batch_size,
        "check": measured.check,
        "accuracy": measured.accuracy,
    }
    right = measured.check == "ok" and run.steps == run.epochs * -(-run.n // run.batch_size)
    return [Claim("usage", exactly(right), numbers)]


STUDIES = (
    Study("Statement 5: s = n*e/b", measure_relation, judge_relation),
    Study("Statement 7: full batch", measure_full_batch, judge_full_batch),
    Study("Statement 11: the notes' fit", measure_usage, judge_usage),
)
