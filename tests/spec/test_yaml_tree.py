"""YAML's traps, met where the text is read."""

import time
from typing import Any

import pytest

from kerasbatch.errors import SpecError
from kerasbatch.spec.document import yaml_tree


def value(text: str) -> Any:
    return yaml_tree.parse(text).value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", 0.001),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-7", -7),
        ("true", True),
        ("no", "no"),
        ("on", "on"),
        ("010", "010"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("2026-11-23", "2026-11-23"),
        ("'32'", "32"),
        ("~", None),
        (".inf", float("inf")),
        ("1e400", float("inf")),
        ("한국어 🙂", "한국어 🙂"),
    ],
)
def test_scalars_follow_the_core_rules(text: str, expected: Any) -> None:
    """No octal, no sexagesimal, no dates, no Norway problem."""
    found = value(f"a: {text}\n")["a"]
    assert found == expected
    assert type(found) is type(expected)


def test_keys_are_text() -> None:
    """`on` stays `on`, and 1 is not true."""
    assert value("on: 1\n1: 2\n1.0: 3\ntrue: 4\n") == {"on": 1, "1": 2, "1.0": 3, "true": 4}


def test_places_are_remembered() -> None:
    """Lines and columns count from 1."""
    tree = yaml_tree.parse("a: 1\nb:\n  - x\n  - {c: 2}\n", "f.yaml")
    assert tree.keys[("b",)] == yaml_tree.Mark(2, 1, "b")
    assert tree.values[("b", 1, "c")] == yaml_tree.Mark(4, 9, "2")


def test_windows_files_and_marks_are_fine() -> None:
    """CRLF ends a line like any other."""
    assert value("a: 1\r\nb: 2\r\n") == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2\n", "f.yaml:2:1: a is a duplicate key; it is already in line 1"),
        ("a: {b: 1, b: 2}\n", r"a\.b is a duplicate key"),
        ("a: &x 1\nb: *x\n", "the anchor &x is not allowed"),
        ("a: {<<: {b: 1}}\n", "the merge key << is not allowed"),
        ("a: !!python/object/apply:os.system [ls]\n", "f.yaml:1:4: the tag .* is not allowed"),
        ("a: !!int '3'\n", "the tag .* is not allowed"),
        ("a:\n\tb: 1\n", "there is a tab here"),
        ("a: 1\n---\nb: 2\n", "a second document starts here"),
        ("? [a]\n: b\n", "a key must be text"),
        ("a: [1, 2\n", "this is not YAML"),
        ("a: \x07\n", r"the character U\+0007"),
        ('a: "\\ud800"\n', r"U\+D800 is not a character"),
        ('a: "\\0"\n', r"U\+0000 is not a character"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    """With the place and what to write instead."""
    with pytest.raises(SpecError, match=words):
        yaml_tree.parse(text, "f.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 20_000, "nested more than 32 deep"),
        ("a: " + "{a: " * 20_000, "nested more than 32 deep"),
        ("- " * 20_000, "nested more than 32 deep"),
        ("a: " + "9" * 5000, "a number of 5,000 characters"),
        ("a: [" + "1," * 400_000 + "]", "more than 10,000 values"),
        ("a: &a [*a]", "the anchor &a"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]", r"the alias \*c"),
    ],
    ids=["lists", "mappings", "dashes", "digits", "values", "recursion", "aliases"],
)
def test_bombs_are_refused_quickly(text: str, words: str) -> None:
    """Before they grow; ten seconds is a limit against hanging, not a measurement."""
    start = time.monotonic()
    with pytest.raises(SpecError, match=words):
        yaml_tree.parse(text)
    assert time.monotonic() - start < 10
