"""Own code: all of it tells a run from another, and it moves nothing."""

from pathlib import Path
from typing import Any

import kerasbatch as kb

MODEL = """\
import os
import keras
import helper

def build(input_shape, classes):
    os.chdir("/")
    from inner import deep
    return keras.Sequential([keras.layers.Dense(helper.UNITS + deep.MORE), keras.layers.Dense(3)])
"""


def _spec(folder: Path, units: int, more: int = 0) -> Path:
    (folder / "inner").mkdir(parents=True, exist_ok=True)
    (folder / "my_model.py").write_text(MODEL, encoding="utf-8")
    (folder / "helper.py").write_text(f"UNITS = {units}\n", encoding="utf-8")
    (folder / "inner" / "__init__.py").write_text("", encoding="utf-8")
    (folder / "inner" / "deep.py").write_text(f"MORE = {more}\n", encoding="utf-8")
    spec = folder / "own.yaml"
    spec.write_text(
        'data: iris\nmodel: {python: "my_model.py:build"}\noptimizer: sgd\nepochs: 1\n'
        "loss: sparse_categorical_crossentropy\nbatch_size: 50\n",
        encoding="utf-8",
    )
    return spec


def _run(spec: Path, results: Any) -> kb.Result:
    return kb.run(spec, results=results, trust=True)


def test_a_changed_helper_is_another_run(tmp_path: Path) -> None:
    """Also one in a package, imported inside the function, changed within one process."""
    results = tmp_path / "results"
    first = _run(_spec(tmp_path / "a", 4), results)
    assert _run(_spec(tmp_path / "a", 4), results).reused
    second = _run(_spec(tmp_path / "a", 5), results)
    third = _run(_spec(tmp_path / "a", 5, more=1), results)
    names = {result.directory.name for result in (first, second, third)}
    assert len(names) == 3
    assert not second.reused
    assert not third.reused


def test_helpers_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    """And the same code elsewhere is the same run."""
    results = tmp_path / "results"
    first = _run(_spec(tmp_path / "a", 4), results)
    second = _run(_spec(tmp_path / "b", 6), results)
    assert first.directory.name != second.directory.name
    assert _run(_spec(tmp_path / "c", 4), results).reused


def test_changing_the_working_directory_moves_no_results(tmp_path: Path, monkeypatch: Any) -> None:
    """Relative results stay where the caller is."""
    monkeypatch.chdir(tmp_path)
    result = _run(_spec(tmp_path / "a", 4), "results")
    assert Path.cwd() == tmp_path
    assert result.directory.is_relative_to(tmp_path / "results")
