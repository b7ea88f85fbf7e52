"""The metadata beside each key is the only list of keys."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest

import kerasbatch
from kerasbatch.errors import SpecError
from kerasbatch.runs.spec_keys import SpecKeys
from kerasbatch.spec import reader
from kerasbatch.spec.fields import InnerKey, Key, KeyedModel
from kerasbatch.spec.overrides import set_value
from kerasbatch.spec.schema import KEYS, Spec

PACKAGE = Path(kerasbatch.__file__).parent


def key_lists(source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield constants, sets and choices of two or more names, all of which are keys."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.Call):
            parts = [node.value] if not isinstance(node, ast.Call) else _set_arguments(node)
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            parts = node.comparators
        else:
            parts = [node] if isinstance(node, ast.Set) else []
        for part in parts:
            names = _strings(part)
            if len(names) > 1 and set(names) <= KEYS.keys():
                yield node.lineno, names


def _set_arguments(call: ast.Call) -> list[ast.expr]:
    is_set = isinstance(call.func, ast.Name) and call.func.id in ("set", "frozenset", "fromkeys")
    return call.args if is_set else []


def _strings(node: ast.expr | None) -> list[str]:
    """Return the strings of a literal, keys of a dict included; none if another thing is in it."""
    if isinstance(node, ast.Dict):
        parts = [key for key in node.keys if key is not None]
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        parts = node.elts
    else:
        return []
    constants = [part.value for part in parts if isinstance(part, ast.Constant)]
    strings = [value for value in constants if isinstance(value, str)]
    return strings if len(strings) == len(parts) else []


@pytest.mark.parametrize("package", ["spec", "data", "models", "records", "inference", "runs"])
def test_no_list_of_keys_is_left_elsewhere(package: str) -> None:
    """A new key must not need an edit outside the schema."""
    modules = [path for path in (PACKAGE / package).rglob("*.py") if path.name != "schema.py"]
    assert len(modules) > 1
    lists = {path.name: list(key_lists(path.read_text(encoding="utf-8"))) for path in modules}
    assert {name: keys for name, keys in lists.items() if keys} == {}


def test_a_list_of_keys_would_be_seen() -> None:
    source = """
KEPT = ("epochs", "seed")
if key in {"data", "model"}: pass
ORDER = frozenset(["loss", "metrics"])
ALSO = {"seed": 1, "loss": 2}
COLUMNS = ("run_id", "seed")
place = ("data", "csv")
"""
    assert {line for line, _ in key_lists(source)} == {2, 3, 4, 5}


def test_every_key_has_metadata() -> None:
    assert list(KEYS) == list(Spec.model_fields)


def test_a_key_without_metadata_fails_at_import() -> None:
    """A forgotten decision must not reuse the program or the data of another run."""
    with pytest.raises(TypeError, match=r"Forgetful\.momentum has no metadata"):

        class Forgetful(KeyedModel):
            momentum: float = 0.0

    class Remembered(KeyedModel):
        momentum: Annotated[float, InnerKey()] = 0.0

    assert Remembered().momentum == 0.0
    with pytest.raises(TypeError, match="missing 5 required keyword-only arguments"):
        Key()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"model": {"layers": None}}, [("model", "layers")]),
        ({"data": {"kind": "x"}}, [("data", "kind")]),
        ({"model": {"preset": "mlp"}}, [("model", "layers"), ("model", "preset")]),
        ({"metrics": [{"name": None}]}, [("metrics", 0, "name")]),
    ],
)
def test_a_fault_is_reported_once_at_its_place(
    small: dict[str, Any], changes: dict[str, Any], places: list[Any]
) -> None:
    """Short forms are rewritten before the check; faults are placed in the spec as written."""
    with pytest.raises(SpecError) as caught:
        reader.spec_from_dict(small | changes)
    assert sorted(fault.location for fault in caught.value.faults) == places


def test_text_alone_names_a_preset(small: dict[str, Any]) -> None:
    """`model: mlp` has no keys inside it, and no other spelling."""
    source = reader.spec_from_dict(small | {"model": "mlp"})
    with pytest.raises(SpecError, match="model is 'mlp' and has no keys inside it"):
        set_value(source.spec.plain(), "model.preset", "cnn")


def test_arguments_of_python_are_the_keys_of_a_spec() -> None:
    """And the rate, which has no key of its own."""
    assert set(SpecKeys.__annotations__) == {*KEYS, "learning_rate"}
