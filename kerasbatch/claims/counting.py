"""Claims about counts: epoch, step and batch size (statements 2 to 4)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kerasbatch.claims.claim import Claim, Study
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.claims.verdict import exactly, within
from kerasbatch.runs.result import Result
from kerasbatch.sampling import example_order

LINE = {
    "name": "claim",
    "model": "linear",
    "optimizer": {"name": "sgd", "learning_rate": 0.01},
    "loss": "half_mse",
    "validation": "none",
}
ABOUT = 0.1
"""The relative error up to which a number of examples is "about" another one."""


@dataclass(frozen=True)
class Epochs:
    """The examples of some epochs.

    Args:
        n: the number of training examples.
        batch_size: the batch size.
        complete: for every epoch, whether its order has every example exactly once.
        orders: the number of different orders.
        checks: the step check of every epoch, by the tags of the examples that the steps met.
        examples: the examples that the training saw, in all.
    """

    n: int
    batch_size: int
    complete: Sequence[bool]
    orders: int
    checks: Sequence[str]
    examples: int


def measure_epochs(runner: ClaimRunner) -> Epochs:
    """Train three epochs, and count the examples of each."""
    n, epochs, size = 1000, 3, 7
    orders = [example_order(n, seed=0, epoch=epoch) for epoch in range(1, epochs + 1)]
    data = {"name": "line", "examples": n}
    result = runner.run({**LINE, "data": data, "epochs": epochs, "batch_size": size})
    return Epochs(
        n=n,
        batch_size=size,
        complete=[bool((np.bincount(order, minlength=n) == 1).all()) for order in orders],
        orders=len({order.tobytes() for order in orders}),
        checks=result.steps["check"].tolist(),
        examples=int(result.row["examples"]),
    )


def judge_epochs(measured: Epochs) -> list[Claim]:
    """Statement 2: an epoch is one pass over all examples."""
    epochs = len(measured.complete)
    right = (
        all(measured.complete)
        and set(measured.checks) == {"ok"}
        and len(measured.checks) == epochs
        and measured.examples == epochs * measured.n
    )
    numbers = {
        "epochs": epochs,
        "n": measured.n,
        "b": measured.batch_size,
        "complete": sum(measured.complete),
        "orders": measured.orders,
        "checks": ", ".join(measured.checks),
        "examples": measured.examples,
    }
    return [Claim("epoch", exactly(right), numbers)]


@dataclass(frozen=True)
class Updates:
    """Steps and updates of a training.

    Args:
        planned: the planned steps.
        observed: the steps that the optimizer counted.
        changes: how often the weights changed from one step to the next.
    """

    planned: int
    observed: int
    changes: int


def measure_updates(runner: ClaimRunner) -> Updates:
    """Train 20 steps, and read the weights after every one."""
    spec = {**LINE, "data": {"name": "line", "examples": 50}, "steps": 20, "batch_size": 10}
    result = runner.run({**spec, "record": ["weights"], "evaluate_every": {"steps": 1}})
    return Updates(20, int(result.row["observed_steps"]), _count_weight_changes(result))


def _count_weight_changes(result: Result) -> int:
    weights = result.weights.drop(columns="step")
    return int((weights.diff().iloc[1:] != 0).any(axis=1).sum())


def judge_updates(measured: Updates) -> list[Claim]:
    """Statement 3: a step is one update of weights and biases."""
    right = measured.observed == measured.changes == measured.planned
    return [Claim("step", exactly(right), vars(measured))]


@dataclass(frozen=True)
class ExamplesOfSteps:
    """The examples that 5 steps of batch size 100 used.

    Args:
        even: n to examples, for n that 100 divides.
        uneven: n to examples, for other n.
    """

    even: dict[int, int]
    uneven: dict[int, int]


def measure_hundred_times_five(runner: ClaimRunner) -> ExamplesOfSteps:
    """Count the examples of 5 steps of 100, for several n."""

    def examples(n: int) -> int:
        spec = {**LINE, "data": {"name": "line", "examples": n}, "steps": 5, "batch_size": 100}
        return int(runner.run(spec).row["examples"])

    return ExamplesOfSteps(
        {n: examples(n) for n in (100, 1000)}, {n: examples(n) for n in (101, 150, 470)}
    )


def judge_hundred_times_five(measured: ExamplesOfSteps) -> list[Claim]:
    """Statement 4: batch size 100 and 5 steps use about 500 examples."""
    return [
        Claim(
            key,
            within([count / 500 - 1 for count in seen.values()], ABOUT),
            {"seen": ", ".join(f"n = {n:,}: {count}" for n, count in seen.items())},
        )
        for key, seen in (("hundred_even", measured.even), ("hundred_uneven", measured.uneven))
    ]


STUDIES = (
    Study("Statement 2: an epoch", measure_epochs, judge_epochs),
    Study("Statement 3: a step", measure_updates, judge_updates),
    Study(
        "Statement 4: examples of a few steps",
        measure_hundred_times_five,
        judge_hundred_times_five,
    ),
)
