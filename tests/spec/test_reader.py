"""From YAML text to a spec: short forms, places of faults, overrides."""

from pathlib import Path
from typing import Any

import pytest

from kerasbatch.errors import SpecError
from kerasbatch.spec import reader
from kerasbatch.spec.schema import Spec
from kerasbatch.steps import Budget

GOOD = """\
data: digits
model: mlp
optimizer: adam
loss: sparse_categorical_crossentropy
metrics: [accuracy]
epochs: 5
batch_size: 16
"""


def write(folder: Path, text: str, name: str = "some.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def faults(folder: Path, text: str) -> list[str]:
    file = write(folder, text)
    with pytest.raises(SpecError, match=r"some\.yaml") as caught:
        reader.load_spec(file)
    return [str(fault).removeprefix(str(file)) for fault in caught.value.faults]


def test_short_forms_open_into_long_ones(tmp_path: Path) -> None:
    """`data: digits` is {name: digits}; the name is the file's stem; defaults are filled in."""
    spec = reader.load_spec(write(tmp_path, GOOD, "first.yaml")).spec
    assert (spec.name, spec.data.name, spec.optimizer.name) == ("first", "digits", "adam")  # type: ignore[union-attr]
    assert (spec.seed, spec.sampling, spec.partial_batch) == (0, "shuffle", "keep")
    assert spec.length == Budget("epochs", 5)
    assert spec.evaluate_every.kind == "epochs"


def test_a_spec_reads_back_as_itself(tmp_path: Path) -> None:
    """The resolved spec of a run works when it is run again."""
    spec = reader.load_spec(write(tmp_path, GOOD)).spec
    assert reader.spec_from_dict(spec.plain()).spec == spec


def test_all_faults_come_at_once_with_their_places(tmp_path: Path) -> None:
    """A typo in one key hides no fault in another."""
    text = GOOD.replace("batch_size: 16", "batch_sise: 16").replace("mlp", "{layers: [Flaten]}")
    text += "seed: 3.5\ntarget: {metric: val_acc, at_least: 0.9}\n"
    assert faults(tmp_path, text) == [
        ":2:18: model.layers[0]: unknown layer 'Flaten'; did you mean Flatten?",
        ":7:1: batch_sise: unknown key; did you mean batch_size?",
        ":8:7: seed: found 3.5; must be a whole number, 0 to 4294967295",
        ":9:18: target.metric: 'val_acc' is not recorded by this spec; did you mean val_accuracy?",
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("epochs: 5\nsteps: 10", "there is already epochs"),
        ("", "nothing says when to stop"),
        ("epochs: 5\nevaluate_every: {epochs: 1, steps: 2}", "exactly one of epochs, steps"),
        ("epochs: 5\ntarget: {metric: val_loss}", "either at_least or at_most"),
        ("epochs: 5\nvalidation: none\ntarget: {metric: val_loss, at_most: 1}", "train_loss"),
        ("epochs: 5\ntarget: {metric: val_loss, at_least: 1}", 'write at_most: 1 ("val_loss<=1")'),
        ("epochs: 5\ntarget: {metric: val_accuracy, at_most: 1}", "write at_least: 1"),
        (
            "epochs: 5\ncallbacks: [EarlyStopping: {mode: max}]",
            "val_loss is better when it is lower",
        ),
        ("epochs: 5\nlearning_rate_rule: {rule: linear, betas: true}", "rule: sqrt with one of"),
        ("epochs: 5\nname: a/b", "contains '/'"),
        ("epochs: 5\nname: reference", "is reserved"),
        ("epochs: 5\nengine: fast", "must be one of auto, fused, keras"),
    ],
)
def test_what_must_hold_between_keys(tmp_path: Path, line: str, words: str) -> None:
    """Budgets, points, targets, rules and names."""
    assert any(words in fault for fault in faults(tmp_path, GOOD.replace("epochs: 5", line)))


def test_overrides_are_yaml_and_replace_budgets(tmp_path: Path) -> None:
    """1e-3 is a number; a new budget takes the place of the old one; short forms open."""
    overrides = ["steps=7", "optimizer.learning_rate=1e-3", "batch_size=full"]
    spec = reader.load_spec(write(tmp_path, GOOD), overrides).spec
    assert spec.length == Budget("steps", 7)
    assert spec.optimizer.arguments == {"learning_rate": 0.001}
    assert spec.batch_size == "full"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("batch_size", "must be key=value"),
        ("epochs=[1", "--set epochs=[1"),
        ("batch_size.x=3", "has no keys inside it"),
        ("bach_size=3", "did you mean batch_size"),
        ("epochs=", "found nothing"),
    ],
)
def test_wrong_overrides_are_spec_errors(tmp_path: Path, override: str, words: str) -> None:
    """They name the override, not a line of the file."""
    with pytest.raises(SpecError) as caught:
        reader.load_spec(write(tmp_path, GOOD), [override])
    assert words in str(caught.value)


def test_a_dict_is_checked_like_a_file(small: dict[str, Any]) -> None:
    """Tuples are lists; faults have a path in place of a line."""
    spec = reader.spec_from_dict(small | {"metrics": ("accuracy",), "batch_size": "full"}).spec
    assert isinstance(spec, Spec)
    with pytest.raises(SpecError, match="batch_size: found true"):
        reader.spec_from_dict(small | {"batch_size": True})
