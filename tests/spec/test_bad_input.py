"""Every mistake is met with a spec error: a place, what was found, what must hold."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_specs import FLOWERS

from kerasbatch.errors import SpecError
from kerasbatch.spec import reader
from kerasbatch.spec.sweep.expand import expand

GOOD = f"name: flowers\n{FLOWERS}seed: 0\n"


def refused(folder: Path, content: str | bytes, name: str = "spec.yaml") -> str:
    """Return the report on a spec that must be refused."""
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SpecError) as caught:
        expand(reader.load_spec(file))
    return str(caught.value)


WRONG_NUMBERS = ["'32'", "true", "3.5", "0", "-1", ".nan", ".inf", "1e400", "null", "[1]", "{a: 1}"]


@pytest.mark.parametrize("value", WRONG_NUMBERS)
@pytest.mark.parametrize("key", ["batch_size", "epochs"])
def test_wrong_counts(tmp_path: Path, key: str, value: str) -> None:
    """Keras would take some of them for 32 or 1; here line and column are named."""
    line = {"batch_size": 8, "epochs": 7}[key]
    old = next(text for text in GOOD.splitlines() if text.startswith(key))
    report = refused(tmp_path, GOOD.replace(old, f"{key}: {value}"))
    assert f"spec.yaml:{line}:{len(key) + 3}: {key}: found" in report


@pytest.mark.parametrize("value", [v for v in WRONG_NUMBERS if v not in ("0", "3.5", "{a: 1}")])
def test_wrong_learning_rates(tmp_path: Path, value: str) -> None:
    """A number above 0, or a schedule."""
    report = refused(tmp_path, GOOD.replace("learning_rate: 0.1", f"learning_rate: {value}"))
    assert "spec.yaml:4:" in report
    assert "optimizer.learning_rate: found" in report


@pytest.mark.parametrize("value", [v for v in WRONG_NUMBERS if v != "0"] + ["4294967296"])
def test_wrong_seeds(tmp_path: Path, value: str) -> None:
    """A whole number from 0 to 2**32 - 1."""
    report = refused(tmp_path, GOOD.replace("seed: 0", f"seed: {value}"))
    assert "spec.yaml:9:7: seed: found" in report


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed: 0", "sede: 0", "sede: unknown key; did you mean seed?"),
        ("data: iris", "data: {name: iris, fallbak: digits}", "did you mean fallback?"),
        ("epochs: 2", "epochs: 2\ntarget: {metrc: loss}", "did you mean metric?"),
        ("epochs: 2", "epochs: 2\ntarget: loss<=1", "like {metric: val_accuracy, at_least: 0.97}"),
        ("units: 3", "unist: 3", "did you mean units?"),
        ("sparse_categorical", "sparse_categoricla", "did you mean sparse_categorical_crossent"),
        ("loss: sparse_categorical_crossentropy", "loss: msee", "did you mean mse?"),
        ("[accuracy]", "[acuracy]", "did you mean accuracy?"),
        ("name: sgd", "name: sdg", "did you mean SGD?"),
        ("Dense:", "Dens:", "did you mean Dense?"),
        ("data: iris", "data: irsi", "did you mean iris?"),
        ("softmax", "sotfmax", "did you mean softmax?"),
        ("learning_rate: 0.1", "momentun: 0.1", "did you mean momentum?"),
        ("seed: 0", "target: {metric: acc, at_least: 1}", "(recorded: val_loss, val_accuracy)"),
        ("seed: 0", "steps: 3", "there is already epochs"),
        ("epochs: 2\n", "", "nothing says when to stop"),
        ("seed: 0", "seed: 0\nseed: 1", "seed is a duplicate key; it is already in line 9"),
        ("seed: 0", "sweep: {seed: [1, 2, 1]}", "1 is in the list already"),
        ("seed: 0", "sweep: {seed: []}", "found an empty list"),
        ("seed: 0", "sweep: {batch_size: [8, 0]}", "sweep.batch_size[1]: found 0"),
        ("seed: 0", "sweep: {}", "found an empty mapping"),
        ("data: iris", "data: &a iris", "the anchor &a is not allowed"),
        ("data: iris", "data: !!python/name:os.system iris", "is not allowed"),
        ("seed: 0", "\tseed: 0", "there is a tab here"),
        ("seed: 0", "---\nseed: 0", "a second document starts here"),
        ("Dense: {units: 3, activation: softmax}", "Lambda: {function: x}", "it runs code"),
        ("Dense: {units: 3, activation: softmax}", "TFSMLayer: {filepath: x}", "loads a saved"),
        ("Dense: {units: 3, activation: softmax}", "StringLookup: {vocabulary: x}", "read files"),
        ("[{Dense: {units: 3, activation: softmax}}]", "[]", "at least one"),
        ("metrics: [accuracy]", "metrics: accuracy", "must be a list"),
        ("metrics: [accuracy]", "metrics: [accuracy, accuracy]", "accuracy is there already"),
        ("data: iris", "data:", "found nothing (null)"),
        ("data: iris", "data: [iris]", "must be a mapping"),
        ("data: iris", "data: {kind: x, name: iris}", "the first of name, csv, parquet"),
        ("model: {layers:", "validation: {}\nmodel: {layers:", "is missing; add fraction: ..."),
        (
            "model: {layers:",
            "model: {preset: mlp, layers:",
            "the keys here are layers",
        ),
        ("data: iris", "data: {python: 'x.py'}", "a file and a function in it"),
    ],
)
def test_wrong_specs(tmp_path: Path, old: str, new: str, words: str) -> None:
    """Each with its line, and the nearest legal name where there is one."""
    assert old in GOOD
    report = refused(tmp_path, GOOD.replace(old, new))
    assert words in report
    assert "spec.yaml:" in report


@pytest.mark.parametrize(
    "name", ["a/b", "..", ".", "a\\b", "'a\\0b'", "x" * 400, "con", "NUL.txt", "' x'", "reference"]
)
def test_unsafe_names(tmp_path: Path, name: str) -> None:
    """A name becomes a directory, on any file system."""
    text = f'"{name[1:-1]}"' if "\\0" in name else name
    assert "spec.yaml:1:" in refused(tmp_path, GOOD.replace("name: flowers", f"name: {text}"))


@pytest.mark.parametrize("name", ["배치 크기", "🌸🌷", "été", "b16 v2"])
def test_names_of_any_language_are_fine(tmp_path: Path, name: str) -> None:
    """Only what file systems cannot hold is refused."""
    (tmp_path / "s.yaml").write_text(GOOD.replace("flowers", name), encoding="utf-8")
    assert reader.load_spec(tmp_path / "s.yaml").spec.name == name


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no spec"),
        (b"# only a comment\n", "holds no spec"),
        (b"- a\n- b\n", "a spec is a mapping"),
        (b"just text", "a spec is a mapping"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not UTF-8"),
        (GOOD.replace("flowers", "fl\xf6wers").encode("latin-1"), ":1:9: byte 0xf6 is not UTF-8"),
        (GOOD.replace("flowers", "fl\x07wers").encode(), ":1:9: the character U+0007"),
        (GOOD.replace("flowers", '"\\ud800"').encode(), "U+D800 is not a character"),
        (b"a: 1\n" * 300_000, "larger than 1 MB"),
    ],
    ids=["empty", "comments", "list", "text", "binary", "latin-1", "control", "surrogate", "large"],
)
def test_files_that_are_no_specs(tmp_path: Path, content: bytes, words: str) -> None:
    """Told from each other."""
    assert words in refused(tmp_path, content)


def test_a_missing_file_and_a_directory(tmp_path: Path) -> None:
    """The path is named."""
    with pytest.raises(SpecError, match=r"none\.yaml: there is no such file"):
        reader.load_spec(tmp_path / "none.yaml")
    with pytest.raises(SpecError, match="is not a file"):
        reader.load_spec(tmp_path)


def test_a_byte_order_mark_and_windows_lines_are_fine(tmp_path: Path) -> None:
    """As editors on Windows write them."""
    file = tmp_path / "s.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert reader.load_spec(file).spec.batch_size == 16


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
)
_KEYS = st.sampled_from([*reader.Spec.model_fields, "x"])


@given(st.dictionaries(_KEYS, _VALUES))
@settings(max_examples=150, deadline=None)
def test_random_structures_meet_spec_errors_only(raw: dict[str, Any]) -> None:
    """Whatever stands behind the keys."""
    with contextlib.suppress(SpecError):
        expand(reader.spec_from_dict(raw))


@given(key=_KEYS, value=_VALUES)
@settings(max_examples=200, deadline=None)
def test_a_good_spec_with_one_random_value(key: str, value: Any) -> None:
    """One wrong value in a good spec is one spec error, or a good spec still."""
    good: dict[str, Any] = {
        "data": "iris",
        "model": "mlp",
        "optimizer": {"name": "sgd"},
        "loss": {"name": "mse"},
        "epochs": 1,
        "batch_size": 1,
    }
    with contextlib.suppress(SpecError):
        expand(reader.spec_from_dict(good | {key: value}))


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace")))
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_random_files_meet_spec_errors_only(tmp_path: Path, content: bytes) -> None:
    """Random bytes and random text."""
    refused(tmp_path, content)


@given(st.text(alphabet="abc:{}[]&*!-? \n\t'\"|>%@#,0.1", max_size=60))
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_random_yaml_meets_spec_errors_only(tmp_path: Path, content: str) -> None:
    """Text of the characters that mean something in YAML."""
    refused(tmp_path, content)
