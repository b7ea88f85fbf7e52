"""A model of one's own."""

from pathlib import Path
from typing import Any

import pytest

import kerasbatch as kb

MODEL = """
import keras
def build(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(classes or 1, "softmax")])
def nothing(input_shape, classes): pass
def broken(input_shape, classes):
    return keras.layers.Dense(-classes)
"""


def test_a_model_from_python(tmp_path: Path, small: dict[str, Any]) -> None:
    """Needs trust; its code enters the run's name; its mistakes are shown."""
    (tmp_path / "own.py").write_text(MODEL, encoding="utf-8")

    def run(function: str, **options: Any) -> kb.Result:
        text = kb_yaml(small | {"model": {"python": f"own.py:{function}"}})
        (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
        return kb.run(tmp_path / "s.yaml", results=tmp_path / "results", **options)

    with pytest.raises(kb.SpecError, match="add --trust"):
        run("build")
    first = run("build", trust=True)
    assert first.row["step_check"] == "ok"
    again = kb.run(first.directory / "spec.yaml", results=tmp_path / "other", trust=True)
    assert again.directory.name == first.directory.name
    with pytest.raises(kb.SpecError, match="returned NoneType; must return"):
        run("nothing", trust=True)
    with pytest.raises(kb.SpecError, match=r"(?s)own\.py failed: ValueError.*own\.py:7, in broken"):
        run("broken", trust=True)
    (tmp_path / "own.py").write_text(MODEL + "\n# changed\n", encoding="utf-8")
    assert run("build", trust=True).directory != first.directory


def kb_yaml(spec: dict[str, Any]) -> str:
    from kerasbatch.records.files import dump_yaml

    return dump_yaml(spec)
