"""One spec, many runs."""

from typing import Any

import pytest

from kerasbatch.errors import SpecError
from kerasbatch.spec import reader
from kerasbatch.spec.sweep.expand import expand
from kerasbatch.spec.sweep.single_run import SingleRun


def runs(spec: dict[str, Any], **grid: Any) -> tuple[SingleRun, ...]:
    keys = {key.replace("__", "."): values for key, values in grid.items()}
    return expand(reader.spec_from_dict(spec | {"sweep": keys}))


def test_a_grid_is_every_combination_in_order(small: dict[str, Any]) -> None:
    """The last key moves fastest."""
    found = runs(small, batch_size=[1, "full"], seed=[0, 1])
    assert [dict(run.swept) for run in found] == [
        {"batch_size": 1, "seed": 0},
        {"batch_size": 1, "seed": 1},
        {"batch_size": "full", "seed": 0},
        {"batch_size": "full", "seed": 1},
    ]
    assert [run.spec.batch_size for run in found] == [1, 1, "full", "full"]
    assert all(run.spec.sweep is None for run in found)


def test_without_a_sweep_a_spec_is_one_run(small: dict[str, Any]) -> None:
    """Nothing is swept."""
    (run,) = expand(reader.spec_from_dict(small))
    assert run.swept == {}


def test_a_key_may_stand_in_the_sweep_only(small: dict[str, Any]) -> None:
    """batch_size and the budget need no value outside the grid."""
    for key in ("batch_size", "epochs"):
        del small[key]
    assert len(runs(small, batch_size=[1, 2], steps=[5, 6, 7])) == 6


def test_times_multiplies_what_the_rule_gives(small: dict[str, Any]) -> None:
    """The factor goes to the rule, the base rate stays."""
    found = runs(small, optimizer__learning_rate={"times": [0.5, 2]})
    assert [run.spec.learning_rate_rule.times for run in found] == [0.5, 2]
    assert [dict(run.swept) for run in found] == [
        {"learning_rate_rule.times": 0.5},
        {"learning_rate_rule.times": 2},
    ]
    assert [run.spec.optimizer.arguments["learning_rate"] for run in found] == [0.1, 0.1]


@pytest.mark.parametrize("outer_first", [True, False])
def test_a_key_may_be_swept_with_a_key_inside_it(small: dict[str, Any], outer_first: bool) -> None:
    """The outer key is set first, wherever it stands in the grid."""
    grid = {"optimizer": ["sgd", "adam"], "optimizer__learning_rate": [0.1, 0.5]}
    expanded = runs(small, **(grid if outer_first else dict(reversed(grid.items()))))
    settings = {
        (s.optimizer.name, s.optimizer.arguments["learning_rate"])
        for s in (run.spec for run in expanded)
    }
    assert settings == {("sgd", 0.1), ("sgd", 0.5), ("adam", 0.1), ("adam", 0.5)}


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"batch_size": []}, "found an empty list"),
        ({"batch_size": 3}, "must be a list of values"),
        ({"batch_size": [4, 8, 4]}, r"sweep.batch_size\[2\]: 4 is in the list already"),
        ({"optimizer__learning_rate": [1, 1.0]}, "1.0 is in the list already"),
        ({"batch_size": [4, 0]}, r"sweep.batch_size\[1\]: found 0"),
        ({"bach_size": [4]}, "did you mean batch_size"),
        ({"optimizer__momentun": [0.9]}, "did you mean momentum"),
        ({"engine": ["keras"]}, "cannot be swept; it does not change a run's numbers"),
        ({"backend": ["jax", "tensorflow"]}, "backend cannot be swept; all runs of a sweep share"),
        ({"engine.name": ["keras"]}, "engine cannot be swept"),
        ({"sweep__seed": [[0, 1], [2, 3]]}, "sweep cannot be swept"),
        ({"save__0": ["last", "best"]}, "save cannot be swept"),
        (
            {
                "optimizer__learning_rate": [1, 2],
                "optimizer": [{"name": "sgd", "learning_rate": 3}],
            },
            r"sweep.optimizer\[0\]: a mapping sets optimizer.learning_rate, an axis of its own",
        ),
        ({"optimizer": ["sgd", "adam"], "optimizer__name": ["sgd"]}, "'adam' sets optimizer.name"),
        (
            {"data__standardise": [True, False], "data__standardize": [True, False]},
            "true sets data.standardize",
        ),
        ({"epochs": [1], "steps": [2]}, "one budget"),
        ({"seed": {"times": [2]}}, "times belongs to optimizer.learning_rate"),
        ({"seed": list(range(101)), "batch_size": list(range(1, 101))}, "more than 10,000"),
    ],
)
def test_wrong_grids(small: dict[str, Any], grid: dict[str, Any], words: str) -> None:
    """Each fault is placed in the grid."""
    with pytest.raises(SpecError, match=words):
        runs(small, **grid)


def test_each_batch_size_may_have_its_own(small: dict[str, Any]) -> None:
    """A list of learning rates, one budget, one point of evaluation."""
    found = runs(
        small,
        optimizer__learning_rate={"per_batch_size": {1: [0.01], 8: [0.1, 0.2], "full": [0.5]}},
        batch_size=[1, 8, "full"],
        steps={"per_batch_size": {1: 100, 8: 50, "full": 10}},
        evaluate_every={
            "per_batch_size": {1: {"steps": 50}, 8: {"steps": 5}, "full": {"steps": 1}}
        },
    )
    words = [
        (s.batch_size, s.optimizer.arguments["learning_rate"], s.steps, s.evaluate_every.steps)
        for s in (run.spec for run in found)
    ]
    assert words == [
        (1, 0.01, 100, 50),
        (8, 0.1, 50, 5),
        (8, 0.2, 50, 5),
        ("full", 0.5, 10, 1),
    ]


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        (
            {"batch_size": [1, 8], "steps": {"per_batch_size": {1: 5}}},
            "has no entry for batch size 8",
        ),
        ({"batch_size": [1], "steps": {"per_batch_size": {1: 5, 2: 5}}}, "2 is not swept"),
        ({"steps": {"per_batch_size": {1: 5}}}, "needs a sweep over batch_size"),
        ({"batch_size": [1], "steps": {"per_batch_size": {1: [5]}}}, "has one value for a batch"),
        (
            {"batch_size": [1], "steps": {"per_batch_size": {1: -5}}},
            r"steps.per_batch_size.1: .*-5",
        ),
        ({"batch_size": [1], "steps": {"per_batch_size": 3}}, "must be a mapping of batch sizes"),
        ({"batch_size": [1], "seed": {"per_batch_size": {1: 3}}}, "per_batch_size belongs to"),
        (
            {"batch_size": [1], "optimizer__learning_rate": {"per_batch_size": {1: 0.1}}},
            "must be a list of values",
        ),
    ],
)
def test_wrong_values_per_batch_size(
    small: dict[str, Any], grid: dict[str, Any], words: str
) -> None:
    """A swept size without an entry is a fault, and every other mistake too."""
    with pytest.raises(SpecError, match=words):
        runs(small, **grid)
