"""Claims: verdicts follow from numbers, and the numbers are what can be calculated."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.claims import counting, descent, run
from kerasbatch.claims.claim import COLUMNS, by_error, by_ratio
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.claims.gradient_variance import Gradients, variance_law
from kerasbatch.cli import app
from kerasbatch.runs.result import Result


@pytest.fixture
def runner(tmp_path: Path) -> ClaimRunner:
    """A quick one, on digits."""
    return ClaimRunner("digits", tmp_path, quick=True)


@pytest.fixture
def fixture() -> Gradients:
    """Four points on the line y = 1 + 2 x, at theta = 0."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", lambda y, out: 0.5 * keras.losses.mean_squared_error(y, out))
    x, y = np.arange(4.0).reshape(4, 1), np.array([1.0, 3.0, 5.0, 7.0])
    return Gradients(model, x.astype(np.float32), y.astype(np.float32))


def test_verdicts_follow_from_numbers() -> None:
    """Three grades, by a stated tolerance."""
    assert [by_error(e, 0.0, 0.1) for e in (0.0, -0.05, 0.2)] == [
        "holds",
        "holds roughly",
        "does not hold here",
    ]
    assert [by_ratio(r, 3.0, 1.2) for r in (3.0, 1.5, 1.1)] == [
        "holds",
        "holds roughly",
        "does not hold here",
    ]


def test_the_variance_of_batches_is_the_exact_law(fixture: Gradients) -> None:
    """On four points everything is known: trace 70.25, and every pass of them."""
    np.testing.assert_allclose(fixture.of(np.arange(4)), (-8.5, -4))
    assert fixture.trace() == pytest.approx(70.25)
    with_replacement = [variance_law(70.25, b, 4, "replacement") for b in (1, 2, 3, 4)]
    np.testing.assert_allclose(with_replacement, (70.25, 35.125, 23.41667, 17.5625), rtol=1e-6)
    without = [variance_law(70.25, b, 4, "shuffle") for b in (1, 2, 3, 4)]
    np.testing.assert_allclose(without, (70.25, 23.41667, 7.80556, 0), rtol=1e-6)
    assert fixture.variance(1, "shuffle", 4) == pytest.approx(70.25)
    assert fixture.variance(4, "shuffle", 4) == pytest.approx(0, abs=1e-9)
    assert fixture.variance(2, "shuffle", 600) == pytest.approx(23.41667, rel=0.1)
    assert fixture.variance(2, "replacement", 600) == pytest.approx(35.125, rel=0.1)


def test_counts_hold(runner: ClaimRunner) -> None:
    """Where everything is right: exactly, or roughly as the notes say."""
    once, *_ = counting.each_example_once(runner)
    assert (once.verdict, "exactly once in 3 of 3" in once.measured) == ("holds", True)
    step, *_ = counting.one_update_a_step(runner)
    assert (step.verdict, "changed 20 times" in step.measured) == ("holds", True)
    about, *_ = counting.hundred_times_five(runner)
    assert (about.verdict, "500 examples" in about.measured) == ("holds roughly", True)


def test_a_program_that_counts_wrong_is_found(
    runner: ClaimRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verdict is no constant."""
    honest = Result.row.fget  # type: ignore[attr-defined]  # a property

    def off_by_one(result: Result) -> dict[str, object]:
        row = honest(result)
        return {**row, "observed_steps": row["observed_steps"] + 1}

    monkeypatch.setattr(Result, "row", property(off_by_one))
    step, *_ = counting.one_update_a_step(runner)
    assert step.verdict == "does not hold here"
    full, *_ = counting.one_update_an_epoch(runner)
    assert full.verdict == "does not hold here"


def test_the_derivatives_and_the_closed_form_hold(runner: ClaimRunner) -> None:
    """And alpha has a limit."""
    found = [*descent.derivatives(runner), *descent.closed_form(runner)]
    assert [claim.verdict for claim in found] == ["holds"] * 3
    assert "at 1.02 of it: diverged" in found[2].measured


def test_noise_is_shown_where_it_was_recorded(runner: ClaimRunner) -> None:
    """With its intervals, over a training, and a verdict that follows from the least of it."""
    (claim,) = descent.noise_of_training(runner)
    assert claim.verdict in ("holds", "holds roughly")
    assert "95 % interval, at step" in claim.measured


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "mnits"], "did you mean mnist"),
        (["--data", "line"], "is no data for classifiers"),
        (["--csv", "nowhere/claims.csv"], "there is no folder nowhere"),
    ],
)
def test_bad_input(arguments: list[str], message: str) -> None:
    """Said before TensorFlow is loaded."""
    with pytest.raises(kb.SpecError, match=message):
        CliRunner().invoke(app.app, ["claims", *arguments], catch_exceptions=False)


def test_without_mnist_digits_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """And that is said."""
    monkeypatch.setattr(run, "is_available_offline", lambda name: False)
    name, notice = run.default_data()
    assert (name, notice is not None and "on digits" in notice) == ("digits", True)


@pytest.mark.slow
def test_every_statement_has_a_row(tmp_path: Path) -> None:
    """The whole command; exit code 0 whatever the verdicts."""
    file = tmp_path / "claims.csv"
    command = ["claims", "--quick", "--data", "digits", "--csv", str(file)]
    done = CliRunner().invoke(app.app, command, catch_exceptions=False)
    assert done.exit_code == 0
    table = pd.read_csv(file)
    assert tuple(table.columns) == COLUMNS
    assert {int(text.partition(".")[0]) for text in table["statement"]} == set(range(1, 13))
    assert set(table["verdict"]) <= {"holds", "holds roughly", "does not hold here"}
    assert table.notna().all(axis=None)
