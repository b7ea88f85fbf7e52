"""Claims about counts: epoch, step, batch size, and s = n*e/b (statements 2 to 5, 7 and 11)."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kerasbatch.claims.claim import Claim, Verdict, by_error
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.planning import plan
from kerasbatch.runs.result import Result
from kerasbatch.sampling import example_order
from kerasbatch.steps import Plan

LINE = {
    "name": "claim",
    "model": "linear",
    "optimizer": {"name": "sgd", "learning_rate": 0.01},
    "loss": "half_mse",
    "validation": "none",
}


def each_example_once(runner: ClaimRunner) -> Iterator[Claim]:
    """Statement 2: an epoch is one pass over all examples."""
    n, epochs = 1000, 3
    orders = [example_order(n, seed=0, epoch=epoch) for epoch in range(1, epochs + 1)]
    once = sum(bool((np.bincount(order, minlength=n) == 1).all()) for order in orders)
    fresh = len({order.tobytes() for order in orders})
    spec = {**LINE, "data": {"name": "line", "examples": n}, "epochs": epochs, "batch_size": 7}
    result = runner.run(spec)
    checks = result.steps["check"].tolist()
    right = once == epochs and checks == ["ok"] * epochs
    yield Claim(
        "2. Epoch: one pass over all the samples; 2 epochs are two passes",
        "에폭: 전체 샘플을 한 번 사용",
        f"{epochs} epochs of {n:,} examples, b = 7: every example exactly once in {once} of "
        f"{epochs}, in {fresh} different orders; the tags of the examples that the steps met: "
        f"{', '.join(checks)}; {result.row['examples']:,} examples seen",
        _exact_verdict(right),
        "counted; Keras' own seeded shuffling would repeat one order in every epoch",
    )


def one_update_a_step(runner: ClaimRunner) -> Iterator[Claim]:
    """Statement 3: a step is one update of weights and biases."""
    spec = {**LINE, "data": {"name": "line", "examples": 50}, "steps": 20, "batch_size": 10}
    result = runner.run({**spec, "record": ["weights"], "evaluate_every": {"steps": 1}})
    changes = _count_weight_changes(result)
    steps = result.row["observed_steps"]
    yield Claim(
        "3. Step: one update of weights and biases",
        "스텝: 가중치와 편향을 한 번 업데이트",
        f"20 steps planned: the optimizer counted {steps}, and the weights changed {changes} times",
        _exact_verdict(steps == changes == 20),
        "the weights were read after every step",
    )


def _count_weight_changes(result: Result) -> int:
    weights = result.weights.drop(columns="step")
    return int((weights.diff().iloc[1:] != 0).any(axis=1).sum())


def hundred_times_five(runner: ClaimRunner) -> Iterator[Claim]:
    """Statement 4: batch size 100 and 5 steps use about 500 examples."""
    seen = []
    for n in (1000, 450):
        spec = {**LINE, "data": {"name": "line", "examples": n}, "steps": 5, "batch_size": 100}
        seen.append(int(runner.run(spec).row["examples"]))
    yield Claim(
        "4. Batch size 100 and 5 steps use about 500 examples",
        "배치 크기 100, 5 스텝이면 약 500개의 데이터",
        f"{seen[0]} examples where n = 1,000; {seen[1]} where n = 450, whose last batch has 50",
        by_error(max(abs(count - 500) / 500 for count in seen), 0.0, 0.1),
        "exact where b divides n; the notes say about; tolerance 10 %",
    )


def steps_by_the_formula(runner: ClaimRunner) -> Iterator[Claim]:
    """Statement 5: s = n*e/b, compared with the steps that Keras took."""
    grid = {"data.examples": [60, 100], "epochs": [1, 3], "batch_size": [1, 7, 20, 60]}
    grid = grid if runner.quick else GRID
    data = {"name": "line", "examples": 60}
    spec = {**LINE, "data": data, "epochs": 1, "batch_size": 1, "sweep": grid}
    rows = [result.row for result in runner.sweep(spec, "grid")]
    planned = sum(row["observed_steps"] == _plan_of_row(row).total_steps for row in rows)
    errors = [row["observed_steps"] / row["document_steps"] - 1 for row in rows]
    exact = sum(error == 0 for error in errors)
    yield Claim(
        "5. Relation: s = (n * e) / b",
        "s = (n * e) / b",
        f"{len(rows)} trainings, n of {grid['data.examples']}, e of {grid['epochs']}, b of "
        f"{grid['batch_size']}: exact in {exact}, {min(errors):.1%} to {max(errors):.1%} more; "
        f"e * ceil(n / b) exact in {planned}",
        by_error(max(map(abs, errors)), 0.0, 1.0) if planned == len(rows) else "does not hold here",
        "exact where b divides n; elsewhere every epoch ends with a smaller batch, a whole step",
    )


def _plan_of_row(row: Mapping[str, Any]) -> Plan:
    return plan(row["train_examples"], batch_size=row["batch_size"], epochs=int(row["epochs"]))


GRID: dict[str, list[int]] = {
    "data.examples": [60, 97, 100, 128],
    "epochs": [1, 2, 5],
    "batch_size": [1, 3, 7, 16, 20, 60],
}


def one_update_an_epoch(runner: ClaimRunner) -> Iterator[Claim]:
    """Statement 7: full batch means one update per epoch."""
    spec = runner.classifier(epochs=4, batch_size="full")
    row = runner.run(spec).row
    yield Claim(
        "7. Full-batch gradient descent: batch size m, one update per epoch",
        "배치 경사하강법: 에폭마다 한 번 업데이트",
        f"{runner.data}, {row['train_examples']:,} examples, 4 epochs: "
        f"{row['observed_steps']} updates",
        _exact_verdict(row["observed_steps"] == 4),
        "counted by the optimizer",
    )


def usage(runner: ClaimRunner) -> Iterator[Claim]:
    """Statement 11: adam, sparse_categorical_crossentropy, epochs 5, batch 16."""
    spec = runner.classifier(optimizer="adam", epochs=5, batch_size=16)
    row = runner.run(spec).row
    n, steps = row["train_examples"], row["observed_steps"]
    right = row["step_check"] == "ok" and steps == 5 * -(-n // 16)
    yield Claim(
        "11. compile('adam', 'sparse_categorical_crossentropy'), fit(epochs=5, batch_size=16)",
        "model.fit(train_X, train_Y, epochs=5, batch_size=16)",
        f"{runner.data}, {n:,} examples: {steps:,} steps (the formula: {n * 5 / 16:,.2f}), "
        f"step check {row['step_check']}, validation accuracy {row['val_accuracy']:.4f}",
        _exact_verdict(right),
        "5 * ceil(n / 16) steps were counted",
    )


def _exact_verdict(right: bool) -> Verdict:
    return "holds" if right else "does not hold here"


CLAIMS = (
    each_example_once,
    one_update_a_step,
    hundred_times_five,
    steps_by_the_formula,
    one_update_an_epoch,
    usage,
)
