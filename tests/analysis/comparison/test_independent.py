"""The comparison recomputed from the files alone, for reference studies and damaged copies of them.

`recompute` reads record.json and history.csv with json and pandas; it uses nothing of the package.
"""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from grid_support import Grid, write_grid

import kerasbatch as kb
from kerasbatch.records.record import write_record

REFERENCE = Path(__file__).parents[3] / "results" / "reference"
COSTS = {"steps": "step", "examples": "examples", "seconds": "seconds"}
FINISHED = ("done", "target", "diverged")


def read_runs(folder: Path) -> pd.DataFrame:
    """Return one row per run with a record: size, rate, seed, status, and its costs."""
    rows = []
    for file in sorted(folder.glob("*/record.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        target = re.fullmatch(r"(\w+) >= (\S+)", record["row"]["target"])
        assert target is not None
        history = pd.read_csv(file.with_name("history.csv"))
        trained = history[history["step"] > 0]
        passed = trained[trained[target[1]] >= float(np.float32(target[2]))]
        learned = record["row"][target[1]] not in (None, "nan") and (
            float(record["row"][target[1]])
            > float(history[target[1]][0]) + 0.01 * (1 - float(history[target[1]][0]))
        )
        costs = {name: passed[column].min() for name, column in COSTS.items()} if learned else {}
        names = ("batch_size", "learning_rate", "seed", "status", target[1])
        rows.append({name: record["row"][name] for name in names} | costs)
    return pd.DataFrame(rows, columns=[*names, *COSTS])


def recompute(folder: Path, seeds: int = 3) -> pd.DataFrame:
    """Return the table of the comparison: the best rate of every size, and the median costs."""
    runs = read_runs(folder)
    settings = runs[runs["status"].isin(FINISHED)].groupby(["batch_size", "learning_rate"])
    table = settings.agg(
        reached=("steps", "count"), trained=("seed", "nunique"), steps=("steps", "median")
    )
    table["share"] = table["reached"] / table["trained"].clip(lower=-(-seeds // 2))
    order = table.reset_index().sort_values(
        ["share", "steps", "learning_rate"], ascending=[False, True, True]
    )
    chosen = order.drop_duplicates("batch_size")[["batch_size", "learning_rate"]]
    medians = runs.merge(chosen).groupby(["batch_size", "learning_rate"])[list(COSTS)].median()
    return medians.reset_index()


def check(folder: Path, **options: Any) -> Any:
    """Compare the table of the package with the recomputed one, and return the comparison."""
    comparison = kb.compare(folder, **options)
    expected = recompute(folder)
    columns = ["batch_size", "learning_rate", *(f"{name}_to_target" for name in COSTS)]
    table = comparison.table[columns].set_axis(expected.columns, axis=1)
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    reached = expected.dropna()
    for name in COSTS if len(reached) else ():
        best = comparison.best[name]
        minimum = reached[name].min()
        winners = set(reached["batch_size"][reached[name] == minimum])
        assert best[f"{name}_to_target"] == minimum
        assert winners <= {best["batch_size"], *best["ties"]}
    return comparison


def codes(comparison: Any) -> dict[str, str]:
    return {caveat.code: caveat.message for caveat in comparison.caveats}


@pytest.mark.parametrize("name", ["digits_batch_sizes", "mnist_batch_sizes", "shallue_fig3"])
def test_reference_studies(name: str) -> None:
    """Every rate, every cost, every winner."""
    assert "missing_runs" not in codes(check(REFERENCE / name))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A grid of digits, whole, to be damaged."""
    folder, _ = write_grid(Grid("digits_batch_sizes"), tmp_path, capped=None)
    return folder


def run_of(folder: Path, size: int, rate: float, seed: int) -> Path:
    for file in folder.glob("*/record.json"):
        row = json.loads(file.read_text(encoding="utf-8"))["row"]
        if (row["batch_size"], row["learning_rate"], row["seed"]) == (size, rate, seed):
            return file.parent
    raise AssertionError("there is no such run")


def change(
    run: Path,
    record_changes: Callable[[dict[str, Any]], Any],
    history_changes: Callable[[pd.DataFrame], pd.DataFrame] = lambda history: history,
) -> None:
    """Change a run, and write its record with the right checksums."""
    history = history_changes(pd.read_csv(run / "history.csv"))
    history.to_csv(run / "history.csv", index=False)
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    record_changes(record)
    for key in ("checksum", "files", "format"):
        record.pop(key)
    write_record(run, record)


def runs_where(folder: Path, condition: Callable[[dict[str, Any]], bool]) -> list[Path]:
    files = folder.glob("*/record.json")
    rows = {file.parent: json.loads(file.read_text(encoding="utf-8"))["row"] for file in files}
    return [run for run, row in rows.items() if condition(row)]


def edit_spec(folder: Path, old: str, new: str) -> None:
    file = folder / "experiment.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_a_run_is_missing(copy: Path) -> None:
    """It is named, and the choice of its rate stays."""
    shutil.rmtree(run_of(copy, 32, 0.1, 2))
    comparison = check(copy)
    message = codes(comparison)["missing_runs"]
    assert "1 of 54 runs without a result: batch_size 32, " in message
    assert "optimizer.learning_rate 0.1, seed 2 (missing)" in message
    assert comparison.table.set_index("batch_size")["learning_rate"][32] == 0.1


def test_a_run_is_unfinished(copy: Path) -> None:
    """Its numbers so far are no part of the answer."""
    run = run_of(copy, 32, 0.1, 2)
    (run / "record.json").unlink()
    comparison = check(copy)
    assert f"{run.name} (unfinished)" in codes(comparison)["missing_runs"]
    assert len(comparison.unfinished) == 1


def test_runs_are_stale(copy: Path) -> None:
    """The spec was edited: one size is gone."""
    edit_spec(copy, "batch_size: [1, 8, 32, 128, 512, full]", "batch_size: [1, 8, 32, 128, full]")
    edit_spec(copy, "128: 30, 512: 100,", "128: 30,")
    edit_spec(copy, "      512: [0.3, 0.6, 1.2]\n", "")
    comparison = kb.compare(copy)
    assert len(comparison.stale) == 9
    assert comparison.table["batch_size"].tolist() == [1, 8, 32, 128, 1437]
    assert check(copy, all_runs=True).stale == ()
    for run in runs_where(copy, lambda row: row["batch_size"] == 512):
        shutil.rmtree(run)
    pd.testing.assert_frame_equal(check(copy).table, comparison.table)


def test_a_run_has_diverged(copy: Path) -> None:
    """It has not reached the target, so another rate wins."""
    run = run_of(copy, 32, 0.1, 1)

    def diverge(record: dict[str, Any]) -> None:
        record["status"] = record["row"]["status"] = "diverged"
        record["row"] |= {"val_loss": "inf", "val_accuracy": 0.5}

    change(run, diverge, lambda history: history.head(2))
    comparison = check(copy)
    assert comparison.table.set_index("batch_size")["learning_rate"][32] != 0.1


def test_a_run_is_of_another_model(copy: Path) -> None:
    """It is not what the spec asks for; together with the others it is refused."""
    run = run_of(copy, 32, 0.1, 1)
    change(run, lambda record: record["spec"].update(model="linear"))
    comparison = kb.compare(copy)
    assert [name.partition("/")[2] for name in comparison.stale] == [run.name]
    assert "1 of 54 runs without a result" in codes(comparison)["missing_runs"]
    with pytest.raises(kb.SpecError, match="these runs differ in model: use --by model"):
        kb.compare(copy, all_runs=True)
    shutil.rmtree(run)
    pd.testing.assert_frame_equal(check(copy).table, comparison.table)


def test_a_run_is_of_other_data(copy: Path) -> None:
    """Their content differs, whatever their name."""
    change(run_of(copy, 32, 0.1, 1), lambda record: record.update(data_fingerprint="0" * 64))
    with pytest.raises(kb.SpecError, match="these runs differ in data: use --by data"):
        kb.compare(copy)


def test_a_size_has_learned_nothing(copy: Path) -> None:
    """It was at the target for a moment, and is no candidate."""
    for run in runs_where(copy, lambda row: row["batch_size"] == 512):
        untrained = float(pd.read_csv(run / "history.csv")["val_accuracy"][0])

        def forget(record: dict[str, Any], value: float = untrained) -> None:
            record["row"]["val_accuracy"] = value

        change(run, forget)
    comparison = check(copy)
    assert (
        "batch_size 512: 3 runs learned nothing: val_accuracy"
        in codes(comparison)["nothing_learned"]
    )
    assert comparison.best["steps"]["batch_size"] != 512


def test_two_sizes_tie(copy: Path) -> None:
    """Every form of the comparison names both."""
    for seed in range(3):
        source = pd.read_csv(run_of(copy, 32, 0.1, seed) / "history.csv")
        change(
            run_of(copy, 8, 0.03, seed),
            lambda record: None,
            lambda history, source=source: source.assign(loss=source["loss"]),
        )
    comparison = check(copy)
    best = comparison.best["seconds"]
    assert {8, 32} <= {best["batch_size"], *best["ties"]}
    assert json.loads(comparison.to_json())["best"]["seconds"]["ties"] == best["ties"]
    assert f"Take batch size {best['batch_size']:,}" in comparison.recommendation
    assert "cannot be told from it" in comparison.recommendation


def test_there_is_one_seed(copy: Path) -> None:
    """No spread is known, so none is spoken of."""
    edit_spec(copy, "seed: [0, 1, 2]", "seed: [0]")
    for run in runs_where(copy, lambda row: row["seed"] > 0):
        shutil.rmtree(run)
    comparison = kb.compare(copy)
    assert "one_seed" in codes(comparison)
    assert "within_spread" not in codes(comparison)
    assert "two more seeds" in comparison.recommendation
    expected = recompute(copy, seeds=1)
    assert comparison.table["learning_rate"].tolist() == expected["learning_rate"].tolist()
    assert comparison.table["steps_to_target"].tolist() == expected["steps"].tolist()


def test_rates_lie_at_the_edge(copy: Path) -> None:
    """Without the larger rates, the best one is the largest."""
    edit_spec(copy, "32: [0.03, 0.1, 0.3]", "32: [0.03, 0.1]")
    for run in runs_where(copy, lambda row: (row["batch_size"], row["learning_rate"]) == (32, 0.3)):
        shutil.rmtree(run)
    comparison = check(copy, fit=True)
    assert "batch_size 32: the best learning rate is at the edge" in codes(comparison)["grid_edge"]
    assert "learning rates above 0.1 at 32" in comparison.recommendation
    assert (
        comparison.fit.doubt == "1 of 6 sizes may be faster with a learning rate that was not tried"
    )
