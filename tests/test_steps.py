"""Step arithmetic: the numbers of the notes, and their limits."""

import itertools

import pytest

from kerasbatch.errors import SpecError
from kerasbatch.planning import plan, plan_budget
from kerasbatch.steps import Budget, Plan, split_sizes


def epochs(amount: int) -> Budget:
    return Budget("epochs", amount)


def test_the_notes_own_line() -> None:
    """60,000 examples at batch 16 take 3,750 steps per epoch, as s = n*e/b says."""
    made = plan(60_000, batch_size=16, epochs=5)
    assert (made.steps_per_epoch, made.total_steps, made.document_steps) == (3750, 18_750, 18_750)
    assert made.last_batch_size == 16
    assert "16 divides 60,000" in made.difference


def test_a_partial_batch_is_a_whole_step() -> None:
    """At batch 7 the formula gives a fraction; the last batch of 3 is one step more."""
    made = plan(60_000, batch_size=7, epochs=2)
    assert (made.steps_per_epoch, made.total_steps, made.last_batch_size) == (8572, 17_144, 3)
    assert made.document_steps == pytest.approx(17_142.857142857)
    assert "60,000 = 8,571 x 7 + 3" in made.difference


def test_dropping_the_partial_batch() -> None:
    """With drop, an epoch has floor(n/b) steps and leaves the rest out."""
    made = plan(10, batch_size=4, epochs=3, partial_batch="drop")
    assert (made.steps_per_epoch, made.total_steps, made.examples) == (2, 6, 24)
    assert made.document_steps == 7.5
    assert "take no step" in made.difference


@pytest.mark.parametrize(
    ("size", "per_epoch"), [("full", 1), (10, 1), (1, 10), (3, 4)], ids=["full", "n", "sgd", "mini"]
)
def test_full_stochastic_and_mini_batch(size: int | str, per_epoch: int) -> None:
    """Full batch is one update per epoch, batch 1 is n of them."""
    assert plan(10, batch_size=size, epochs=1).steps_per_epoch == per_epoch  # type: ignore[arg-type]


def test_a_budget_in_steps_may_end_inside_an_epoch() -> None:
    """100 examples in 5 steps of 20 is the notes' example; 7 steps end inside epoch 2."""
    made = plan(100, batch_size=20, steps=7)
    assert (made.total_steps, made.epochs, made.examples) == (7, 2, 140)
    last = made.epoch_plan(2)
    assert (last.steps, last.examples, last.whole) == (2, 40, False)
    assert made.position(7).epoch == pytest.approx(1.4)
    assert made.document_steps == pytest.approx(7)


def test_a_budget_in_examples_ends_with_the_step_that_reaches_it() -> None:
    """25 examples at n=10, b=4 are two epochs and two steps: 4 + 4 reach 5."""
    made = plan(10, batch_size=4, examples=25)
    assert (made.total_steps, made.examples) == (8, 28)


@pytest.mark.parametrize("partial", ["keep", "drop"])
def test_positions_agree_with_counting_by_hand(partial: str) -> None:
    """Every position equals what a loop over real batches counts."""
    for n, b in itertools.product(range(1, 12), range(1, 12)):
        if b > n:
            continue
        made = plan(n, batch_size=b, epochs=3, partial_batch=partial)  # type: ignore[arg-type]
        batches = [min(b, n - start) for start in range(0, n, b)]
        kept = [size for size in batches if partial == "keep" or size == b] * 3
        assert made.total_steps == len(kept)
        for step in range(len(kept) + 1):
            assert made.position(step).examples == sum(kept[:step])
        assert [made.epoch_plan(e).examples for e in (1, 2, 3)] == [sum(kept) // 3] * 3
        for wanted in range(1, sum(kept) + 1):
            reached = next(s for s in range(len(kept) + 1) if sum(kept[:s]) >= wanted)
            assert made.step_reaching(wanted) == reached


@pytest.mark.parametrize(
    ("kind", "amount", "points"),
    [
        ("epochs", 1, [3, 6, 9]),
        ("epochs", 2, [6, 9]),
        ("steps", 4, [4, 8, 9]),
        ("examples", 8, [2, 5, 7, 9]),
        ("growth", 2.0, [1, 2, 5, 9]),
    ],
)
def test_evaluation_points(kind: str, amount: float, points: list[int]) -> None:
    """Points ascend, none twice, and the last step is always one (n=10, b=4, 3 epochs)."""
    made = plan(10, batch_size=4, epochs=3)
    assert list(made.evaluation_steps(kind, amount)) == points  # type: ignore[arg-type]


def test_every_wrong_number_is_named() -> None:
    """All faults come at once, each with its key."""
    with pytest.raises(SpecError) as caught:
        plan_budget(5, 9, Budget("steps", 0))
    assert [fault.location for fault in caught.value.faults] == [("batch_size",), ("steps",)]
    assert "more than the 5 training examples" in str(caught.value)


@pytest.mark.parametrize("size", [0, -3])
def test_batch_sizes_below_one_are_refused(size: int) -> None:
    """Keras would silently turn 0 into 32."""
    with pytest.raises(SpecError, match="must be 1 or more"):
        plan(5, batch_size=size, epochs=1)


def test_validation_split_is_that_of_keras() -> None:
    """floor(n * (1 - f)) stay for training."""
    assert split_sizes(1797, fraction=0.2, count=None) == (1437, 360)
    assert split_sizes(100, fraction=None, count=30) == (70, 30)
    assert split_sizes(100, fraction=None, count=None) == (100, 0)


def test_an_enormous_plan_is_instant() -> None:
    """Nothing is enumerated: a trillion epochs are planned by arithmetic alone."""
    made = Plan(60_000, 7, epochs(10**12))
    assert made.total_steps == 8572 * 10**12
