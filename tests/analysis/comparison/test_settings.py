"""Settings in which runs differ: compared, tuned, or refused; never mixed into the batch size."""

from pathlib import Path
from typing import Any

import pytest
from result_support import make_run

import kerasbatch as kb

TARGET = "val_accuracy>=0.9"
TUNABLE: list[tuple[dict[str, Any], str]] = [
    ({"optimizer": {"name": "adam", "learning_rate": 0.1}}, "optimizer"),
    (
        {"optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9}},
        "optimizer.momentum",
    ),
    ({"partial_batch": "drop"}, "partial_batch"),
    ({"steps": 30}, "steps"),
]
"""Changes of a spec that may be tuned within an experiment, and their keys."""


def write_two(folder: Path, first: dict[str, Any], second: dict[str, Any]) -> None:
    """Write runs of two sizes in two experiments of different specs."""
    for name, spec in (("one", first), ("two", second)):
        for size in (10, 100):
            make_run(folder / name, 0.5, 0.9, batch_size=size, spec=spec)


@pytest.mark.parametrize(
    ("second", "key"),
    [
        ({"model": "linear"}, "model"),
        ({"model": {"layers": ["Flatten", {"Dense": {"units": 10}}]}}, "model"),
        ({"data": "iris"}, "data"),
        ({"data": {"name": "digits", "train_examples": 500}}, "data"),
        ({"loss": "mse"}, "loss"),
        ({"metrics": ["accuracy", "mae"]}, "metrics"),
        *TUNABLE,
    ],
)
def test_two_experiments_that_differ_are_not_pooled(
    tmp_path: Path, second: dict[str, Any], key: str
) -> None:
    """The error says how to compare them; by this key, each has rows of its own."""
    write_two(tmp_path, {}, second)
    message = f"these runs differ in {key}: use --by {key}, or compare them separately"
    with pytest.raises(kb.SpecError, match=message):
        kb.compare(tmp_path)
    table = kb.compare(tmp_path, ["batch_size", key]).table
    assert len(table) == 4
    assert (table["seeds"] == 1).all()
    assert len(kb.compare(tmp_path, ["experiment", "batch_size"]).table) == 4
    for folder in ("one", "two"):
        assert len(kb.compare(tmp_path / folder).table) == 2


def test_other_data_under_the_same_name(tmp_path: Path) -> None:
    """Their fingerprint tells; by data, each has rows of its own."""
    make_run(tmp_path, 0.5, 0.9)
    make_run(tmp_path, 0.5, 0.9, seed=1, record={"data_fingerprint": "0" * 64})
    with pytest.raises(kb.SpecError, match="these runs differ in data"):
        kb.compare(tmp_path)
    table = kb.compare(tmp_path, "data").table
    assert sorted(table["data"]) == ["digits (no. 1)", "digits (no. 2)"]


@pytest.mark.parametrize(("second", "key"), TUNABLE)
def test_settings_of_one_experiment_are_tuned(
    tmp_path: Path, second: dict[str, Any], key: str
) -> None:
    """And shown; the better one is chosen."""
    make_run(tmp_path, 0.5, 0.9)
    make_run(tmp_path, 0.5, 0.95, spec=second)
    comparison = kb.compare(tmp_path)
    (row,) = comparison.table.to_dict("records")
    assert key in comparison.question.tuned
    assert "planned_steps" not in comparison.question.tuned
    name, _, inner = key.partition(".")
    assert row[key] == (second[name][inner or "name"] if name == "optimizer" else second[name])
    assert row["val_accuracy"] == 0.95


@pytest.mark.parametrize("key", ["model", "data", "loss", "metrics"])
def test_another_task_is_never_tuned(tmp_path: Path, key: str) -> None:
    """Not within one experiment either."""
    other = {"model": "linear", "data": "iris", "loss": "mse", "metrics": ["accuracy", "mae"]}
    make_run(tmp_path, 0.5, 0.9)
    make_run(tmp_path, 0.5, 0.95, spec={key: other[key]})
    with pytest.raises(kb.SpecError, match=f"these runs differ in {key}: use --by {key}"):
        kb.compare(tmp_path)
    assert len(kb.compare(tmp_path, key).table) == 2


def test_arguments_of_a_model_are_tuned(tmp_path: Path) -> None:
    """The same layers with other units."""
    for units, last in ((4, 0.8), (8, 0.9)):
        layers = ["Flatten", {"Dense": {"units": units}}]
        make_run(tmp_path, 0.5, last, spec={"model": {"layers": layers}})
    (row,) = kb.compare(tmp_path).table.to_dict("records")
    assert row["model.layers.1.Dense.units"] == 8
    assert kb.compare(tmp_path, "model").table["model"].tolist() == [
        "Flatten-Dense 4",
        "Flatten-Dense 8",
    ]


def test_the_edge_of_a_grid_is_that_of_equal_settings(tmp_path: Path) -> None:
    """The rate 0.2 lies inside 0.1 to 0.4 without momentum; with it, it is the largest."""
    for rate in (0.1, 0.2, 0.4):
        make_run(tmp_path, 0.5, 0.8, rate=rate)
    for rate, last in ((0.05, 0.85), (0.2, 0.9)):
        optimizer = {"name": "sgd", "learning_rate": rate, "momentum": 0.9}
        make_run(tmp_path, 0.5, last, spec={"optimizer": optimizer}, rate=rate)
    comparison = kb.compare(tmp_path)
    assert comparison.table["optimizer.momentum"].tolist() == [0.9]
    assert "grid_edge" in comparison.table["caveats"][0]


def test_by_the_key_of_the_learning_rate(tmp_path: Path) -> None:
    """It is the spec's own name."""
    for rate in (0.1, 0.2):
        make_run(tmp_path, 0.5, 0.9, rate=rate)
    table = kb.compare(tmp_path, "optimizer.learning_rate").table
    assert table["optimizer.learning_rate"].tolist() == [0.1, 0.2]
    assert "learning_rate" not in table


def test_budgets_may_follow_the_batch_size(tmp_path: Path) -> None:
    """A budget for each size is no setting to choose."""
    for size, steps in ((10, 40), (100, 20)):
        make_run(tmp_path, *[0.9] * (steps // 10), batch_size=size)
    assert kb.compare(tmp_path).question.tuned == ("learning_rate",)


def test_missing_runs_are_named_and_judged_by_shares(tmp_path: Path) -> None:
    """A lost seed does not change the chosen rate; a single seed of three is not chosen."""
    grid = {"optimizer.learning_rate": [0.1, 0.2], "seed": [0, 1, 2]}
    from result_support import SPEC

    from kerasbatch.records.files import dump_yaml

    text = dump_yaml(SPEC | {"steps": 30, "sweep": grid})
    (tmp_path / "experiment.yaml").write_text(text, encoding="utf-8")
    runs = [make_run(tmp_path, 0.5, 0.9, 0.9, seed=seed) for seed in range(3)]
    for seed in range(3):
        make_run(tmp_path, 0.5, 0.5, 0.9, rate=0.2, seed=seed)
    assert "missing_runs" not in kb.compare(tmp_path, target=TARGET).table["caveats"][0]
    for number, rate in ((2, 0.1), (1, 0.2)):
        for file in runs[number].iterdir():
            file.unlink()
        runs[number].rmdir()
        comparison = kb.compare(tmp_path, target=TARGET)
        assert comparison.table["learning_rate"].tolist() == [rate]
        (caveat,) = (caveat for caveat in comparison.caveats if caveat.code == "missing_runs")
        assert f"{3 - number} of 6 runs without a result: " in caveat.message
        assert f"optimizer.learning_rate 0.1, seed {number} (missing)" in caveat.message
        assert caveat.rows == (0,)
