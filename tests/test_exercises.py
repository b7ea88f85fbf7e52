"""The exercises for a class: their commands run as they stand, and print and draw their answers."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.analysis.plots.contour import distance_from_optimum
from kerasbatch.analysis.plots.trajectory import Trajectory, trajectories
from kerasbatch.cli import app

HERE = Path(__file__).parents[1]
PAGES = {
    name: (HERE / "experiments" / name).read_text(encoding="utf-8")
    for name in ("README.md", "README.ko.md")
}


def commands(page: str, number: int) -> list[list[str]]:
    """The arguments of the commands of an exercise, in the order of the text."""
    section = re.split(r"^## (?:Five exercises|수업용 연습)", PAGES[page], flags=re.MULTILINE)[1]
    questions = re.split(r"^\d\. ", section.partition("<details>")[0], flags=re.MULTILINE)
    text = re.sub(r"\s+", " ", questions[number])
    return [shlex.split(command) for command in re.findall("`kerasbatch ([^`]*)`", text)]


def answer(page: str, number: int) -> str:
    """The worked answer of an exercise."""
    details = re.search(r"<details>.*?</details>", PAGES[page], flags=re.DOTALL)
    assert details
    return re.split(r"^\d\. ", details.group(), flags=re.MULTILINE)[number]


@pytest.mark.parametrize("number", range(1, 6))
def test_answers_have_the_same_numbers(number: int) -> None:
    """In both languages; other tests measure those of the English page."""
    english, korean = (sorted(re.findall(r"\d[\d,.]*\d", answer(page, number))) for page in PAGES)
    assert english == korean


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the experiments."""
    shutil.copytree(HERE / "experiments", tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answers(number: int) -> list[str]:
    """Run the commands of an exercise; return what each prints."""
    outputs = []
    for command in commands("README.md", number):
        done = CliRunner().invoke(app.app, command, catch_exceptions=False)
        outputs.append(re.sub(r"\s+", " ", done.output))
    return outputs


@pytest.mark.parametrize("number", range(1, 6))
def test_both_languages_have_the_same_commands(number: int) -> None:
    """But for the language of the pictures."""
    korean = [
        [word for word in command if word not in {"--language", "ko"}]
        for command in commands("README.ko.md", number)
    ]
    assert korean == commands("README.md", number)
    assert korean


def test_steps_are_counted(place: Path) -> None:
    """Exercise 1."""
    whole, broken = answers(1)
    assert "18,750" in whole
    for number in ("17,144", "17,142.86", "8,572"):
        assert number in broken


@pytest.mark.slow
def test_a_smaller_rate_has_a_smaller_cloud(place: Path) -> None:
    """Exercise 2: the distances of the legend, and the steps to get there."""
    answers(2)
    assert (place / "rates.png").stat().st_size > 10_000
    objective, paths = trajectories(kb.load("results/rates"))

    def path(method: str, rate: str) -> Trajectory:
        (one,) = [
            path for path in paths if path.method.startswith(method) and path.rate.endswith(rate)
        ]
        return one

    fast, slow = path("SGD", "0.05"), path("SGD", "0.01")
    text = answer("README.md", 2)
    for one in (fast, slow):
        assert f" {distance_from_optimum([one], objective):.1g} " in text
    full = distance_from_optimum([path("full", "0.05")], objective)
    assert f" {full:.6f} " in text
    for one, steps in ((fast, 80), (slow, 380)):
        there = int(one.steps[one.objective - objective.minimum < 0.01][0])
        assert there == pytest.approx(steps, rel=0.15)
        assert f" {steps} " in re.sub("[.,]", " ", text)


@pytest.mark.slow
def test_replacement_is_wider(place: Path) -> None:
    """Exercise 3: over ten seeds, and for each of them."""
    answers(3)
    assert (place / "wide.png").stat().st_size > 10_000
    objective, paths = trajectories(kb.load("results/wide"))

    def distance(sampling: str, seeds: str = "") -> float:
        chosen = [path for path in paths if sampling in path.label and path.label.endswith(seeds)]
        return distance_from_optimum(chosen, objective)

    assert distance("replacement") > distance("shuffle")
    for sampling in ("replacement", "shuffle"):
        assert f"{distance(sampling):.2f}" in answer("README.md", 3)
    for seed in range(10):
        pair = [distance(sampling, f"seed {seed}") for sampling in ("replacement", "shuffle")]
        assert pair[0] > pair[1]


@pytest.mark.slow
def test_alpha_has_a_limit(place: Path) -> None:
    """Exercise 4: the status, and what J says beside it."""
    plan, _ = answers(4)
    assert "1.533" in plan
    runs = kb.load("results/limit").runs.set_index("learning_rate")
    assert runs["status"].to_dict() == {
        0.000001: "done",
        0.05: "done",
        1.5: "done",
        1.54: "done",
        1.57: "diverged",
    }
    messages = {
        record["row"]["learning_rate"]: record["message"]
        for record in kb.load("results/limit").records.values()
    }
    minimised = [rate for rate, text in messages.items() if "J was not minimised" not in text]
    assert sorted(minimised) == [0.05, 1.5]
    assert runs["train_loss"][0.000001] == pytest.approx(8.3, abs=0.05)


def test_the_best_batch_size_depends_on_the_unit(place: Path) -> None:
    """Exercise 5, on the reference results: training them takes a minute."""
    shutil.copytree(
        HERE / "results/reference/digits_batch_sizes", place / "results/digits_batch_sizes"
    )
    _, compare = commands("README.md", 5)
    shown = CliRunner().invoke(app.app, compare, catch_exceptions=False).output
    table = kb.compare("results/digits_batch_sizes").table.set_index("batch_size")
    best = {
        unit: int(table[f"{unit}_to_target"].idxmin()) for unit in ("steps", "examples", "seconds")
    }
    text = " ".join(answer("README.md", 5).split())
    assert "By steps {steps}, by examples {examples}, by seconds {seconds};".format(**best) in text
    assert "within_spread" in shown
    assert re.search(r"Next: \d+ more seeds", shown)
