"""`auto`, `search`, `budget` and `cap` in a spec: what they make, and what is wrong."""

import math
from pathlib import Path
from typing import Any

import pytest

import kerasbatch as kb
from kerasbatch.records.run_id import spec_hash
from kerasbatch.search.run_bounds import run_bounds
from kerasbatch.spec import reader
from kerasbatch.spec.sweep.auto_rate import auto_rate_of
from kerasbatch.spec.sweep.expand import expand
from kerasbatch.spec.sweep.search_space import position, trials

RATE = "optimizer.learning_rate"
TARGET = {"metric": "val_accuracy", "at_least": 0.9, "stop": True}
GOOD: dict[str, Any] = {
    "data": "digits",
    "model": "mlp",
    "optimizer": "sgd",
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "epochs": 2,
    "batch_size": 32,
}


def made(**keys: Any) -> Any:
    given = {key: value for key, value in (GOOD | keys).items() if value is not None}
    return reader.spec_from_dict(given)


def test_auto_of_the_optimizer_is_auto_of_the_sweep() -> None:
    """The same runs, and the same spec hash, with an override or without."""
    short = made(optimizer={"name": "sgd", "learning_rate": "auto"}, sweep={"seed": [0, 1]})
    long = made(sweep={"seed": [0, 1], RATE: "auto"})
    assert [dict(run.swept) for run in expand(short)] == [dict(run.swept) for run in expand(long)]
    assert {run.swept[RATE] for run in expand(short)} == {"auto"}
    alone = made(optimizer={"name": "sgd", "learning_rate": {"auto": {"start": 0.5}}})
    assert alone.spec.makes_many
    assert auto_rate_of(alone.spec).start == 0.5


def test_an_override_replaces_auto(tmp_path: Path) -> None:
    """`--set` with a number makes a single run; the hash is still that of the file."""
    keys = ("data: digits", "model: mlp", "loss: sparse_categorical_crossentropy", "epochs: 1")
    more = ("batch_size: 8", "optimizer: {name: sgd, learning_rate: auto}")
    text = "\n".join((*keys, *more))
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    plain = reader.load_spec(tmp_path / "x.yaml")
    other = reader.load_spec(tmp_path / "x.yaml", [f"{RATE}=0.1"])
    assert (plain.spec.makes_many, other.spec.makes_many) == (True, False)
    assert spec_hash(plain) == spec_hash(other)


def test_defaults_of_auto() -> None:
    """Keras' default rate, or that of the spec; a factor of 2; at most 8 further."""
    auto = auto_rate_of(made(optimizer="adam", sweep={RATE: "auto"}).spec)
    assert (auto.start, auto.factor, auto.at_most, auto.is_carried) == (0.001, 2, 8, True)
    ruled = made(sweep={RATE: "auto"}, learning_rate_rule="linear")
    assert not auto_rate_of(ruled.spec).is_carried
    assert auto_rate_of(GOOD_SPEC) is None


GOOD_SPEC = made().spec


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"optimizer": {"name": "sgd", "learning_rate": "auto"}, "sweep": {RATE: [0.1]}},
            "the sweep has optimizer.learning_rate already",
        ),
        (
            {
                "optimizer": {
                    "name": "sgd",
                    "learning_rate": {"name": "CosineDecay", "initial_learning_rate": 0.1}
                    | {"decay_steps": 10},
                },
                "sweep": {RATE: "auto"},
            },
            "auto searches a number, and this spec has a schedule",
        ),
        ({"sweep": {RATE: {"auto": {}, "per_batch_size": {}}}}, "leave per_batch_size out"),
        ({"sweep": {RATE: {"auto": 3}}}, "must be a mapping"),
        ({"sweep": {RATE: {"auto": {"start": 0}}}}, "must be a number above 0"),
        ({"sweep": {RATE: {"auto": {"factor": 1}}}}, "must be a number from 1.01 to 100"),
        ({"sweep": {RATE: {"auto": {"at_most": 1.5}}}}, "must be a whole number"),
        ({"sweep": {RATE: {"auto": {"stop": 1}}}}, "unknown key"),
        ({"optimizer": "ftrl", "sweep": {RATE: "auto"}}, "write a start"),
        (
            {
                "optimizer": {"name": "sgd", "learning_rate": 0.1},
                "sweep": {RATE: {"auto": {"start": 0.2}}},
            },
            "auto starts at 0.2; keep one",
        ),
        ({"sweep": {RATE: "auto"}, "search": {"trials": 2, "seed": {"log": [1, 2]}}}, "one search"),
        ({"search": {RATE: {"log": [0.1, 1]}}}, "trials is missing"),
        ({"search": {"trials": 10_001, RATE: {"log": [0.1, 1]}}}, "1 to 10,000"),
        ({"search": {"trials": 4}}, "has no key to search"),
        ({"search": {"trials": 4, RATE: {"log": [1, 1]}}}, "the first must be the smaller one"),
        ({"search": {"trials": 4, RATE: {"log": [0, 1]}}}, "must be above 0"),
        ({"search": {"trials": 4, RATE: {"log": [0.1]}}}, "must be two numbers"),
        ({"search": {"trials": 4, RATE: [0.1, 1]}}, "must be a range on one of the scales"),
        ({"search": {"trials": 4, "batch_size": {"log": [1, 8]}}}, "cannot be searched"),
        ({"search": {"trials": 4, "optimizer.momentum": {"times_log": [1, 8]}}}, "write log"),
        ({"search": {"trials": 4, "optimizer.momentum": {"one_minus_log": [0.1, 2]}}}, "at most 1"),
        (
            {"sweep": {RATE: [0.1]}, "search": {"trials": 4, RATE: {"log": [0.1, 1]}}},
            "the sweep has optimizer.learning_rate already",
        ),
        ({"sweep": {"batch_size": [1, 2]}, "budget": "auto"}, "add target"),
        (
            {"sweep": {"batch_size": [1]}, "budget": "auto", "target": TARGET | {"stop": False}},
            "add stop: true",
        ),
        ({"budget": "auto", "target": TARGET}, "leave it out"),
        ({"budget": "big"}, "must be auto, beside the budget"),
        ({"sweep": {RATE: ["auto", 0.1]}}, "auto stands alone, without a list"),
        (
            {"sweep": {"batch_size": [1, 2], "steps": {"per_batch_size": {1: 3, 2: 4}}}}
            | {"budget": "auto", "target": TARGET},
            "leave steps out here",
        ),
        (
            {"sweep": {"batch_size": [1, 2]}, "budget": "auto", "target": TARGET}
            | {"learning_rate_rule": {"decay": "cosine"}},
            "which budget: auto leaves open",
        ),
        ({"search": {"trials": 4, RATE: {"times_log": [0.1, 1]}}}, "add learning_rate_rule"),
        (
            {"search": {"trials": 4, RATE: {"log": [0.1, 1]}}}
            | {"sweep": {"optimizer": ["adam", {"name": "sgd", "learning_rate": 0.3}]}},
            "an axis of its own",
        ),
        ({"learning_rate_rule": {"final": 0.1}}, "add decay"),
        ({"learning_rate_rule": {"decay": "exponential"}}, "one of cosine, linear"),
    ],
)
def test_faults(keys: dict[str, Any], message: str) -> None:
    """Each with its place, and what to write instead."""
    with pytest.raises(kb.SpecError, match=message) as caught:
        expand(made(**keys))
    assert all(fault.location for fault in caught.value.faults)


def test_trials_are_the_same_at_every_size_and_every_day() -> None:
    """Scrambled Sobol points with a constant seed, inside their ranges, spread evenly."""
    search = {
        "trials": 32,
        RATE: {"times_log": [0.1, 10]},
        "optimizer.momentum": {"one_minus_log": [0.001, 1]},
    }
    runs = expand(made(search=search, sweep={"batch_size": [8, 32]}, learning_rate_rule="linear"))
    assert len(runs) == 64
    points = [
        [(run.swept["learning_rate_rule.times"], run.swept["optimizer.momentum"]) for run in part]
        for part in (runs[:32], runs[32:])
    ]
    assert points[0] == points[1] == [tuple(trial.values()) for trial in trials(search)]
    places = [position("times_log", (0.1, 10), times) for times, _ in points[0]]
    assert sorted(int(place * 8) for place in places) == sorted(list(range(8)) * 4)
    assert all(0 <= momentum <= 0.999 for _, momentum in points[0])
    assert {run.spec.learning_rate_rule.times for run in runs} == {t for t, _ in points[0]}
    assert len(trials(search | {"trials": 5})) == 5
    assert trials(search | {"trials": 5}) == trials(search | {"trials": 8})[:5]


@pytest.mark.parametrize(
    ("scale", "bounds", "value", "place"),
    [
        ("linear", (2, 4), 2.5, 0.25),
        ("log", (0.01, 100), 1.0, 0.5),
        ("one_minus_log", (0.001, 1), 0.999, 0.0),
        ("one_minus_log", (0.01, 1), 0.9, 0.5),
    ],
)
def test_places_in_a_range(scale: str, bounds: Any, value: float, place: float) -> None:
    """From 0 at the low end to 1 at the high one, on the scale of the range."""
    assert position(scale, bounds, value) == pytest.approx(place)


@pytest.mark.parametrize(
    ("keys", "bounds"),
    [
        ({"sweep": {"seed": [0, 1, 2]}}, (3, 3)),
        ({"sweep": {RATE: [0.1, 0.2], "seed": [0, 1, 2]}}, (6, 6)),
        ({"sweep": {RATE: [0.1, 0.2], "seed": [0, 1, 2]}, "target": TARGET}, (4, 6)),
        ({"sweep": {RATE: [0.1, 0.2], "seed": [0, 1]}, "target": TARGET, "cap": False}, (4, 4)),
        ({"sweep": {RATE: "auto", "batch_size": [8, 16]}, "target": TARGET}, (10, 42)),
        ({"sweep": {RATE: {"auto": {"at_most": 0}}, "seed": [0, 1]}}, (10, 10)),
    ],
)
def test_bounds_of_the_number_of_runs(keys: dict[str, Any], bounds: tuple[int, int]) -> None:
    """A plan names them."""
    source = made(**keys)
    assert run_bounds(source.spec, expand(source)) == bounds


def test_single_runs_have_no_key_of_the_sweep() -> None:
    """So that the same run has the same name with a search or without."""
    source = made(
        sweep={"batch_size": [8], RATE: [0.1, 0.2]}, target=TARGET, budget="auto", cap=False
    )
    plain = expand(source)[0].spec
    assert (plain.sweep, plain.search, plain.budget, plain.cap) == (None, None, None, True)
    assert math.isclose(plain.optimizer.arguments["learning_rate"], 0.1)
