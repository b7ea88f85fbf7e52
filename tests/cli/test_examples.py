"""The command `examples`, and the experiments that it copies."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kerasbatch.cli.app import app
from kerasbatch.first_spec.examples import Example, examples_folder, shipped_examples
from kerasbatch.runs.prepare.plans import plan_runs
from kerasbatch.spec.reader import load_spec

COMPLETE = [example for example in shipped_examples() if not example.makes_data]


def _answer(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["examples", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_all_are_listed() -> None:
    """With their questions."""
    listed = _answer()
    for spec in examples_folder().glob("*.yaml"):
        assert f" {spec.stem} " in listed
        assert str(load_spec(spec).spec.question) in listed


@pytest.mark.parametrize("example", COMPLETE, ids=lambda example: example.name)
def test_a_copied_example_can_be_planned(example: Example, tmp_path: Path) -> None:
    """It has every file that it needs."""
    _answer(example.name, "-o", str(tmp_path))
    source = load_spec(tmp_path / f"{example.name}.yaml")
    assert plan_runs(source, source.access(trust=True))


def test_made_data_come_with_their_script(tmp_path: Path) -> None:
    """The answer says how to make them."""
    answer = _answer("shapes_images", "-o", str(tmp_path))
    assert (tmp_path / "make_data.py").exists()
    assert f"python {tmp_path / 'make_data.py'}" in answer.replace("\n", "")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A file of the user stays; an equal one is no fault."""
    _answer("digits_b16", "-o", str(tmp_path))
    assert "All files are there" in _answer("digits_b16", "-o", str(tmp_path))
    (tmp_path / "digits_b16.yaml").write_text("mine", encoding="utf-8")
    result = CliRunner().invoke(app, ["examples", "--all", "-o", str(tmp_path)])
    assert "is there with other content" in str(result.exception)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "digits_b16.yaml",
        "spec.schema.json",
    ]


def test_an_unknown_name() -> None:
    """The nearest one is suggested."""
    result = CliRunner().invoke(app, ["examples", "digits_b61"])
    assert "did you mean digits_b16?" in str(result.exception)


def test_initial_weights_come_with_the_experiment_that_trains_them(tmp_path: Path) -> None:
    """The commands are in the order in which they must run."""
    answer = _answer("transfer_all", "-o", str(tmp_path)).replace("\n", "")
    places = [
        answer.index(f"run {tmp_path}/transfer_{name}.yaml") for name in ("base", "head", "all")
    ]
    assert places == sorted(places)


def test_files_that_comments_name_are_copied(tmp_path: Path) -> None:
    """The new rows to predict for, beside the training data."""
    _answer("own_data_csv", "-o", str(tmp_path))
    assert {"wind_power.csv", "wind_forecast.csv"} <= {file.name for file in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digits_b16", "--all"], "not both"),
        (["-o", "there"], "-o goes with the names"),
        (["digits_b16", "-o", __file__], "name a folder"),
    ],
)
def test_options_that_do_not_fit(arguments: list[str], message: str) -> None:
    """Each is a fault."""
    result = CliRunner().invoke(app, ["examples", *arguments])
    assert message in str(result.exception)
