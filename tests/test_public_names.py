"""The public names: one mapping for Python, one stub for type checkers."""

import ast
from pathlib import Path

import kerasbatch as kb


def test_the_stub_is_the_mapping() -> None:
    """The stub names the same objects, from the same modules."""
    tree = ast.parse(Path(kb.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    stub = {
        (node.module, alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    mapping = {
        (f"kerasbatch.{module}", name)
        for module, names in kb._PUBLIC_NAMES.items()
        for name in names
    }
    assert stub == mapping


def test_every_name_can_be_imported() -> None:
    for name in kb.__all__:
        assert getattr(kb, name) is not None
