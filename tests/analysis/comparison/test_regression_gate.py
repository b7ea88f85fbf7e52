"""The gate: nothing may become worse, and what is missing is."""

from pathlib import Path
from typing import Any

import pytest
from result_support import make_run
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.analysis.comparison import regression_gate
from kerasbatch.cli import app


def results(folder: Path, *last: float, sizes: tuple[int, ...] = (10, 100), **keys: Any) -> Path:
    for size in sizes:
        for seed, value in enumerate(last):
            make_run(folder, 0.5, value, batch_size=size, seed=seed, **keys)
    return folder


def worse(now: Path, before: Path, limit: str, target: str | None = None) -> list[str]:
    found = regression_gate.find_regressions(
        kb.compare(now, target=target),
        kb.compare(before, target=target),
        regression_gate.parse_limit(limit),
    )
    return [f"{each.row}: {each.message}" for each in found]


def test_against_itself_nothing_is_worse(tmp_path: Path) -> None:
    """In any unit."""
    here = results(tmp_path, 0.8, 0.82, 0.84)
    for limit in ("val_accuracy<-0.01", "val_accuracy<-2sd", "val_loss>+10%", "val_loss>+0"):
        assert worse(here, here, limit) == []


@pytest.mark.parametrize(
    ("limit", "fails"),
    [
        ("val_accuracy<-0.05", True),
        ("val_accuracy<-0.07", False),
        ("val_accuracy<-2sd", True),
        ("val_accuracy<-4sd", False),
        ("val_loss>+30%", True),
        ("val_loss>+40%", False),
    ],
)
def test_units(tmp_path: Path, limit: str, fails: bool) -> None:
    """0.82 with a spread of 0.02 over seeds fell to 0.76; the loss rose by a third."""
    before = results(tmp_path / "before", 0.8, 0.82, 0.84)
    now = results(tmp_path / "now", 0.75, 0.76, 0.77)
    found = worse(now, before, limit)
    assert len(found) == (2 if fails else 0)
    if fails:
        assert found[0].startswith(f"batch_size 10: {limit[: limit.index('_')]}_")
        assert limit in found[0]


def test_what_is_missing_fails(tmp_path: Path) -> None:
    """A row, a seed, or a target that is no longer reached; a new row does not."""
    before = results(tmp_path / "before", 0.9, 0.9)
    row = results(tmp_path / "row", 0.9, 0.9, sizes=(10, 200))
    seed = results(tmp_path / "seed", 0.9)
    missed = results(tmp_path / "missed", 0.8, 0.8)
    limit, target = "steps_to_target>+10%", "val_accuracy>=0.85"
    assert worse(row, before, limit, target) == ["batch_size 100: is missing"]
    told = "has 1 of the baseline's 2 seeds"
    assert worse(seed, before, limit, target) == [
        f"batch_size {size}: {told}" for size in (10, 100)
    ]
    assert "steps_to_target was 20 and is not there" in worse(missed, before, limit, target)[0]


@pytest.mark.parametrize(
    "text", ["val_accuracy", "val_accuracy<0.01", "val_accuracy<-2ds", "<-1", "a<b", "x>=-1"]
)
def test_what_is_no_limit(text: str) -> None:
    """With what it must look like."""
    with pytest.raises(kb.SpecError, match="must be like"):
        regression_gate.parse_limit(text)


def _gate(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app.app, ["compare", *map(str, arguments)])
    return result.exit_code, result.output + str(result.exception or "")


def test_exit_codes(tmp_path: Path) -> None:
    """0 against itself, 1 against better results, a spec error for what cannot be asked."""
    here = results(tmp_path / "here", 0.8)
    better = results(tmp_path / "better", 0.9)
    same = _gate(here, "--baseline", here, "--fail-if", "val_accuracy<-0.01")
    assert same[0] == 0
    assert "no worse than the baseline in 2 rows" in same[1]
    fallen = _gate(here, "--baseline", better, "--fail-if", "val_accuracy<-0.01")
    assert fallen[0] == 1
    assert "batch_size 10: val_accuracy went from 0.9 to 0.8, by -0.1" in fallen[1]
    for wrong, message in (
        (("--baseline", here), "goes with --fail-if"),
        (("--baseline", here, "--fail-if", "val_accuracy<-2sd"), "sd needs two seeds"),
        (("--baseline", here, "--fail-if", "val_acuracy<-1"), "did you mean val_accuracy"),
    ):
        assert message in _gate(here, *wrong)[1]


def test_another_model_in_the_baseline_is_noted(tmp_path: Path) -> None:
    """A gate may judge a changed model, and says that it does."""
    before = results(tmp_path / "before", 0.8)
    now = results(tmp_path / "now", 0.8, spec={"model": "cnn", "data": "mnist"}, used="mnist")
    limit = ("--fail-if", "val_accuracy<-0.01")
    code, output = _gate(now, "--baseline", before, *limit)
    assert code == 0
    assert "the baseline's runs differ in model\n" in output
    assert "differ in" not in _gate(now, "--baseline", now, *limit)[1]


def test_what_cannot_be_compared_is_no_pass(tmp_path: Path) -> None:
    """Another target, no number at all, no spread: exit code 2, and not 0."""
    here = results(tmp_path, 0.8, 0.9)
    for limit, targets, message in (
        ("steps_to_target>+10%", (None, None), "no row of the baseline has a steps_to_target"),
        ("steps_to_target>+10%", ("val_accuracy>=0.7", "val_accuracy>=0.9"), "one for both"),
        ("steps_to_target>+2sd", ("val_accuracy>=0.85",) * 2, "sd needs two seeds"),
        ("val_accuracy_low<-2sd", (None, None), "has no spread over seeds"),
    ):
        now, before = (kb.compare(here, target=target) for target in targets)
        with pytest.raises(kb.SpecError, match=message):
            regression_gate.find_regressions(now, before, regression_gate.parse_limit(limit))


def test_fewer_seeds_that_reach_the_target_are_worse(tmp_path: Path) -> None:
    """Though the one that did was fast; crashed seeds are missing ones."""
    before = results(tmp_path / "before", 0.9, 0.9, 0.9, sizes=(10,))
    now = results(tmp_path / "now", 0.9, 0.8, 0.8, sizes=(10,))
    told = worse(now, before, "steps_to_target>+10%", "val_accuracy>=0.85")
    assert told == ["batch_size 10: reached the target with 1 seeds, before with 3"]
    crashed = results(tmp_path / "crashed", 0.9, sizes=(10,))
    for seed in (1, 2):
        make_run(crashed, 0.5, 0.9, seed=seed, status="crashed")
    told = worse(crashed, before, "val_accuracy<-0.01")
    missing, seeds = told
    assert missing.startswith("missing runs: 2 runs without a result: crashed/batch_size=10-")
    assert seeds == "batch_size 10: has 1 of the baseline's 3 seeds"


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("val_mae<-0.01", "val_mae>+0.01"),
        ("val_loss<-10%", "val_loss>+10%"),
        ("val_loss_high<-2sd", "val_loss_high>+2sd"),
        ("val_accuracy>+0.01", "val_accuracy<-0.01"),
        ("steps_to_target<-10%", "steps_to_target>+10%"),
        ("steps_per_second>+10%", "steps_per_second<-10%"),
        ("reached>+0", "reached<-0"),
    ],
)
def test_a_limit_that_fails_where_a_column_improves_is_refused(text: str, right: str) -> None:
    """With the right one, which is legal."""
    with pytest.raises(kb.SpecError, match="fails where it improves") as refused:
        regression_gate.parse_limit(text)
    assert f'write "{right}"' in str(refused.value)
    assert str(regression_gate.parse_limit(right)) == right


def test_an_unknown_column_has_no_direction() -> None:
    """A metric of the user's own may be better in either direction."""
    for text in ("val_own<-1", "val_own>+1"):
        assert str(regression_gate.parse_limit(text)) == text
