"""Errors that say what to write instead, and sentences that are true."""

from pathlib import Path
from typing import Any

import pytest
from run_support import run
from small_specs import LINE

import kerasbatch as kb
from kerasbatch.runs.prepare.plans import plan_runs
from kerasbatch.spec import reader
from kerasbatch.spec.sweep.expand import expand
from kerasbatch.spec.trust import Access
from kerasbatch.text import counted, format_number


def test_images_without_channels(small: dict[str, Any], tmp_path: Path) -> None:
    """The layer that gives them one is written out."""
    layers = [{"Conv2D": {"filters": 2, "kernel_size": 3}}, "Flatten", {"Dense": {"units": 10}}]
    with pytest.raises(kb.SpecError, match=r"put Reshape: \{target_shape: \[8, 8, 1\]\} before"):
        run(small | {"data": "digits", "model": {"layers": layers}}, tmp_path)


@pytest.mark.parametrize(
    "keys",
    [
        {"optimizer": {"name": "sgd", "learning_rate": 1, "momentum": 0}},
        {"optimizer": {"name": "adam", "weight_decay": 0, "epsilon": 1}},
        {"loss": {"name": "sparse_categorical_crossentropy"}, "metrics": [{"name": "accuracy"}]},
    ],
)
def test_whole_numbers_stand_for_floats(
    keys: dict[str, Any], small: dict[str, Any], tmp_path: Path
) -> None:
    """What passes `plan` does not fail in `run`."""
    assert run(small | {"epochs": 1} | keys, tmp_path).status in ("done", "diverged")


def test_a_run_that_stopped_early_says_so(tmp_path: Path) -> None:
    """And not that its steps are those of the formula."""
    spec = LINE | {"record": [], "optimizer": {"name": "sgd", "learning_rate": 1e30}}
    record = run(spec, tmp_path).record
    taken, planned = record["row"]["observed_steps"], record["row"]["planned_steps"]
    assert record["difference"] == f"planned {planned}; stopped after {taken}"


def test_a_model_file_that_is_not_there_is_told_by_the_plan(small: dict[str, Any]) -> None:
    """As by the run."""
    source = reader.spec_from_dict(small | {"model": {"python": "nowhere.py:build"}})
    with pytest.raises(kb.SpecError, match=r"there is no file nowhere\.py"):
        plan_runs(source, Access(source.folder, trusted=True))


def test_plans_tell_what_is_held_back_and_what_the_line_is(small: dict[str, Any]) -> None:
    """200 of the 1,000 examples of the line go to validation."""
    (planned,) = plan_runs(reader.spec_from_dict(small | {"data": "line"}), Access(Path()))
    assert (planned.plan.train_examples, planned.held_back) == (800, 200)
    assert "y = 1 + 2 x + noise; x is standardized" in str(planned.notices)


def test_a_sweep_of_thousands_is_checked(small: dict[str, Any]) -> None:
    """4,000 values, each once."""
    grid = {"sweep": {"seed": list(range(4000))}}
    assert len(expand(reader.spec_from_dict(small | grid))) == 4000


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.97093, "0.9709"),
        (12.5, "12.5000"),
        (213_400.0, "213,400.00"),
        (2.134e11, "2.134e+11"),
        (1.5e-7, "1.5e-07"),
        (0, "0.0000"),
        ("inf", "inf"),
        ("nan", "nan"),
        (None, ""),
    ],
)
def test_numbers_that_can_be_read(value: object, shown: str) -> None:
    """Of any size; what was not measured is empty."""
    assert format_number(value) == shown


def test_counts_with_their_nouns() -> None:
    """One is no plural."""
    assert [counted(1, "step"), counted(2, "step")] == ["1 step", "2 steps"]
    assert counted(1000, "example") == "1,000 examples"
