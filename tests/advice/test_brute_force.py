"""Advice against brute force: the verdict, and the command."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.advice import brute_force
from kerasbatch.advice.brute_force import (
    BruteForce,
    BruteForceSettings,
    _compare_with_advice,
    brute_force_spec,
)
from kerasbatch.advice.measure import Memory
from kerasbatch.advice.result import Advice
from kerasbatch.cli import app
from kerasbatch.records.files import dump_yaml
from kerasbatch.spec import reader

DIGITS: dict[str, Any] = {
    "name": "little",
    "data": "digits",
    "model": "mlp",
    "optimizer": {"name": "sgd", "learning_rate": 0.5},
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "examples": 30_000,
    "batch_size": 64,
    "target": {"metric": "val_accuracy", "at_least": 0.9},
}


def advice(size: int | None) -> Advice:
    """Advice on a size, with two sizes in its table."""
    table = pd.DataFrame(
        {"batch_size": [16, 64], "relative_seconds": [1.0, 1.25], "advice": ["advised", ""]}
    )
    none: Any = {"half": None, "learning_rate": None, "verification": None, "spec": None}
    return Advice(size, "told", 90.0, 80.0, 100.0, table, memory=Memory({}, None, ""), **none)


def judged(seconds: list[float], reached: list[int], size: int | None) -> BruteForce:
    """What is said where 16, 32 and 64 took so long, and so many of three seeds got there."""
    took: dict[str, Any] = {
        "batch_size": [16, 32, 64],
        "learning_rate": 0.1,
        "seeds": 3,
        "reached": reached,
        "steps_to_target": 10.0,
        "examples_to_target": 100.0,
        "seconds_to_target": seconds,
    }
    return _compare_with_advice(reader.spec_from_dict(DIGITS), advice(size), pd.DataFrame(took), ())


def test_the_advice_holds_up_to_half_as_much_time_again() -> None:
    """Beside it what was predicted, where it was."""
    found = judged([1.2, 1.0, 1.1], [3, 3, 3], 16)
    assert (found.fastest, found.ratio, found.held) == (32, 1.2, True)
    assert found.message == (
        "the advice held: by brute force, 32 is the fastest; batch size 16 took 1.20 times its time"
    )
    assert found.table["predicted_seconds"].fillna(0).tolist() == [1.0, 0, 1.25]
    assert found.table["target"].unique().tolist() == ["val_accuracy >= 0.9"]
    assert tuple(found.table) == brute_force.COLUMNS
    late = judged([1.6, 1.0, 1.1], [3, 3, 3], 16)
    assert (late.held, "the advice did not hold" in late.message) == (False, True)


def test_a_size_that_some_seeds_failed_at_is_not_the_fastest() -> None:
    """And where it was advised, the advice did not hold."""
    found = judged([0.5, 1.0, 1.1], [2, 3, 3], 16)
    assert (found.fastest, found.ratio, found.held) == (32, math.inf, False)
    assert found.message.endswith("batch size 16 did not get there with every seed")


def test_without_advice_nothing_held() -> None:
    """Nor where no size reached the target."""
    found = judged([1.2, 1.0, 1.1], [3, 3, 3], None)
    assert (found.ratio, found.held) == (None, None)
    assert found.message == "no advice; by brute force, 32 is the fastest"
    nowhere = judged([math.nan] * 3, [0, 0, 0], 16)
    assert (nowhere.fastest, nowhere.held, "cannot tell" in nowhere.message) == (None, None, True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"target": None}, "brute force needs one"),
        ({"optimizer": "lion"}, "no rule says how its learning rate follows"),
        ({"sweep": {"seed": [0, 1]}}, "leave the sweep out"),
    ],
)
def test_what_it_refuses(changes: dict[str, Any], told: str) -> None:
    """Before anything is measured."""
    given = {key: value for key, value in (DIGITS | changes).items() if value is not None}
    with pytest.raises(kb.SpecError, match=told):
        brute_force_spec(reader.spec_from_dict(given), trust=False)


@pytest.mark.slow
def test_the_whole_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sizes and the advised one, on real digits, each at the rate that a search found."""
    settings = BruteForceSettings((16, 256), max_rates=1, seeds=(0,))
    small = partial(brute_force.brute_force, settings=settings)
    monkeypatch.setattr(brute_force, "brute_force", small)
    spec, csv = tmp_path / "little.yaml", tmp_path / "found.csv"
    spec.write_text(dump_yaml(DIGITS), encoding="utf-8")
    command = ["check-advice", str(spec), "--minutes", "1", "--csv", str(csv)]
    done = CliRunner().invoke(app.app, command, catch_exceptions=False)
    assert done.exit_code == 0
    assert "by brute force" in done.output
    table = pd.read_csv(csv)
    assert {16, 256} <= set(table["batch_size"])
    assert table["relative_seconds"].min() == 1
    assert (table["steps_to_target"] > 0).all()
