"""Claims: what is measured is what can be calculated, and the command prints it."""

import re
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.claims import (
    approach,
    counting,
    descent,
    draws,
    learning,
    line_costs,
    noise,
    run,
    vectors,
)
from kerasbatch.claims.claim import Claim
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.claims.claims_file import read_claims, write_claims
from kerasbatch.claims.gradient_variance import Gradients, variance_law
from kerasbatch.claims.line import descend, examples_after, load_line
from kerasbatch.claims.line_costs import steps_until_settled
from kerasbatch.claims.verdict import VERDICTS
from kerasbatch.claims.wording import COLUMNS, load_texts
from kerasbatch.cli import app
from kerasbatch.runs.result import Result

PLACEHOLDER = re.compile(r"{(\w+)")


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


def test_the_variance_of_batches_is_the_exact_law(fixture: Gradients) -> None:
    """On four points everything is known: trace 70.25, and every pass of them."""
    np.testing.assert_allclose(fixture.of(np.arange(4)), (-8.5, -4))
    assert fixture.trace() == pytest.approx(70.25)
    with_replacement = [variance_law(70.25, b, 4, "replacement") for b in (1, 2, 3, 4)]
    np.testing.assert_allclose(with_replacement, (70.25, 35.125, 23.41667, 17.5625), rtol=1e-6)
    without = [variance_law(70.25, b, 4, "shuffle") for b in (1, 2, 3, 4)]
    np.testing.assert_allclose(without, (70.25, 23.41667, 7.80556, 0), rtol=1e-6)
    assert fixture.variance(1, "shuffle", 4).mean == pytest.approx(70.25)
    assert fixture.variance(4, "shuffle", 4).mean == pytest.approx(0, abs=1e-9)
    for sampling, law in (("shuffle", 23.41667), ("replacement", 35.125)):
        measured = fixture.variance(2, sampling, 600)  # type: ignore[arg-type]
        assert measured.mean == pytest.approx(law, rel=0.1)
        assert measured.low < law < measured.high


def test_counts_are_those_of_the_trainings(runner: ClaimRunner) -> None:
    """Of epochs, steps, and the examples of five steps."""
    assert counting.measure_epochs(runner) == counting.Epochs(
        1000, 7, [True] * 3, 3, ["ok"] * 3, 3000
    )
    assert counting.measure_updates(runner) == counting.Updates(20, 20, 20)
    assert counting.measure_hundred_times_five(runner) == counting.ExamplesOfSteps(
        {100: 500, 1000: 500}, {101: 302, 150: 400, 470: 470}
    )


def test_a_program_that_counts_wrong_is_found(
    runner: ClaimRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measurement reads what the run says."""
    honest = Result.row.fget  # type: ignore[attr-defined]  # a property

    def off_by_one(result: Result) -> dict[str, object]:
        row = honest(result)
        return {**row, "observed_steps": row["observed_steps"] + 1}

    monkeypatch.setattr(Result, "row", property(off_by_one))
    (step,) = counting.judge_updates(counting.measure_updates(runner))
    assert step.verdict == "does not hold here"


def test_the_line_is_that_of_the_notes(runner: ClaimRunner) -> None:
    """Derivatives, closed form, the limit of alpha, and one step."""
    (derivatives,) = descent.judge_derivatives(descent.measure_derivatives(runner))
    (updates,) = descent.judge_updates(descent.measure_updates(runner))
    minimum = descent.measure_minimum(runner)
    assert minimum.limit == pytest.approx(1.533416, rel=1e-5)
    assert minimum.condition == pytest.approx(1.475249, rel=1e-5)
    by_key = {claim.key: claim.verdict for claim in descent.judge_minimum(minimum)}
    assert [derivatives.verdict, updates.verdict] == ["holds"] * 2
    assert by_key == {
        "minimised": "holds",
        "minimised_at_any_alpha": "does not hold here",
        "limit_of_alpha": "holds",
    }
    one, standardized = approach.judge_one_step(approach.measure_one_step(runner))
    assert (one.verdict, standardized.verdict) == ("holds", "does not hold here")


def test_descent_in_numpy_is_descent_in_keras(runner: ClaimRunner) -> None:
    """Also with a rate that decreases; and by the closed form for the full batch."""
    line = load_line(runner)
    path = descend(line, 200, np.array([0.1]), np.array([0.0]), 50)[:, 0]
    step = np.eye(2) - 0.1 * line.hessian
    end = line.optimum + np.linalg.matrix_power(step, 50) @ (path[0] - line.optimum)
    np.testing.assert_allclose(path[-1], end, atol=1e-12)
    assert [examples_after(200, 32, steps) for steps in (1, 6, 7, 8)] == [32, 192, 200, 232]
    for size in (1, 32):
        rate = np.array([0.1, 0.01])
        path = descend(line, size, rate[:1], rate[1:], line_costs.CHECKED_STEPS)[:, 0]
        assert line_costs._distance_from_keras(runner, size, rate, path) < 1e-4


def test_sizes_fit_small_data() -> None:
    """No batch is larger than the data."""
    assert learning.batch_sizes(5000) == [1, 32, 512, "full"]
    assert learning.batch_sizes(512) == [1, 32, "full"]


def test_settled_is_for_good() -> None:
    """A path that comes back above the tolerance has not settled."""
    excess = np.array([[[9.0, 9.0, 0.1], [0.1, 0.1, 0.1], [9.0, 0.1, 0.1], [0.1, 0.1, 9.0]]])
    np.testing.assert_array_equal(steps_until_settled(excess, 1.0), [[3, 1, np.inf]])
    np.testing.assert_array_equal(steps_until_settled(np.zeros((1, 2, 1)), 1.0), [[0]])


def test_draws_and_vectors(runner: ClaimRunner) -> None:
    """Keras' own fit draws nothing twice; X of the notes is X of Keras, transposed."""
    drawn = draws.measure_draws(runner)
    assert drawn.keras == 1
    assert drawn.replacement == pytest.approx([1 - 1 / np.e] * 5, abs=0.02)
    measured = vectors.measure_arithmetic(runner)
    assert measured.shape == (64, 1000)
    assert max(measured.error, measured.loop_error) < 1e-5


def test_noise_is_shown_where_it_was_recorded(runner: ClaimRunner) -> None:
    """With its intervals, over a training."""
    measured = noise.measure_training(runner)
    assert all(low <= scale <= high for _, scale, low, high in measured.scales)
    assert measured.scales[0][0] == 0


def test_both_languages_say_the_same() -> None:
    """The same keys, and in each row of a claim the same numbers."""
    english, korean = load_texts("en"), load_texts("ko")
    assert english["verdicts"].keys() == korean["verdicts"].keys() == set(VERDICTS)
    assert english["columns"].keys() == korean["columns"].keys() == set(COLUMNS)
    assert english["claims"].keys() == korean["claims"].keys()
    for key, texts in english["claims"].items():
        assert texts.keys() == korean["claims"][key].keys() == {*COLUMNS} - {"verdict", "caveats"}
        placeholders = [
            sorted(set(PLACEHOLDER.findall(" ".join(claim.values()))))
            for claim in (texts, korean["claims"][key])
        ]
        assert placeholders[0] == placeholders[1], key


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "mnits"], "did you mean mnist"),
        (["--data", "line"], "is no data for classifiers"),
        (["--csv", "nowhere/claims.csv"], "there is no folder nowhere"),
        (["--language", "fr"], "found 'fr'; must be en or ko"),
        (["--read", "a.csv", "--quick"], "measures nothing; leave --data and --quick out"),
        (["--read", "nowhere.csv"], "nowhere.csv is no table of claims"),
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


EPOCH = {"epochs": 3, "n": 1000, "b": 7, "complete": 3, "orders": 3, "examples": 3000, "checks": ""}


def test_a_table_is_shown_in_another_language(tmp_path: Path) -> None:
    """Without a measurement, and without TensorFlow."""
    claims = [
        Claim("step", "holds", {"planned": 20, "observed": 20, "changes": 20}),
        Claim("epoch", "holds", EPOCH, ("one_seed",)),
    ]
    first, second = tmp_path / "en.csv", tmp_path / "ko.csv"
    write_claims(first, claims, "en")
    command = ["claims", "--read", str(first), "--language", "ko", "--csv", str(second)]
    done = CliRunner().invoke(app.app, command, catch_exceptions=False)
    assert "옵티마이저가 센 것 20" in done.output
    assert "one_seed" in done.output
    assert read_claims(first) == read_claims(second) == claims[::-1]
    assert pd.read_csv(second)["verdict"].tolist() == ["성립"] * 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a,b\n1,2\n",
        b"claim\n{\n",
        b'claim\n"{""key"": ""no"", ""verdict"": ""holds"", ""numbers"": {}, ""caveats"": []}"\n',
        b'claim\n"{""key"": ""step"", ""verdict"": ""holds"", ""numbers"": {}, ""caveats"": []}"\n',
        b"\xff\xfe",
    ],
)
def test_what_is_no_table_of_claims(content: bytes, tmp_path: Path) -> None:
    """An error with the name of the file, and what to do."""
    file = tmp_path / "table.csv"
    file.write_bytes(content)
    with pytest.raises(kb.SpecError, match=r"table\.csv is no table of claims .*claims --csv"):
        read_claims(file)


@pytest.mark.slow
def test_every_statement_has_a_row(tmp_path: Path) -> None:
    """The whole command, in Korean; exit code 0 whatever the verdicts."""
    file = tmp_path / "claims.csv"
    command = ["claims", "--quick", "--data", "digits", "--language", "ko", "--csv", str(file)]
    done = CliRunner().invoke(app.app, command, catch_exceptions=False)
    assert done.exit_code == 0
    table = pd.read_csv(file, keep_default_na=False)
    assert tuple(table.columns) == (*COLUMNS, "claim")
    assert {int(text.partition(".")[0]) for text in table["statement"]} == set(range(1, 13))
    assert set(table["verdict"]) <= set(load_texts("ko")["verdicts"].values())
    assert len(table) >= len(load_texts("ko")["claims"])
    assert (table.drop(columns="caveats") != "").all(axis=None)
