"""Pictures: their points exactly, that each is drawn for one size and for many, what is refused."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from result_support import make_run
from stored_runs import copy_line, write_step_losses, write_table
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.analysis.plots import by_batch_size, step_loss, style
from kerasbatch.analysis.plots.curves import curves
from kerasbatch.analysis.plots.memory import memory_panels
from kerasbatch.analysis.plots.noise import noise_lines
from kerasbatch.analysis.plots.rates import rate_lines
from kerasbatch.analysis.plots.registry import KINDS
from kerasbatch.analysis.plots.throughput import throughput_panels
from kerasbatch.analysis.plots.to_target import to_target_panels
from kerasbatch.cli import app

REFERENCE = Path(__file__).parents[3] / "results/reference"
MANY, ONE = REFERENCE / "shallue_fig3", REFERENCE / "mnist_b16"
NOISE = "step,examples,noise_scale,low,high,trace,squared_norm\n"


def to_target(path: Path, target: str | None = None, *, fit: bool = False) -> by_batch_size.Panels:
    loaded = kb.load(path)
    return to_target_panels(loaded, kb.compare(loaded, target=target, fit=fit))


@pytest.fixture(scope="module")
def losses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of a line that recorded the loss of every step, and a noise.csv in one of them."""
    folder = tmp_path_factory.mktemp("line")
    one, full = copy_line(folder)
    write_step_losses(one, np.random.default_rng(0).exponential(size=7200).tolist())
    write_step_losses(full, np.geomspace(1, 0.1, 300).tolist())
    rows = "0,0,,3,inf,1,0\n5,5,4,2,8,1,0.25\n9,9,6,3,12,1,0.5\n"
    write_table(one, "noise.csv", NOISE + rows)
    return folder


def test_points_to_the_target_are_those_of_the_comparison() -> None:
    """A dot for each chosen run; medians are the table's numbers."""
    found = to_target(MANY)
    table = kb.compare(MANY).table
    for panel, name in zip(found.panels, ("steps", "examples", "seconds"), strict=True):
        sizes, medians = panel.medians
        assert sizes == table["batch_size"].tolist()
        assert medians == table[f"{name}_to_target"].tolist()
    steps = found.panels[0]
    assert steps.perfect is not None
    (first, last), (most, least) = steps.perfect
    assert (first, last, most) == (1, 4096, steps.medians[1][0])
    assert least == most / 4096
    assert found.panels[1].perfect is None


def test_runs_that_did_not_reach_it_are_marked_where_they_ended() -> None:
    """Nothing is left out of the picture."""
    found = to_target(ONE, "val_accuracy>=0.9999")
    runs = kb.load(ONE).runs
    steps = found.panels[0]
    assert steps.sizes == ()
    assert sorted(steps.missed) == sorted(runs["batch_size"])
    assert sorted(steps.spent) == sorted(runs["observed_steps"])


def test_the_band_holds_the_fitted_curve() -> None:
    """Between its edges at every size; its label tells the fit."""
    band = to_target(MANY, fit=True).panels[0].band
    fit: Any = kb.compare(MANY, fit=True).fit
    assert band is not None
    np.testing.assert_allclose(band.steps, fit.s_min * (1 + fit.b_crit / band.sizes))
    assert (band.low <= band.steps).all()
    assert (band.steps <= band.high).all()
    assert f"{fit.b_crit:,.0f} / b" in band.label
    few = to_target(ONE, "val_accuracy>=0.96", fit=True)
    assert few.panels[0].band is None
    assert few.notes[0].startswith("no fit: 2 batch sizes reached the target")


def test_speed_and_memory_are_those_of_every_run() -> None:
    """Not only of the chosen ones."""
    loaded = kb.load(MANY)
    examples, steps = throughput_panels(loaded).panels
    assert sorted(examples.values) == sorted(loaded.runs["examples_per_second"])
    assert sorted(steps.values) == sorted(loaded.runs["steps_per_second"])
    (memory,) = memory_panels(loaded).panels
    assert memory.from_zero
    assert len(memory.values) == len(loaded.runs)


def test_curves_are_the_histories_of_the_chosen_runs() -> None:
    """At the best learning rate of each size, over any of the three costs."""
    loaded = kb.load(MANY)
    for cost, column in (("steps", "step"), ("examples", "examples"), ("seconds", "seconds")):
        found = curves(loaded, kb.compare(loaded), cost)
        assert found.metric == "val_accuracy"
        assert found.target == 0.97
        assert [curve.batch_size for curve in found.curves] == [2**k for k in range(13)]
        curve = found.curves[4]
        rows = loaded.history[loaded.history["run_id"] == curve.run.split("/")[-1]]
        np.testing.assert_array_equal(curve.x, rows[column])
        np.testing.assert_array_equal(curve.evaluated, rows["val_accuracy"])
        np.testing.assert_array_equal(curve.training, rows["accuracy"])


def test_losses_of_many_steps_become_means_with_a_band(losses: Path) -> None:
    """7,200 steps are drawn as 1,500 points; 300 as they are."""
    found = step_loss.step_losses(kb.load(losses))
    many, few = found.lines
    assert (many.label, few.label) == ("batch size 1", "batch size 24")
    assert (len(many.x), len(few.x)) == (step_loss.MAX_POINTS, 300)
    every = pd.read_csv(next(losses.rglob("batch_size=1-*/steps_loss.csv")))["loss"].to_numpy()
    first = np.array_split(every, step_loss.MAX_POINTS)[0]
    assert (many.y[0], many.low[0], many.high[0]) == (first.mean(), first.min(), first.max())
    assert many.x[-1] == 7200
    assert np.isnan(few.low).all()


def test_noise_that_cannot_be_told_leaves_a_gap(losses: Path) -> None:
    """And no band that ends nowhere."""
    (line,) = noise_lines(kb.load(losses), "steps").lines
    assert line.x.tolist() == [0, 5, 9]
    assert math.isnan(line.y[0])
    assert line.y[1:].tolist() == [4, 6]
    assert np.isnan([line.low[0], line.high[0]]).all()
    assert line.high[1:].tolist() == [8, 12]
    with pytest.raises(kb.SpecError, match="noise is shown over steps or examples"):
        noise_lines(kb.load(losses), "seconds")


@pytest.mark.parametrize("kind", ["curves", "to_target", "throughput", "memory"])
@pytest.mark.parametrize("path", [MANY, ONE], ids=["13 sizes", "2 sizes"])
def test_every_kind_is_drawn(kind: Any, path: Path) -> None:
    """Every axis has a name; ticks of batch sizes do not overlap."""
    target = "val_accuracy>=0.96" if kind == "to_target" else None
    drawn = kb.plot(path, kind, target=target)
    drawn.canvas.draw()
    is_grid = kind == "curves" and path == MANY
    for axes in drawn.axes:
        assert axes.get_title() if is_grid else axes.get_xlabel() and axes.get_ylabel()
        if axes.get_xlabel() == "batch size":
            boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
            centres = [box.x0 + box.width / 2 for box in boxes]
            height = max(label.get_fontsize() for label in axes.get_xticklabels()) * 1.4
            assert all(b - a > height for a, b in itertools.pairwise(centres))


def test_many_curves_are_small_multiples() -> None:
    """A panel for each batch size has all runs, its own in colour; all have the same axes."""
    figure = kb.plot(MANY, "curves", x="examples")
    drawn = curves(kb.load(MANY), kb.compare(MANY), "examples")
    sizes = sorted({curve.batch_size for curve in drawn.curves})
    assert [axes.get_title() for axes in figure.axes] == [f"batch size {size:,}" for size in sizes]
    for axes, size in zip(figure.axes, sizes, strict=True):
        own = [curve.evaluated for curve in drawn.curves if curve.batch_size == size]
        lines = [line for line in axes.lines if line.get_color() == style.COLOURS[0]]
        assert len(axes.lines) == len(drawn.curves) + (drawn.target is not None)
        assert len(lines) == len(own)
        for line, values in zip(lines, own, strict=True):
            np.testing.assert_array_equal(np.asarray(line.get_ydata()), values)
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    labelled = [axes for axes in figure.axes if axes.get_xlabel()]
    assert len(labelled) == 4


def test_lines_of_an_order_get_shades_of_one_scale() -> None:
    """A few get colours that everybody tells apart; many from dark to light."""
    assert len({line["color"] for line in style.line_styles(7)}) == 7
    shades = [str(each["color"]) for each in style.line_styles(13)]
    light = [luminance(shade) for shade in shades]
    assert light == sorted(light)
    assert len(set(light)) == 13
    dark = [str(style.dark_color(shade)) for shade in shades]
    assert [luminance(shade) for shade in dark] == sorted(map(luminance, dark))
    assert min(map(luminance, dark)) > 2 * min(light)


def luminance(colour: str) -> float:
    red, green, blue = to_rgb(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colours_of_a_picture_have_their_like_on_a_dark_page() -> None:
    """What is no line's colour stays."""
    for colour in style.COLOURS:
        assert luminance(str(style.dark_color(colour.lower()))) > luminance(colour)
    assert style.dark_color("#b0b0b0") is None


@pytest.mark.parametrize("kind", ["step_loss", "noise", "curves"])
def test_the_command_draws(losses: Path, tmp_path: Path, kind: str) -> None:
    """As SVG and PNG, the same every time."""
    for ending in ("svg", "png"):
        pictures = []
        for number in range(2):
            file = tmp_path / f"{number}.{ending}"
            arguments = ["plot", str(losses), "--kind", kind, "-o", str(file)]
            done = CliRunner().invoke(app.app, arguments, catch_exceptions=False)
            assert done.exit_code == 0, done.output
            pictures.append(file.read_bytes())
        assert pictures[0] == pictures[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "curve"}, "found 'curve'; must be one of .*did you mean curves"),
        ({"kind": "curves", "x": "hours"}, "found 'hours'; must be one of steps, examples, sec"),
        ({"kind": "memory", "fit": True}, "--fit: goes with --kind to_target"),
        ({"kind": "memory", "x": "steps"}, "--x: goes with --kind curves or noise"),
        (
            {"kind": "throughput", "target": "a>=1"},
            "--target: goes with --kind to_target or curves",
        ),
        ({"kind": "to_target"}, "there is no target; say --target"),
        ({"kind": "step_loss"}, r"write record: \[steps\] into the spec"),
        ({"kind": "noise"}, "no run recorded gradient noise"),
        ({"kind": "contour"}, "no run has a path to draw"),
    ],
)
def test_what_cannot_be_drawn(options: dict[str, Any], words: str) -> None:
    """Said in words."""
    with pytest.raises(kb.SpecError, match=words):
        kb.plot(ONE, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_no_runs_no_picture(tmp_path: Path, kind: Any) -> None:
    """An empty folder says so, whatever is to be drawn."""
    with pytest.raises(kb.SpecError, match=r"holds no run|no run has a path"):
        kb.plot(tmp_path, kind)


def test_rates_are_medians_of_seeds(tmp_path: Path) -> None:
    """One line for each size, over ascending rates; with the range of the seeds."""
    for seed, late in ((0, 2), (1, 4)):
        for rate, slower in ((0.1, 4), (0.2, 0), (0.4, 2)):
            climb = [0.5] * (late + slower) + [0.95]
            make_run(tmp_path, *climb, rate=rate, seed=seed, spec={"steps": 200})
    request = kb.load(tmp_path), kb.compare(tmp_path, target="val_accuracy>=0.9")
    drawn = rate_lines(*request)
    (line,) = drawn.lines
    assert (line.batch_size, line.rates.tolist()) == (10, [0.1, 0.2, 0.4])
    assert line.medians.tolist() == [80, 40, 60]
    assert (line.low.tolist(), line.high.tolist()) == ([70, 30, 50], [90, 50, 70])
    assert drawn.measure == "steps to val_accuracy >= 0.9"
    judged = rate_lines(request[0], kb.compare(tmp_path))
    assert (judged.measure, judged.is_logarithmic) == ("val_accuracy at the end", False)
    missed = rate_lines(request[0], kb.compare(tmp_path, target="val_accuracy>=0.99"))
    assert np.isnan(missed.lines[0].medians).all()
    assert missed.note == "3 rates without the target"


def test_a_target_that_no_run_reached_is_drawn(tmp_path: Path) -> None:
    """Without dots; the axis is not logarithmic for lack of numbers."""
    for rate in (0.1, 0.2):
        make_run(tmp_path, 0.5, 0.6, rate=rate)
    file = tmp_path / "rates.png"
    kb.plot(tmp_path, "rates", target="val_accuracy>=0.99").savefig(file)
    assert file.stat().st_size > 1000


def test_one_rate_makes_no_line(tmp_path: Path) -> None:
    """It says what to sweep."""
    make_run(tmp_path, 0.5, 0.9)
    with pytest.raises(kb.SpecError, match=r"sweep optimizer\.learning_rate"):
        kb.plot(tmp_path, "rates")


def test_the_axis_of_a_curve_is_that_of_trained_models(tmp_path: Path) -> None:
    """A loss over decades is logarithmic; the untrained model may lie outside."""
    make_run(tmp_path / "far", 0.5, 0.9, 0.99, 0.999, spec={"metrics": []})
    make_run(tmp_path / "near", 0.94, 0.95, 0.96)
    for name, scale in (("far", "log"), ("near", "linear")):
        _, evaluated = kb.plot(tmp_path / name).axes
        assert evaluated.get_yscale() == scale
        low, high = evaluated.get_ylim()
        untrained = evaluated.lines[0].get_ydata()[0]
        assert not low <= untrained <= high
