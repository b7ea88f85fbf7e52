"""One row per batch size: what is chosen, what it took, what was best."""

import itertools
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from result_support import make_run

import kerasbatch as kb
from kerasbatch.records.record import read_record, write_record

TARGET = "val_accuracy>=0.9"


def rows(found: kb.Comparison) -> dict[int, dict[str, Any]]:
    return {row["batch_size"]: row for row in found.table.to_dict("records")}


def test_the_rate_that_most_seeds_reached_the_target_with(tmp_path: Path) -> None:
    """Though another was faster in the seeds that it reached it in."""
    for seed in range(3):
        make_run(tmp_path, 0.5, 0.8, 0.95, seed=seed, rate=0.1)
        fast = (0.95, 0.95, 0.95) if seed < 2 else (0.5, 0.5, 0.5)
        make_run(tmp_path, *fast, seed=seed, rate=0.4)
    found = kb.compare(tmp_path, target=TARGET)
    row = rows(found)[10]
    assert (row["runs"], row["seeds"], row["learning_rate"], row["reached"]) == (6, 3, 0.1, 3)
    assert (row["steps_to_target"], row["examples_to_target"]) == (30, 300)
    assert row["seconds_to_target"] == pytest.approx(0.3)


def test_then_the_smallest_median_of_those_that_reached_it(tmp_path: Path) -> None:
    """Then the smaller rate; medians are of the seeds that reached it, and the rest is counted."""
    for seed, (slow, fast) in enumerate([((0.5, 0.9), (0.9, 0.9)), ((0.5, 0.5), (0.5, 0.5))]):
        make_run(tmp_path, *slow, seed=seed, rate=0.1)
        for rate in (0.4, 0.2):
            make_run(tmp_path, *fast, seed=seed, rate=rate)
    row = rows(kb.compare(tmp_path, target=TARGET))[10]
    assert (row["learning_rate"], row["reached"], row["steps_to_target"]) == (0.2, 1, 10)
    assert (row["val_accuracy"], row["val_accuracy_low"], row["val_accuracy_high"]) == (
        pytest.approx(0.7),
        0.5,
        0.9,
    )


def test_without_a_target_the_best_median_of_the_last_value(tmp_path: Path) -> None:
    """Of the first metric; its loss where there is none, the lower the better."""
    for seed, rate in itertools.product((0, 1, 2), (0.1, 0.2)):
        make_run(tmp_path, 0.99, 0.6 + rate + seed / 100, seed=seed, rate=rate)
    found = kb.compare(tmp_path)
    assert found.question.judged == "val_accuracy"
    assert rows(found)[10]["learning_rate"] == 0.2
    assert rows(found)[10]["val_accuracy"] == pytest.approx(0.81)
    best = {"batch_size": 10, "val_accuracy": pytest.approx(0.81), "ties": []}
    assert found.best == {"val_accuracy": best}
    for path in tmp_path.iterdir():
        assert path.is_dir()
    lossy = tmp_path / "lossy"
    for rate in (0.1, 0.2):
        make_run(lossy, 0.6 + rate, rate=rate, spec={"metrics": []})
    assert kb.compare(lossy).question.judged == "val_loss"
    assert rows(kb.compare(lossy))[10]["learning_rate"] == 0.2


@pytest.mark.parametrize(
    ("target", "untrained", "last"),
    [("val_error<=0.1", 0.9, (0.4, 0.2)), ("val_error>=0.9", 0.1, (0.2, 0.4))],
)
def test_a_target_tells_the_direction_of_an_own_metric(
    tmp_path: Path, target: str, untrained: float, last: tuple[float, float]
) -> None:
    """Nobody reached it, so the better value at the end chooses the rate."""
    own = {"metrics": [{"object": "error-12345678", "as": "error"}]}
    for rate, value in zip((0.1, 0.2), last, strict=True):
        directory = make_run(tmp_path, 0.5, 0.5, rate=rate, spec=own)
        history = pd.read_csv(directory / "history.csv")
        history = history.assign(val_error=[untrained, 0.5, value])
        history.to_csv(directory / "history.csv", index=False)
        record = dict(read_record(directory).record or {})
        write_record(directory, record | {"row": record["row"] | {"val_error": value}})
    row = rows(kb.compare(tmp_path, target=target))[10]
    assert (row["learning_rate"], row["val_error"]) == (0.2, last[1])


def test_three_answers_to_three_questions(tmp_path: Path) -> None:
    """A row that fewer seeds reached the target with competes for none of them."""
    for seed in (0, 1):
        make_run(tmp_path, 0.5, 0.9, batch_size=10, seed=seed)
        make_run(tmp_path, 0.9, batch_size=100, seed=seed)
        make_run(tmp_path, *((0.9,) if seed else (0.5,)), batch_size=200, every=1, seed=seed)
    found = kb.compare(tmp_path, target=TARGET)
    assert found.best == {
        "steps": {"batch_size": 100, "steps_to_target": 10, "ties": [200]},
        "examples": {"batch_size": 10, "examples_to_target": 200, "ties": [100, 200]},
        "seconds": {"batch_size": 100, "seconds_to_target": pytest.approx(0.1), "ties": [200]},
    }


def test_what_was_cut_off_or_stopped_earlier_is_unknown(tmp_path: Path) -> None:
    """And what ran to its end without the target is not."""
    make_run(tmp_path, 0.5, 0.8, status="target", seed=0)
    make_run(tmp_path, 0.5, 0.8, status="interrupted", seed=1)
    make_run(tmp_path, 0.5, 0.8, status="done", seed=2)
    make_run(tmp_path, 0.5, 0.95, status="target", seed=3)
    row = rows(kb.compare(tmp_path, target=TARGET))[10]
    assert (row["seeds"], row["reached"], row["unknown"]) == (4, 1, 2)


def test_the_untrained_model_reaches_nothing(tmp_path: Path) -> None:
    """Its accuracy of 0.1 passes, and the first evaluation after it counts."""
    make_run(tmp_path, 0.5, 0.6)
    row = rows(kb.compare(tmp_path, target="val_accuracy>=0.05"))[10]
    assert row["steps_to_target"] == 10
    assert rows(kb.compare(tmp_path, target="val_loss<=0.45"))[10]["steps_to_target"] == 20


def test_the_recorded_target_is_the_default(tmp_path: Path) -> None:
    """Where all runs have the same."""
    make_run(tmp_path, 0.5, 0.8, row={"target": "val_accuracy >= 0.7", "steps_to_target": 20})
    found = kb.compare(tmp_path)
    assert str(found.question.target) == "val_accuracy >= 0.7"
    assert rows(found)[10]["steps_to_target"] == 20


def test_other_swept_keys_are_tuned_alike(tmp_path: Path) -> None:
    """And become columns; the test metrics are reported, and never chosen by."""
    for momentum, last in ((0.0, 0.7), (0.9, 0.8)):
        optimizer = {"name": "sgd", "learning_rate": 0.1, "momentum": momentum}
        make_run(
            tmp_path,
            last,
            swept={"optimizer.momentum": momentum},
            spec={"optimizer": optimizer},
            row={"test_accuracy": 1 - last},
        )
    found = kb.compare(tmp_path)
    row = rows(found)[10]
    assert (row["optimizer.momentum"], row["val_accuracy"]) == (0.9, 0.8)
    assert row["test_accuracy"] == pytest.approx(0.2)
    by = kb.compare(tmp_path, by=["batch_size", "optimizer.momentum"]).table
    assert by["optimizer.momentum"].tolist() == [0.0, 0.9]


def test_json_has_what_the_object_has(tmp_path: Path) -> None:
    """And Markdown and CSV its columns."""
    make_run(tmp_path, 0.5, 0.9, row={"val_loss": "inf"})
    found = kb.compare(tmp_path, target=TARGET, fit=True)
    told = json.loads(found.to_json())
    keys = {"best", "caveats", "fit", "recommendation", "stale", "table", "unfinished"}
    assert set(told) == keys
    assert told["best"]["steps"] == {"batch_size": 10, "steps_to_target": 20, "ties": []}
    assert told["recommendation"] == found.recommendation
    assert {"code", "message", "runs"} == set(told["caveats"][0])
    assert told["fit"] == {"reason": found.fit.reason}  # type: ignore[union-attr]
    assert found.to_csv().splitlines()[0] == ",".join(found.table.columns)
    assert found.to_markdown().splitlines()[0].startswith("| batch_size | runs | seeds |")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "batchsize"}, "'batchsize' is not in these runs; did you mean batch_size"),
        ({"target": "val_acuracy>=0.9"}, "did you mean val_accuracy"),
        ({"target": "val_accuracy>0.9"}, "must be a metric and its value"),
        ({"target": "val_accuracy>=high"}, "must be a metric and its value"),
        ({"target": "val_loss>=0.06"}, "val_loss is better when it is lower; write at_most: 0.06"),
    ],
)
def test_what_is_not_in_the_runs(tmp_path: Path, options: dict[str, str], message: str) -> None:
    """Is said, with what is near."""
    make_run(tmp_path, 0.5)
    with pytest.raises(kb.SpecError, match=message):
        kb.compare(tmp_path, **options)  # type: ignore[arg-type]


def test_no_runs_are_no_comparison(tmp_path: Path) -> None:
    """The place is named."""
    with pytest.raises(kb.SpecError, match=r"there are no runs to compare: .* holds no run"):
        kb.compare(tmp_path)


def test_runs_of_two_roots_with_the_same_names_stay_apart(tmp_path: Path) -> None:
    """Each keeps its own history."""
    for root, climb in (("old", (0.5, 0.5, 0.95)), ("new", (0.95, 0.95, 0.95))):
        make_run(tmp_path / root / "exp", *climb)
    loaded = kb.load([tmp_path / "old", tmp_path / "new"])
    assert sorted(loaded.runs["experiment"]) == ["new/exp", "old/exp"]
    assert len(loaded.records) == len(loaded.specs) == 2
    (row,) = kb.compare(loaded, target=TARGET).table.to_dict("records")
    assert (row["runs"], row["seeds"], row["reached"], row["steps_to_target"]) == (2, 1, 1, 20)


def test_seeds_are_counted_and_not_runs(tmp_path: Path) -> None:
    """A size that was run twice does not outdo one that was run once."""
    for name, sizes in (("a", (10, 20)), ("b", (10,))):
        for size, seed in itertools.product(sizes, range(3)):
            climb = (0.95, 0.95, 0.95) if size == 20 else (0.5, 0.5, 0.95)
            make_run(tmp_path / name, *climb, batch_size=size, seed=seed)
    found = kb.compare(tmp_path, target=TARGET)
    assert [(row["seeds"], row["reached"]) for row in rows(found).values()] == [(3, 3), (3, 3)]
    assert found.best["steps"] == {"batch_size": 20, "steps_to_target": 10, "ties": []}


def test_a_rate_that_loses_its_seeds_is_not_chosen_for_the_survivor(tmp_path: Path) -> None:
    """Whether the others diverged or crashed."""
    for seed in range(3):
        make_run(tmp_path, 0.8, 0.8, seed=seed, rate=0.1)
        nan = float("nan")
        lost = {"status": "diverged", "row": {"val_accuracy": nan, "val_loss": nan}}
        make_run(tmp_path, 0.9, 0.9, seed=seed, rate=0.2, **(lost if seed else {}))
        make_run(tmp_path, 0.9, 0.9, seed=seed, rate=0.4, **({"status": "crashed"} if seed else {}))
    assert rows(kb.compare(tmp_path))[10]["learning_rate"] == 0.1


@pytest.mark.parametrize(
    ("by", "target", "message"),
    [
        ("steps_to_target", None, "is a result"),
        ("val_accuracy", None, "is a result"),
        ("batch_size", "test_accuracy>=0.9", "the test part is measured once"),
    ],
)
def test_results_are_no_keys(tmp_path: Path, by: str, target: str | None, message: str) -> None:
    """A sentence, and no traceback."""
    make_run(tmp_path, 0.9, 0.9)
    with pytest.raises(kb.SpecError, match=message):
        kb.compare(tmp_path, by, target)
    twice = kb.compare(tmp_path, ["batch_size", "batch_size"])
    assert twice.question.by == ("batch_size",)


def test_a_schedule_has_no_single_rate(tmp_path: Path) -> None:
    """Its runs are compared all the same."""
    make_run(tmp_path, 0.9, 0.9, row={"learning_rate": None})
    (row,) = kb.compare(tmp_path).table.to_dict("records")
    assert row["learning_rate"] != row["learning_rate"]
    assert row["val_accuracy"] == 0.9


def test_a_swept_loss_is_told_apart_from_its_value(tmp_path: Path) -> None:
    """The column loss is the last loss."""
    for loss in ("mse", "mae"):
        make_run(tmp_path, 0.9, 0.9, swept={"loss": loss}, row={"loss": 0.1})
    loaded = kb.load(tmp_path)
    assert loaded.swept[-1] == "spec.loss"
    assert sorted(loaded.runs["spec.loss"]) == ["mae", "mse"]


def test_json_and_markdown_keep_numbers(tmp_path: Path) -> None:
    """All digits of small ones, no exponents for whole ones."""
    make_run(tmp_path, 0.9, 1 / 3, every=123_456)
    found = kb.compare(tmp_path, target=TARGET)
    (row,) = json.loads(found.to_json())["table"]
    assert row["val_accuracy"] == 1 / 3
    assert "| 1234560 |" in found.to_markdown()
