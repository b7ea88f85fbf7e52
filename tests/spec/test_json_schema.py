"""The JSON schema: shipped specs pass, wrong ones do not."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from kerasbatch.spec.json_schema import json_schema

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
VALIDATOR = jsonschema.Draft202012Validator(json_schema())
GOOD: dict[str, Any] = {
    "data": {"name": "mnist", "fallback": "digits"},
    "model": {"layers": ["Flatten", {"Dense": {"units": 10, "activation": "softmax"}}]},
    "optimizer": {"name": "sgd", "learning_rate": 0.1},
    "loss": "half_mse",
    "metrics": ["accuracy", {"name": "AUC", "curve": "PR"}],
    "epochs": 3,
    "batch_size": "full",
}


def test_the_schema_is_a_schema_and_the_copy_is_true() -> None:
    """`kerasbatch schema > experiments/spec.schema.json` makes the copy."""
    jsonschema.Draft202012Validator.check_schema(json_schema())
    copy = (EXPERIMENTS / "spec.schema.json").read_text(encoding="utf-8")
    assert json.loads(copy) == json_schema()


@pytest.mark.parametrize("file", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda f: f.stem)
def test_shipped_specs_pass_and_point_to_the_schema(file: Path) -> None:
    """Editors read the first line."""
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=spec.schema.json\n")
    VALIDATOR.validate(yaml.safe_load(text))


def test_a_good_spec_passes() -> None:
    """Also with the batch size and the budget in a sweep only."""
    VALIDATOR.validate(GOOD)
    swept = {key: value for key, value in GOOD.items() if key not in ("batch_size", "epochs")}
    VALIDATOR.validate(swept | {"sweep": {"batch_size": [1, 2], "steps": [3]}})


@pytest.mark.parametrize(
    "wrong",
    [
        {"bach_size": 3},
        {"batch_size": 0},
        {"batch_size": "32"},
        {"epochs": True},
        {"epochs": 1.5},
        {"steps": 3},
        {"seed": None},
        {"data": "mnst"},
        {"data": {"name": "mnist", "fallbak": "digits"}},
        {"data": {"csv": "t.csv"}},
        {"model": "mpl"},
        {"model": {"layers": []}},
        {"model": {"layers": ["Dense"]}},
        {"model": {"layers": [{"Dense": {"unit": 3}}]}},
        {"model": {"layers": [{"Dense": {"units": 3, "activation": "rleu"}}]}},
        {"model": {"layers": ["Lambda"]}},
        {"optimizer": "adm"},
        {"loss": "msee"},
        {"metrics": "accuracy"},
        {"validation": {"fraction": 2}},
        {"evaluate_every": {"epoch": 1}},
        {"sampling": "suffle"},
        {"record": ["loss"]},
        {"learning_rate_rule": {"rule": "cubic"}},
    ],
    ids=str,
)
def test_wrong_specs_do_not_pass(wrong: dict[str, Any]) -> None:
    """An editor marks them while one types."""
    assert not VALIDATOR.is_valid(GOOD | wrong)


def test_required_keys() -> None:
    """Each of them is missed."""
    for key in ("data", "model", "optimizer", "loss", "epochs", "batch_size"):
        assert not VALIDATOR.is_valid({k: v for k, v in GOOD.items() if k != key})
