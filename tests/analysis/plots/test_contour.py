"""The notes' picture: its points, exactly; that it is drawn; what keeps it from being drawn."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from result_support import make_run
from stored_runs import copy_line
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.analysis.plots.contour import contours, distance_from_optimum, draw_contour
from kerasbatch.analysis.plots.trajectory import trajectories
from kerasbatch.cli import app
from kerasbatch.records.record import read_record, write_record


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of a line, with their weights."""
    folder = tmp_path_factory.mktemp("line")
    copy_line(folder)
    return folder


def test_the_points_are_the_weights_at_every_evaluation(results: Path) -> None:
    """With the steps, the examples and the exact objective beside them."""
    loaded = kb.load(results)
    objective, paths = trajectories(loaded)
    assert [path.label for path in paths] == ["SGD, b = 1", "full batch, b = 24"]
    for path, taken in zip(paths, (72, 3), strict=True):
        assert len(path.theta) == taken + 1
        np.testing.assert_array_equal(path.steps, np.arange(taken + 1))
        np.testing.assert_array_equal(path.examples, np.arange(taken + 1) * (72 // taken))
        np.testing.assert_array_equal(path.theta[0], (0, 0))
    measured = loaded.history.groupby("batch_size")["train_loss"].apply(list)
    for path, size in zip(paths, (1, 24), strict=True):
        np.testing.assert_allclose(path.objective, measured[size], rtol=1e-5)
    assert objective(objective.optimum) == objective.minimum


def test_the_grid_holds_all_points_and_the_optimum(results: Path) -> None:
    """And J on it is least near the optimum."""
    objective, (path, _) = trajectories(kb.load(results))
    x, y, height = contours(objective, path.theta)
    low, high = np.array([x[0], y[0]]), np.array([x[-1], y[-1]])
    every = np.vstack([path.theta, objective.optimum])
    assert ((low < every) & (every < high)).all()
    row, column = np.unravel_index(height.argmin(), height.shape)
    apart = np.array([x[1] - x[0], y[1] - y[0]])
    assert (np.abs(np.array([x[column], y[row]]) - objective.optimum) <= apart).all()


def test_learning_rates_are_drawn_side_by_side(results: Path) -> None:
    """A panel for each, where a method has several; the runs of one method share a line."""
    loaded = kb.load(results)
    objective, (one, full) = trajectories(loaded)
    assert [(path.method, path.rate) for path in (one, full)] == [
        ("SGD, b = 1", ""),
        ("full batch, b = 24", ""),
    ]
    slow = replace(full, rate="learning rate 0.1")
    fast = [replace(path, rate="learning rate 1") for path in (one, full)]
    figure = draw_contour(objective, [slow, *fast, fast[0]])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["learning rate 0.1", "", "learning rate 1", ""]
    lines = [text.get_text() for text in figure.axes[2].get_legend().get_texts()]  # type: ignore[union-attr]
    colours = [
        {str(line.get_label()).partition(":")[0]: line.get_color() for line in axes.lines}
        for axes in (figure.axes[0], figure.axes[2])
    ]
    assert colours[0]["full batch, b = 24"] == colours[1]["full batch, b = 24"]
    assert colours[1]["full batch, b = 24"] != colours[1]["SGD, b = 1"]
    assert [line.partition(":")[0] for line in lines] == [
        "SGD, b = 1",
        "full batch, b = 24",
        "optimum",
        "start",
    ]


def test_the_distance_is_that_of_the_last_quarter(results: Path) -> None:
    """The root of the mean square over all runs of a line."""
    objective, (one, _) = trajectories(kb.load(results))
    away = np.array([[9, 9], [9, 9], [9, 9], [3, 4]]) + objective.optimum
    paths = [replace(one, theta=away), replace(one, theta=away)]
    steps = np.array([0, 1, 2, 4])
    paths = [replace(path, steps=steps) for path in paths]
    assert distance_from_optimum(paths, objective) == pytest.approx(5)
    sparse = replace(paths[0], steps=np.array([0, 3, 3.5, 4]))
    expected = np.sqrt((81 * 2 * 2 + 25) / 3)
    assert distance_from_optimum([sparse], objective) == pytest.approx(expected)
    lost = replace(one, theta=one.theta * np.nan)
    axes = draw_contour(objective, [one, lost]).axes[0]
    assert axes.get_legend().get_texts()[0].get_text() == "SGD, b = 1: diverged"  # type: ignore[union-attr]


def test_an_unfinished_run_has_no_path_yet(tmp_path: Path) -> None:
    """The others are drawn."""
    one, _ = copy_line(tmp_path)
    (one / "record.json").unlink()
    _, paths = trajectories(kb.load(tmp_path))
    assert [path.method for path in paths] == ["full batch, b = 24"]


def test_seconds_are_those_without_evaluations(tmp_path: Path) -> None:
    """Where all records have them: evenly over the steps; two clocks are never mixed."""
    directories = copy_line(tmp_path)
    measured = kb.load(tmp_path).history.query("batch_size == 24")["seconds"]
    for directory, expected in zip(
        reversed(directories), (measured.tolist(), [0, 2, 4, 6]), strict=True
    ):
        record = dict(read_record(directory).record or {})
        objective = record["objective"] | {"train_seconds": 6.0}
        write_record(directory, record | {"objective": objective})
        _, (_, full) = trajectories(kb.load(tmp_path))
        assert full.seconds.tolist() == expected


@pytest.mark.parametrize("name", ["paths.svg", "paths.png"])
def test_the_command_writes_a_picture(results: Path, tmp_path: Path, name: str) -> None:
    """Whole, and the same every time."""
    pictures = []
    for number in range(2):
        file = tmp_path / f"{number}-{name}"
        command = ["plot", str(results), "--kind", "contour", "-o", str(file)]
        done = CliRunner().invoke(app.app, command, catch_exceptions=False)
        assert done.exit_code == 0
        pictures.append(file.read_bytes())
    assert len(pictures[0]) > 10_000
    if name.endswith(".svg"):
        assert b"optimum" in pictures[0] or b"<path" in pictures[0]
    axes = kb.plot(results, kind="contour").axes
    assert [each.get_xlabel() for each in axes] == [
        "θ₀, the intercept",
        "steps",
        "examples seen",
        "seconds of training",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kind", "contours", "-o", "a.png"], "did you mean contour"),
        (["--kind", "contour", "-o", "a.gif"], "must end with .png or .svg"),
        (["--kind", "contour", "-o", "nowhere/a.png"], "there is no folder nowhere"),
    ],
)
def test_bad_input(results: Path, arguments: Any, message: str) -> None:
    """A sentence, and no picture."""
    with pytest.raises(kb.SpecError, match=message):
        CliRunner().invoke(app.app, ["plot", str(results), *arguments], catch_exceptions=False)


def test_runs_without_a_path(tmp_path: Path) -> None:
    """What they would need is said."""
    make_run(tmp_path, 0.5)
    with pytest.raises(kb.SpecError, match=r"it needs record: \[weights\]"):
        kb.plot(tmp_path, kind="contour")
