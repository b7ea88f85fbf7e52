"""Runs with Keras on JAX: `backend: jax` in a spec, or KERAS_BACKEND=jax."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kerasbatch as kb
from kerasbatch.records.run_id import run_id
from kerasbatch.spec.reader import checked_spec, spec_from_dict, with_backend

pytest.importorskip("jax")
pytestmark = pytest.mark.jax


@pytest.fixture
def rich(small: dict[str, Any]) -> dict[str, Any]:
    """Noise, kept models, losses of steps, and a random layer."""
    layers = [{"Dropout": {"rate": 0.2}}, {"Dense": {"units": 3, "activation": "softmax"}}]
    return small | {
        "model": {"layers": layers},
        "optimizer": "adam",
        "epochs": 4,
        "record": ["noise", "steps"],
        "save": ["last", "best"],
    }


def same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Return whether two tables are equal, but for seconds."""
    seconds = [name for name in one if "second" in name]
    return one.drop(columns=seconds).equals(other.drop(columns=seconds))


def script(code: str, **variables: str) -> str:
    """Return what a script prints in a fresh process."""
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout


def test_every_engine_has_the_same_numbers(rich: dict[str, Any], tmp_path: Path) -> None:
    """With noise, step losses and kept models; every step check holds.

    Evaluations have batches of other sizes, and so the last digits of their sums differ.
    """
    fused, keras_ = (
        kb.run(rich, engine=engine, results=tmp_path / engine) for engine in ("fused", "keras")
    )
    pd.testing.assert_frame_equal(
        fused.history.drop(columns="seconds"), keras_.history.drop(columns="seconds"), rtol=1e-6
    )
    assert same(fused.steps, keras_.steps)
    assert set(fused.steps["check"]) == {"ok"}
    assert fused.record["engine"]["name"] == "fused"
    assert fused.record["spec"]["backend"] == "jax"
    for name in ("steps_loss.csv", "noise.csv"):
        assert (fused.directory / name).read_text() == (keras_.directory / name).read_text()
    assert "jax" in fused.record["versions"]


def test_a_model_without_xla_is_trained(small: dict[str, Any], tmp_path: Path) -> None:
    """By plain fit, which compiles nothing."""

    def build(input_shape: Any, classes: Any) -> Any:
        import keras

        model = keras.Sequential([keras.Input(input_shape), keras.layers.Dense(3, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
        return model

    spec = {key: small[key] for key in ("data", "epochs", "batch_size")}
    result = kb.run(spec, model=build, results=tmp_path)
    assert (result.status, result.record["engine"]["name"]) == ("done", "keras")


def test_a_kept_model_predicts(rich: dict[str, Any], tmp_path: Path) -> None:
    """Its file is that of Keras, whatever the backend."""
    result = kb.run(rich, results=tmp_path)
    model = kb.load_model(result.directory)
    predicted = model.predict(np.zeros((2, 4)))
    assert np.asarray(predicted).shape[0] == 2


def test_one_worker_and_two(rich: dict[str, Any], tmp_path: Path) -> None:
    """A sweep has the numbers of single runs with as many threads."""
    results = [
        kb.sweep(rich, seed=[0, 1], jobs=jobs, results=tmp_path / str(jobs)) for jobs in (1, 2)
    ]
    for one, other in zip(*results, strict=True):
        assert one.status == other.status == "done"
        assert same(one.history, other.history)


def test_a_run_goes_on_from_a_checkpoint(rich: dict[str, Any], tmp_path: Path) -> None:
    """Five epochs, then seven: equal to seven at once."""
    rich |= {"checkpoint": {"epochs": 1}}
    kb.run(rich, epochs=5, results=tmp_path / "cut")
    longer = kb.run(rich, epochs=7, results=tmp_path / "cut")
    whole = kb.run(rich, epochs=7, results=tmp_path / "whole")
    assert same(longer.history, whole.history)
    assert longer.record["resumed"] is not None


def test_the_backend_is_part_of_a_run(small: dict[str, Any]) -> None:
    """That of TensorFlow is the default, whose names are those of earlier versions."""
    spec, tensorflow, jax = (
        checked_spec(small | more) for more in ({}, {"backend": "tensorflow"}, {"backend": "jax"})
    )
    names = [run_id(each, {}, "data") for each in (spec, tensorflow, jax)]
    assert names[0] == names[1] != names[2]


def test_a_spec_that_names_none_has_that_of_keras(small: dict[str, Any]) -> None:
    source = spec_from_dict(small)
    assert with_backend(source, "jax").spec.backend == "jax"
    assert with_backend(source, "tensorflow").spec.backend == "tensorflow"
    assert with_backend(source, "torch").spec.backend == "tensorflow"
    named = spec_from_dict(small | {"backend": "tensorflow"})
    assert with_backend(named, "jax").spec.backend == "tensorflow"


def test_the_command_imports_no_tensorflow(tmp_path: Path) -> None:
    """It trains, keeps the model, and compiles less in the second process."""
    code = f"""
import sys
from kerasbatch.cli.app import main
sys.argv = ["kerasbatch", "run", "experiments/digits_b16.yaml", "--results", {str(tmp_path)!r},
            "--rerun", "--quiet", "--set", "save=last"]
try:
    main()
except SystemExit as end:
    print(end.code, "tensorflow" in sys.modules)
"""
    folder = tmp_path / "cache"
    for _ in range(2):
        printed = script(code, KERAS_BACKEND="jax", KERASBATCH_CACHE=str(folder))
        assert printed.splitlines()[-1] == "0 False"
    assert any((folder / "compiled").iterdir())


def test_another_backend_trains_in_another_process(small: dict[str, Any], tmp_path: Path) -> None:
    """Keras has one backend in a process."""
    result = kb.run(small, backend="tensorflow", results=tmp_path)
    assert result.status == "done"
    assert "jax" not in result.record["versions"]
    code = f"""
import os
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras, kerasbatch as kb
result = kb.run({small!r}, backend="jax", results={str(tmp_path)!r})
print(result.status, result.record["spec"]["backend"])
"""
    assert script(code).splitlines()[-1] == "done jax"
