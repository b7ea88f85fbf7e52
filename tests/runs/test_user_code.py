"""Own code: all of it tells a run from another, and it moves nothing."""

import hashlib
import json
import py_compile
from pathlib import Path
from typing import Any

import pytest
from small_specs import LINE

import kerasbatch as kb
from kerasbatch.runs.prepare.checks import check_all
from kerasbatch.runs.prepare.data_loader import DataLoader
from kerasbatch.runs.training.trainer import Trainer
from kerasbatch.spec import reader
from kerasbatch.spec.sweep.expand import expand
from kerasbatch.spec.trust import Access

MODEL = """\
import os
import keras
import helper

def build(input_shape, classes):
    os.chdir("/")
    from inner import deep
    first = keras.layers.Dense(helper.UNITS + deep.MORE)
    return keras.Sequential([first, keras.layers.Dense(3, "softmax")])
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


class Editor(kb.Watcher):
    """Writes into a file when the first run ends."""

    def __init__(self, file: Path, text: str) -> None:
        self._file, self._text = file, text

    def finish(self, result: kb.Result) -> None:
        self._file.write_text(self._text, encoding="utf-8")


def _sweep(spec: Path, results: Path, watcher: kb.Watcher | None = None) -> list[kb.Result]:
    grid = ["sweep.seed=[0, 1]"]
    return kb.run_all(spec, overrides=grid, results=results, trust=True, jobs=1, watcher=watcher)


@pytest.mark.slow
def test_code_that_is_edited_during_a_sweep_fails_the_run(tmp_path: Path) -> None:
    """It would be trained under the name of the old code; the same command then trains it."""
    spec, results = _spec(tmp_path / "a", 4), tmp_path / "results"
    editor = Editor(tmp_path / "a/helper.py", "UNITS = 64\n")
    second, first = _sweep(spec, results, editor)  # the last seed is trained first
    assert (first.status, second.status) == ("done", "failed")
    assert second.message.startswith("helper.py changed after the runs were checked")
    (tmp_path / "a/helper.py").write_text("UNITS = 4\n", encoding="utf-8")
    assert [result.reused for result in _sweep(spec, results)] == [False, True]


def test_the_record_names_the_files_of_own_code(tmp_path: Path) -> None:
    """With their hashes, so that a comparison tells two versions apart."""
    results, helper = tmp_path / "results", "UNITS = 4\n"
    result = _run(_spec(tmp_path / "a", 4), results)
    code = result.record["code"]
    assert sorted(code) == ["helper.py", "inner/__init__.py", "inner/deep.py", "my_model.py"]
    assert code["helper.py"] == hashlib.sha256(helper.encode()).hexdigest()
    _run(_spec(tmp_path / "a", 5), results)
    messages = [caveat.message for caveat in kb.compare(results).caveats]
    assert "different versions of helper.py are mixed" in messages


def test_data_that_change_during_a_sweep_fail_the_run(tmp_path: Path) -> None:
    """A CSV that is read again, as by a process that shares no data."""
    rows = "".join(f"{i},{i * 2}\n" for i in range(40))
    (tmp_path / "t.csv").write_text(f"a,y\n{rows}", encoding="utf-8")
    keys = {"data": {"csv": str(tmp_path / "t.csv"), "target": "y"}, "validation": "none"}
    spec = reader.spec_from_dict(LINE | {"record": []} | keys)
    access = Access(tmp_path)
    (prepared,) = check_all(expand(spec), DataLoader(access), []).runs
    (tmp_path / "t.csv").write_text(f"a,y\n{rows}7,7\n", encoding="utf-8")
    messages: list[Any] = []
    Trainer(DataLoader(access)).train(prepared, messages.append)
    (ended,) = messages
    assert ended.record["status"] == "failed"
    assert "t.csv changed after the runs were checked" in ended.record["message"]


def test_a_run_is_the_same_whatever_else_lies_in_its_folder(tmp_path: Path) -> None:
    """The name of a run holds the code of its own function, not of another call."""
    spec = _spec(tmp_path / "a", 4)
    (tmp_path / "a/other.py").write_text("from my_model import build\n", encoding="utf-8")
    names = [
        _run_ids(spec, "my_model.py:build", "other.py:build"),
        _run_ids(spec, "other.py:build"),
    ]
    assert names[0][1:] == names[1]


def _run_ids(spec: Path, *functions: str) -> list[str]:
    grid = f"sweep={{model.python: [{', '.join(map(repr, functions))}]}}"
    source = reader.load_spec(spec, [grid])
    loader = DataLoader(Access(spec.parent, trusted=True))
    return [run.run_id for run in check_all(expand(source), loader, []).runs]


def test_a_module_without_a_source_is_part_of_the_code(tmp_path: Path) -> None:
    """As Python imports it."""
    spec = _spec(tmp_path / "a", 4)
    helper = tmp_path / "a/helper.py"
    py_compile.compile(str(helper), cfile=str(helper.with_suffix(".pyc")))
    helper.unlink()
    result = _run(spec, tmp_path / "results")
    assert (result.status, "helper.pyc" in result.record["code"]) == ("done", True)


def test_an_error_that_is_no_unicode_leaves_a_record(tmp_path: Path) -> None:
    """As the name of a file may be."""
    head = (
        "import keras\nclass C(keras.callbacks.Callback):\n    def on_train_begin(self, logs=None):"
    )
    (tmp_path / "c.py").write_text(f"{head} raise RuntimeError('a\\udc80')\n", encoding="utf-8")
    own = [{"python": str(tmp_path / "c.py:C")}]
    result = kb.run(
        LINE | {"callbacks": own, "evaluate_every": {"epochs": 1}}, results=tmp_path, trust=True
    )
    assert result.status == "failed"
    record = json.loads((result.directory / "record.json").read_text(encoding="utf-8"))
    assert record["message"] == "RuntimeError: a\\udc80 (c.py:3)"
