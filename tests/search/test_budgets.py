"""`budget: auto`: the steps to the target at one size limit those of the next."""

from typing import Any

import pytest
from search_support import SPEC, Trained, bowl, key_of, searched

from kerasbatch.search.sweep_search import LIMIT_FACTOR, SweepSearch
from kerasbatch.spec.reader import spec_from_dict
from kerasbatch.spec.sweep.expand import expand

SWEEP: dict[str, Any] = {
    "batch_size": [128, 8, 32],
    "optimizer.learning_rate": "auto",
    "seed": [0, 1, 2],
}


def test_each_size_has_a_limit_by_the_one_before() -> None:
    """Ascending, whatever their order in the sweep; the smallest has the budget of the spec."""
    trained = Trained(bowl(lambda b: 0.004 * b, lambda b: 4000 / b + 60))
    searched(SWEEP, trained, budget="auto")
    first = {}
    for (size, _, _), cap in trained.requests:
        first.setdefault(size, cap)
    assert list(first) == [8, 32, 128]
    assert first[8] is None
    limits = {size: best_steps(trained, before) for size, before in ((32, 8), (128, 32))}
    for size, steps in limits.items():
        # The limit follows from the best rate before its refinement.
        assert LIMIT_FACTOR * steps <= first[size] <= 1.3 * LIMIT_FACTOR * steps
        caps = [cap for (b, _, _), cap in trained.requests if b == size]
        assert all(cap is not None and cap <= first[size] for cap in caps)


def best_steps(trained: Trained, size: int) -> float:
    ends: dict[float, list[int]] = {}
    for (batch_size, rate, _), (record, _) in trained.records.items():
        if batch_size == size and record["status"] == "target":
            ends.setdefault(rate, []).append(record["row"]["observed_steps"])
    return min(sorted(steps)[1] for steps in ends.values() if len(steps) == 3)


def test_a_size_that_cannot_reach_the_target_ends_at_its_limit() -> None:
    """No run goes on to the budget of the spec."""
    bowls = bowl(lambda b: 0.004 * b, lambda b: 4000 / b + 60)

    def steps_of(spec: Any) -> float:
        return 1e6 if spec.batch_size == 32 else bowls(spec)

    trained = Trained(steps_of)
    searched(SWEEP, trained, budget="auto")
    of_size = [record for (size, _, _), (record, _) in trained.records.items() if size == 32]
    assert {record["status"] for record in of_size} == {"capped"}
    assert max(record["row"]["observed_steps"] for record in of_size) < 4_000
    # The next size has the limit of the one before, for lack of a better one.
    limits = {size: cap for (size, _, _), cap in reversed(trained.requests)}
    assert limits[128] == limits[32]


@pytest.mark.parametrize("kind", ["epochs", "examples"])
def test_all_sizes_have_the_steps_of_the_smallest(kind: str) -> None:
    """A budget in epochs would be too short for large batches."""
    amounts = {"epochs": 3, "examples": 3 * 1437}
    keys = {key: value for key, value in SPEC.items() if key != "steps"} | {kind: amounts[kind]}
    source = spec_from_dict({**keys, "budget": "auto", "sweep": SWEEP})
    search = SweepSearch(source.spec, expand(source), lambda run: 1437)
    (request,) = search.ask()
    assert key_of(request.run)[0] == 8
    # An epoch has 180 steps of up to 8 examples; a budget in examples ends with the last of them.
    assert request.run.spec.steps == 540


def test_other_keys_by_batch_size_are_in_one_chain() -> None:
    """The interval of evaluations may differ between sizes."""
    every = {"per_batch_size": {"8": {"steps": 5}, "32": {"steps": 2}, "128": {"steps": 1}}}
    source = spec_from_dict({**SPEC, "budget": "auto", "sweep": SWEEP | {"evaluate_every": every}})
    search = SweepSearch(source.spec, expand(source), lambda run: 1437)
    assert [key_of(request.run)[0] for request in search.ask()] == [8]
