"""The search for a learning rate: what it tries, what it gives up, and what it finds."""

import math
import random
import statistics
from typing import Any

import pytest
from search_support import SPEC, Trained, bowl, key_of, made_up, searched, spec_of

from kerasbatch.search.seed_result import FAILED, SeedResult, seed_result
from kerasbatch.search.sweep_search import SweepSearch
from kerasbatch.spec.reader import spec_from_dict
from kerasbatch.spec.sweep.expand import expand

AUTO = {"optimizer.learning_rate": "auto"}
SEEDS = {"seed": [0, 1, 2]}
SIZES = {"batch_size": [8, 32, 128]}


def best_of(trained: Trained, size: int, seeds: int = 3) -> tuple[float, float]:
    """Return the median steps and the rate of the best rate with all its seeds at the target."""
    settings: dict[float, list[float]] = {}
    for (batch_size, rate, _), (record, _) in trained.records.items():
        if batch_size == size and record["status"] == "target":
            settings.setdefault(rate, []).append(record["row"]["observed_steps"])
    whole = {rate: steps for rate, steps in settings.items() if len(steps) == seeds}
    return min((statistics.median(steps), rate) for rate, steps in whole.items())


@pytest.mark.parametrize("start", [0.001, 0.02, 0.3, 6.0])
def test_the_best_rate_of_every_size_is_found(start: float) -> None:
    """Within 10 % of the best of a fine grid, wherever the search starts."""
    steps_of = bowl(lambda b: 0.004 * b, lambda b: 4000 / b + 60)
    trained = Trained(steps_of)
    keys: Any = {"optimizer": {"name": "sgd", "learning_rate": start}}
    searched({**SIZES, **AUTO, **SEEDS}, trained, **keys)
    for size in SIZES["batch_size"]:
        grid = [0.004 * size * 2 ** (i / 4) for i in range(-8, 9)]
        best = min(
            statistics.median(
                steps_of(spec_of({"seed": [0]}, batch_size=size, seed=s, optimizer=optimizer(rate)))
                for s in range(3)
            )
            for rate in grid
        )
        found, rate = best_of(trained, size)
        assert found <= 1.1 * best + trained.every
        tried = sorted(r for b, r, _ in trained.records if b == size)
        assert tried[0] < rate < tried[-1]


def optimizer(rate: float) -> dict[str, Any]:
    return {"name": "sgd", "learning_rate": rate}


def test_the_first_round_is_the_start_by_the_rule() -> None:
    """The rate of the spec at its own batch size, in proportion to the others for SGD."""
    source = spec_from_dict({**SPEC, "sweep": {"batch_size": [16, "full"], **AUTO}})
    search = SweepSearch(source.spec, expand(source), lambda run: 64)
    first = [key_of(request.run) for request in search.ask()]
    assert first == [(16, 0.05, 0), ("full", 0.2, 0)]


def test_a_start_of_ones_own_and_no_rule() -> None:
    """Without a known rule, every size starts at the same rate."""
    auto = {"optimizer.learning_rate": {"auto": {"start": 0.02}}}
    source = spec_from_dict(
        {**SPEC, "optimizer": {"name": "ftrl"}, "sweep": {"batch_size": [16, 64], **auto}}
    )
    search = SweepSearch(source.spec, expand(source), lambda run: 1000)
    assert [key_of(request.run)[1] for request in search.ask()] == [0.02, 0.02]


@pytest.mark.parametrize(("at_most", "lowest"), [(0, 0.05), (2, 0.0125)])
def test_the_search_ends_at_most_so_far_out(at_most: int, lowest: float) -> None:
    """Beyond the neighbours of the start; the choice may then lie at the edge."""
    auto = {"optimizer.learning_rate": {"auto": {"at_most": at_most}}}
    trained = Trained(bowl(lambda b: 1e-4, lambda b: 30.0))
    searched(auto, trained, target=SPEC["target"])
    whole = [rate for _, rate, _ in trained.records]
    assert min(whole) >= lowest / math.sqrt(2) * 0.99


def test_a_divergence_ends_the_upward_side_only() -> None:
    """All three diverge: the search goes down until something learns."""
    trained = Trained(bowl(lambda b: 0.002, lambda b: 100.0))
    searched({**AUTO, **SEEDS}, trained)
    rates = {rate for _, rate, _ in trained.records}
    assert max(rates) <= 0.1
    assert best_of(trained, 32)[1] == pytest.approx(0.002, rel=0.6)


def test_a_plateau_is_passed() -> None:
    """Equal steps at the edge are no reason to stop there."""

    def steps_of(spec: Any) -> float:
        rate = float(spec.optimizer.arguments["learning_rate"])
        return 500.0 if rate < 1.0 else 100.0

    trained = Trained(steps_of)
    searched(AUTO, trained)
    assert best_of(trained, 32, seeds=1)[0] == 100


def test_a_rate_is_given_up_with_fewer_steps_than_a_grid() -> None:
    """A search takes a fraction of the steps of the same rates with all seeds."""
    steps_of = bowl(lambda b: 0.15, lambda b: 200.0)
    trained, whole = Trained(steps_of), Trained(steps_of)
    searched({**AUTO, **SEEDS}, trained)
    searched({**AUTO, **SEEDS}, whole, cap=False)
    assert best_of(trained, 32) == best_of(whole, 32)
    assert trained.steps < 0.8 * whole.steps
    assert {record["status"] for record, _ in whole.records.values()} <= {"target", "diverged"}


@pytest.mark.parametrize("budget", [None, "auto"])
def test_the_order_of_results_changes_nothing(budget: str | None) -> None:
    """Neither the runs, nor their caps; the order of a round is that of chance here."""
    sweep, courses = {**SIZES, **AUTO, **SEEDS}, []
    for number in range(4):
        trained = Trained(bowl(lambda b: 0.004 * b, lambda b: 4000 / b + 60))
        keys = {"budget": budget} if budget else {}
        searched(sweep, trained, order=random.Random(number), **keys)  # noqa: S311
        courses.append(sorted(trained.requests, key=repr))
    assert courses[1:] == courses[:-1]


def test_existing_runs_that_went_on_change_nothing() -> None:
    """A whole run counts under a cap as the stopped one would."""
    sweep = {**SIZES, **AUTO, **SEEDS}
    steps_of = bowl(lambda b: 0.004 * b, lambda b: 4000 / b + 60)
    capped, whole = Trained(steps_of), _Whole(steps_of)
    searched(sweep, capped)
    searched(sweep, whole)
    assert sorted(capped.requests, key=repr) == sorted(whole.requests, key=repr)


class _Whole(Trained):
    """Trainings that ignore their cap, as the runs of an earlier command without caps did."""

    def read(self, request: Any) -> Any:
        spec = request.run.spec
        self.requests.append((key_of(request.run), request.cap))
        record, history = made_up(spec, self.steps_of(spec), None, self.every)
        return seed_result(spec, record, history, request.cap)


def test_without_a_target_the_last_metric_decides_and_nothing_is_capped() -> None:
    """All requests are whole."""

    def steps_of(spec: Any) -> float:
        distance = abs(math.log2(float(spec.optimizer.arguments["learning_rate"]) / 0.4))
        return 12_000 * (1 + distance)

    trained = Trained(steps_of)
    keys: Any = {key: value for key, value in SPEC.items() if key != "target"}
    source = spec_from_dict({**keys, "sweep": {**AUTO, **SEEDS}})
    search = SweepSearch(source.spec, expand(source), lambda run: 1000)
    waiting = search.ask()
    assert len(waiting) == 3
    while waiting:
        request = waiting.pop()
        result = trained.read(request)
        search.tell(request, lambda result=result: result)
        waiting += search.ask()
    assert {cap for _, cap in trained.requests} == {None}
    seeds: dict[float, int] = {}
    for _, rate, _ in trained.records:
        seeds[rate] = seeds.get(rate, 0) + 1
    assert seeds[0.4] == 3


def test_failed_runs_end_a_search() -> None:
    """Where all three first rates fail, no other is tried."""
    source = spec_from_dict({**SPEC, "sweep": {**AUTO, **SEEDS}})
    search, asked = SweepSearch(source.spec, expand(source), lambda run: 1000), 0
    while requests := search.ask():
        asked += len(requests)
        for request in requests:
            search.tell(request, lambda: FAILED)
    assert (search.is_done, asked) == (True, 3)


def test_a_failed_seed_is_no_verdict_about_its_setting() -> None:
    """As for `compare`: the two other seeds decide, and the setting is not given up."""
    sweep = {"optimizer.learning_rate": [0.1, 0.2], **SEEDS}
    source = spec_from_dict({**SPEC, "sweep": sweep})
    search = SweepSearch(source.spec, expand(source), lambda run: 1000)
    trained = Trained(
        lambda spec: 500.0 if spec.optimizer.arguments["learning_rate"] < 0.2 else 100
    )
    while requests := search.ask():
        for request in requests:
            is_lost = key_of(request.run) == (32, 0.2, 1)
            result = FAILED if is_lost else trained.read(request)
            search.tell(request, lambda result=result: result)
    assert {key_of(run)[1] for run in search.given_up()} <= {0.1}


def test_each_optimizer_starts_at_its_own_rate() -> None:
    """Where the optimizer is swept, too."""
    sweep = {"optimizer": ["sgd", "adam"], **AUTO}
    source = spec_from_dict({**SPEC, "sweep": sweep})
    search = SweepSearch(source.spec, expand(source), lambda run: 1000)
    rates = [request.run.spec.optimizer.arguments["learning_rate"] for request in search.ask()]
    assert rates == [0.01, 0.001]


def test_numbers_and_schedules_in_one_list() -> None:
    """Ties are broken by the place in the list."""
    schedule = {"name": "ExponentialDecay", "initial_learning_rate": 0.1, "decay_steps": 10}
    rates = [0.1, schedule | {"decay_rate": 0.5}]
    source = spec_from_dict({**SPEC, "sweep": {"optimizer.learning_rate": rates, **SEEDS}})
    search = SweepSearch(source.spec, expand(source), lambda run: 1000)
    result = SeedResult(100.0, 100.0, -0.95)
    while requests := search.ask():
        for request in requests:
            search.tell(request, lambda: result)
    assert search.is_done


def test_a_grid_that_reaches_nothing_is_trained_in_few_rounds() -> None:
    """After the first setting that gives no cap, twice as many each time."""
    rates = [0.01 * 2**i for i in range(8)]
    source = spec_from_dict({**SPEC, "sweep": {"optimizer.learning_rate": rates, **SEEDS}})
    search = SweepSearch(source.spec, expand(source), lambda run: 1000)
    trained, rounds = Trained(lambda spec: math.inf), 0
    while requests := search.ask():
        rounds += 1
        for request in requests:
            search.tell(request, lambda result=trained.read(request): result)  # noqa: B008
    assert (rounds, len(trained.records)) == (8, 24)
