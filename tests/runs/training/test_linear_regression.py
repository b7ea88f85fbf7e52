"""The notes' own system, trained by Keras, against what can be calculated by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_support import run

import kerasbatch as kb
from kerasbatch.data.linear_objective import quadratic
from kerasbatch.data.run_data import load_data
from kerasbatch.runs.prepare.plans import plan_runs
from kerasbatch.spec.reader import spec_from_dict
from kerasbatch.spec.trust import Access

X, Y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([1.0, 3.0, 5.0, 7.0])
WIDE = np.column_stack([np.ones(4), X])
HESSIAN, OPTIMUM = WIDE.T @ WIDE / 4, np.array([1.0, 2.0])


@pytest.fixture
def fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Four points on the line y = 1 + 2 x, from theta = 0."""
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "points.npz", x_train=X, y_train=Y)
    return {
        "data": {"npz": "points.npz", "standardize": False},
        "model": {"layers": [{"Dense": {"units": 1, "kernel_initializer": "zeros"}}]},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "loss": "half_mse",
        "validation": "none",
        "steps": 50,
        "batch_size": "full",
        "evaluate_every": {"steps": 1},
        "record": ["weights"],
    }


def thetas(result: kb.Result) -> Any:
    return result.weights[["dense/bias[0]", "dense/kernel[0,0]"]].to_numpy()


@pytest.mark.parametrize("engine", ["fused", pytest.param("keras", marks=pytest.mark.slow)])
def test_the_path_is_the_closed_form(fixture: Any, tmp_path: Path, engine: str) -> None:
    """theta(t) = optimum + (I - alpha H)^t (theta(0) - optimum), at every step."""
    path = thetas(run(fixture | {"engine": engine}, tmp_path))
    step = np.eye(2) - 0.1 * HESSIAN
    expected = [OPTIMUM + np.linalg.matrix_power(step, t) @ -OPTIMUM for t in range(51)]
    np.testing.assert_allclose(path, expected, atol=1e-5)
    np.testing.assert_allclose(path[50], (0.988538, 2.005368), atol=1e-5)


def test_the_first_step_is_the_notes_derivatives(fixture: Any, tmp_path: Path) -> None:
    """theta_j := theta_j - alpha dJ/dtheta_j, both at once; Keras' mse has them twice."""
    start, after = thetas(run(fixture | {"steps": 1}, tmp_path))
    left = WIDE @ start - Y
    derivatives = np.array([left.mean(), (left * X[:, 0]).mean()])
    np.testing.assert_allclose(derivatives, (-4, -8.5))
    np.testing.assert_allclose((start - after) / 0.1, derivatives, rtol=1e-6)
    start, after = thetas(run(fixture | {"steps": 1, "loss": "mse"}, tmp_path))
    np.testing.assert_allclose((start - after) / 0.1, 2 * derivatives, rtol=1e-6)


@pytest.mark.parametrize(("alpha", "status"), [(0.47, "done"), (0.48, "diverged")])
def test_alpha_has_a_limit(fixture: Any, tmp_path: Path, alpha: float, status: str) -> None:
    """2 / lambda_max = 0.475900: below it the path converges, above it the run says so."""
    fixture |= {"optimizer": {"name": "sgd", "learning_rate": alpha}, "steps": 3000}
    result = run(fixture | {"evaluate_every": {"steps": 100}}, tmp_path)
    assert result.status == status
    if status == "done":
        np.testing.assert_allclose(thetas(result)[-1], OPTIMUM, atol=1e-4)


@pytest.mark.parametrize(
    ("alpha", "ending"),
    [
        (1e-6, "J - J* went from 10.5 to 10.5: J was not minimised"),
        (0.3, "J - J* went from 10.5 to"),
        (0.477, "J - J* went from 10.5 to 16.7: J was not minimised"),
    ],
)
def test_a_run_says_whether_j_was_minimised(
    fixture: Any, tmp_path: Path, alpha: float, ending: str
) -> None:
    """By J and not by the status: above the limit it can be done before it diverges."""
    fixture |= {"optimizer": {"name": "sgd", "learning_rate": alpha}}
    result = run(fixture | {"evaluate_every": {"steps": 50}}, tmp_path)
    assert result.status == "done"
    assert ending in result.message
    assert ("not minimised" in result.message) == (alpha != 0.3)


def test_only_what_is_exact_is_an_objective(fixture: Any, tmp_path: Path) -> None:
    """A penalty belongs to what is trained, and is not in J."""
    dense = {"units": 1, "kernel_regularizer": {"name": "L2", "l2": 0.1}}
    result = run(fixture | {"model": {"layers": [{"Dense": dense}]}}, tmp_path)
    assert "objective" not in result.record
    assert "J - J*" not in result.message


def test_a_line_says_its_limit(small: dict[str, Any], tmp_path: Path) -> None:
    """2 / lambda_max and the condition number, before and in a run; steep if x is far from 0."""
    wide = {"name": "line", "examples": 200, "standardize": False, "x_range": [0, 10]}
    spec = small | {"data": wide, "model": "linear", "loss": "mse", "metrics": []}
    (planned,) = plan_runs(spec_from_dict(spec), Access(tmp_path))
    x = load_data(spec_from_dict(spec).spec, Access(tmp_path)).x_train[:, 0].astype(float)
    assert 9 < np.ptp(x) < 10
    low, high = np.linalg.eigvalsh([[1, x.mean()], [x.mean(), (x**2).mean()]])
    (notice,) = planned.notices
    assert f"condition number {high / low:.4g}" in notice
    assert f"2 / lambda_max = {2 / high:.4g} with half_mse, {1 / high:.4g} with mse" in notice


def test_the_record_tells_the_objective(fixture: Any, tmp_path: Path) -> None:
    """Its values are the losses that Keras measured."""
    result = run(fixture, tmp_path)
    told = result.record["objective"]
    np.testing.assert_allclose(told["optimum"], OPTIMUM, atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(told["hessian"])
    np.testing.assert_allclose(eigenvalues, (0.297438, 4.202562), atol=1e-6)
    away = thetas(result) - told["optimum"]
    values = told["minimum"] + np.einsum("ti,ij,tj->t", away, told["hessian"], away) / 2
    assert values[0] == pytest.approx(10.5)
    np.testing.assert_allclose(result.history["train_loss"], values, rtol=1e-4)


def test_seconds_without_evaluations_are_measured_where_those_are_dense(
    fixture: Any, tmp_path: Path
) -> None:
    """The same training again, undisturbed; the run itself is what it was."""
    dense = run(fixture, tmp_path)
    seconds = dense.record["objective"]["train_seconds"]
    assert seconds > 0
    assert len(dense.weights) == 51
    assert dense.status == "done"
    sparse = run(fixture | {"evaluate_every": {"steps": 25}}, tmp_path)
    assert "train_seconds" not in sparse.record["objective"]
    np.testing.assert_array_equal(thetas(sparse)[-1], thetas(dense)[-1])


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        ({"target": {"metric": "train_loss", "at_most": 1, "stop": True}}, "target"),
        ({"optimizer": {"name": "sgd", "learning_rate": 10.0}}, "diverged"),
    ],
)
def test_a_run_that_ended_early_has_no_such_seconds(
    fixture: Any, tmp_path: Path, keys: dict[str, Any], status: str
) -> None:
    """The same training without evaluations would not end there."""
    result = run(fixture | keys, tmp_path)
    assert result.status == status
    assert "train_seconds" not in result.record["objective"]


def test_mse_is_twice_as_steep() -> None:
    """Its limit is 1 / lambda_max."""
    off = Y + np.array([0.0, 1.0, 0.0, 0.0])
    half, whole = quadratic(X, off, 1.0), quadratic(X, off, 2.0)
    np.testing.assert_allclose(np.array(half["hessian"]) * 2, whole["hessian"])
    assert half["minimum"] * 2 == pytest.approx(whole["minimum"])
    assert half["optimum"] == whole["optimum"]


def test_a_real_column(tmp_path: Path) -> None:
    """Body-mass index against progression: full-batch descent ends where the formula says."""
    spec = {
        "data": {"name": "diabetes", "columns": ["bmi"]},
        "model": "linear",
        "optimizer": {"name": "sgd", "learning_rate": 1.0},
        "loss": "half_mse",
        "validation": "none",
        "steps": 30,
        "batch_size": "full",
        "record": ["weights"],
    }
    result = run(spec, tmp_path)
    np.testing.assert_allclose(thetas(result)[-1], result.record["objective"]["optimum"], rtol=1e-5)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "diabetes", "columns": ["bmy"]}, "no column 'bmy'; did you mean bmi"),
        ({"name": "digits", "columns": ["bmi"]}, "belongs to iris, wine, breast_cancer, diabetes"),
    ],
)
def test_columns_that_are_not_there(data: Any, message: str, tmp_path: Path) -> None:
    """Named, with what there is."""
    spec = {"data": data, "model": "linear", "optimizer": "sgd", "loss": "mse", "epochs": 1}
    with pytest.raises(kb.SpecError, match=message):
        run(spec | {"batch_size": 8}, tmp_path)


def test_a_constant_column_teaches_nothing(fixture: Any, tmp_path: Path) -> None:
    """A line through points above each other has no slope; beside another column it may stand."""
    np.savez(tmp_path / "points.npz", x_train=X * 0 + 5, y_train=Y)
    with pytest.raises(kb.SpecError, match="the only column of x is constant: the same for all 4"):
        run(fixture, tmp_path)
    np.savez(tmp_path / "points.npz", x_train=np.column_stack([X, X * 0]), y_train=Y)
    assert run(fixture, tmp_path).status == "done"


@pytest.mark.parametrize("alpha", [0, -0.1])
def test_alpha_must_be_above_0(fixture: Any, tmp_path: Path, alpha: float) -> None:
    """Else nothing moves, or it climbs."""
    with pytest.raises(kb.SpecError, match="must be a number above 0"):
        run(fixture | {"optimizer": {"name": "sgd", "learning_rate": alpha}}, tmp_path)


def test_a_model_of_another_kind_has_no_objective(small: dict[str, Any], tmp_path: Path) -> None:
    """Where weights are recorded of a classifier, say."""
    result = run(small | {"record": ["weights"]}, tmp_path)
    assert "objective" not in result.record
