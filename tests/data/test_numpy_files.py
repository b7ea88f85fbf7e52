"""Data in npy files: mapped, streamed, counted, and refused where they are wrong."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

import kerasbatch as kb
from kerasbatch.data import run_data, shared_data
from kerasbatch.planning import plan
from kerasbatch.runs.training.session import TrainingJob, train
from kerasbatch.spec import reader
from kerasbatch.spec.trust import Access

IMAGES, LABELS = load_digits(return_X_y=True)
IMAGES = (IMAGES.reshape(-1, 8, 8) * 15).astype(np.uint8)
SPEC: dict[str, Any] = {
    "model": "mlp",
    "optimizer": "sgd",
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "epochs": 2,
    "batch_size": 32,
}
FILES = {name: f"{name}.npy" for name in ("x_train", "y_train", "x_test", "y_test")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Digits as four npy files, and the same as an npz file."""
    arrays = {
        "x_train": IMAGES[:1500],
        "y_train": LABELS[:1500],
        "x_test": IMAGES[1500:],
        "y_test": LABELS[1500:],
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    np.savez(tmp_path / "all.npz", **arrays)
    return tmp_path


def source(folder: Path, given: Any, **other: Any) -> Path:
    """Write a spec beside the data."""
    from kerasbatch.records.files import dump_yaml

    file = folder / "spec.yaml"
    file.write_text(dump_yaml(SPEC | {"data": given} | other), encoding="utf-8")
    return file


def test_the_same_run_as_with_an_npz_file(folder: Path, tmp_path: Path) -> None:
    """Streamed from its files, with a step check that holds, and the same fingerprint."""
    streamed = kb.run(source(folder, {"npy": FILES}), results=tmp_path / "a")
    resident = kb.run(source(folder, {"npz": "all.npz"}), results=tmp_path / "b")
    assert (streamed.status, streamed.row["step_check"]) == ("done", "ok")
    assert "streamed in chunks" in streamed.record["engine"]["why"]
    assert streamed.row["data_used"] == "npy"
    pd.testing.assert_series_equal(streamed.history["val_loss"], resident.history["val_loss"])
    assert streamed.record["data_fingerprint"] == resident.record["data_fingerprint"]


def test_a_sweep_maps_the_files_and_copies_none(folder: Path) -> None:
    """What workers share is the files that there are."""
    made = reader.load_spec(source(folder, {"npy": FILES}))
    loaded = run_data.load_data(made.spec, Access(folder))
    assert shared_data.is_unmodified_map(loaded.x_train)
    shared_data.save_shared(loaded, folder / "shared")
    assert not (folder / "shared/x_train.npy").exists()
    again = shared_data.load_shared(folder / "shared")
    assert isinstance(again.x_train, np.memmap)
    np.testing.assert_array_equal(again.x_train, IMAGES[:1500])
    np.testing.assert_array_equal(again.y_train, LABELS[:1500])


def test_without_a_test_part_there_is_no_validation(folder: Path, tmp_path: Path) -> None:
    """Where that is said."""
    few = {name: FILES[name] for name in ("x_train", "y_train")}
    result = kb.run(source(folder, {"npy": few}, validation="none"), results=tmp_path / "r")
    assert result.status == "done"
    for validation in ({"fraction": 0.2}, {"examples": 100}):
        with pytest.raises(kb.SpecError, match="npy files are not divided"):
            reader.load_spec(source(folder, {"npy": FILES}, validation=validation))
    with pytest.raises(kb.SpecError, match="or write validation: none"):
        reader.load_spec(source(folder, {"npy": few}))


def truncated(folder: Path) -> None:
    whole = (folder / "x_train.npy").read_bytes()
    (folder / "x_train.npy").write_bytes(whole[:5000])


def of_objects(folder: Path) -> None:
    np.save(folder / "x_train.npy", np.array([{"a": 1}] * 1500, object), allow_pickle=True)


def of_another_type(folder: Path) -> None:
    np.save(folder / "x_train.npy", IMAGES[:1500].astype(np.float64))


def by_columns(folder: Path) -> None:
    np.save(folder / "x_train.npy", np.asfortranarray(IMAGES[:1500]))


def shorter(folder: Path) -> None:
    np.save(folder / "y_train.npy", LABELS[:1400])


def no_array(folder: Path) -> None:
    (folder / "x_train.npy").write_text("not an array", encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (truncated, "data.npy.x_train: x_train.npy is not a complete npy file"),
        (no_array, "x_train.npy is not a complete npy file"),
        (of_objects, "x_train.npy holds Python objects"),
        (of_another_type, "x_train.npy has type float64; must be one of uint8, float32, float16"),
        (by_columns, "x_train.npy is stored column by column"),
        (shorter, "x_train has 1,500 examples and y_train 1,400; the numbers must be equal"),
    ],
)
def test_files_that_are_wrong(spoil: Any, told: str, folder: Path, tmp_path: Path) -> None:
    """Said before anything is trained."""
    spoil(folder)
    with pytest.raises(kb.SpecError, match=told):
        kb.run(source(folder, {"npy": FILES}), results=tmp_path / "r")


def test_all_files_that_are_missing_are_named(folder: Path, tmp_path: Path) -> None:
    """At once, each at its key; outside of the folder none may be read."""
    files = FILES | {"x_train": "gone.npy", "y_test": "../elsewhere.npy"}
    with pytest.raises(kb.SpecError) as caught:
        kb.run(source(folder, {"npy": files}), results=tmp_path / "r")
    assert "data.npy.x_train: there is no file gone.npy" in str(caught.value)
    assert "../elsewhere.npy lies outside the spec's folder" in str(caught.value)
    with pytest.raises(kb.SpecError, match=r"x_trian.*did you mean x_train"):
        reader.load_spec(source(folder, {"npy": {"x_trian": "x.npy"}}))


@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_a_file_that_changes_during_a_training(engine: str, folder: Path, tmp_path: Path) -> None:
    """Streamed rows are not trained on; with plain fit, it is noticed at the end."""
    code = folder / "own.py"
    code.write_text(
        "import keras, pathlib\n"
        "class Touch(keras.callbacks.Callback):\n"
        "    def on_epoch_end(self, epoch, logs=None):\n"
        f"        path = pathlib.Path({str(folder / 'x_train.npy')!r})\n"
        "        path.write_bytes(path.read_bytes())\n"
        "def touch():\n"
        "    return Touch()\n",
        encoding="utf-8",
    )
    touch = {"callbacks": [{"python": "own.py:touch"}], "engine": engine}
    spec = source(folder, {"npy": FILES}, **touch)
    result = kb.run(spec, results=tmp_path / "r", trust=True)
    assert result.status == "failed"
    assert "x_train.npy was changed while it was trained on" in result.message
    assert result.row["observed_steps"] == (47 if engine == "auto" else 94)


def test_a_file_that_nothing_is_mapped_from_any_more_may_change(folder: Path) -> None:
    """Standardized numbers lie in memory; only what stays in its file is watched."""
    np.save(folder / "table.npy", np.random.RandomState(1).rand(1500, 5).astype(np.float32))
    (folder / "own.py").write_text(
        "import numpy as np, pathlib\n"
        "def load():\n"
        f"    path = pathlib.Path({str(folder / 'table.npy')!r})\n"
        "    return np.load(path, mmap_mode='r'), np.arange(1500) % 3\n",
        encoding="utf-8",
    )
    for standardize, watched in ((True, []), (False, ["table.npy"])):
        given = {"python": "own.py:load", "standardize": standardize}
        made = reader.load_spec(source(folder, given, validation="none"))
        loaded = run_data.load_data(made.spec, Access(folder, trusted=True))
        assert [Path(file).name for file in loaded.files] == watched


def test_a_file_that_changed_before_a_training(folder: Path) -> None:
    """The fingerprint was taken of other data: a later run of a sweep does not begin."""
    made = reader.load_spec(source(folder, {"npy": FILES}))
    shared_data.save_shared(run_data.load_data(made.spec, Access(folder)), folder / "shared")
    np.save(folder / "x_train.npy", IMAGES[-1500:])
    again = shared_data.load_shared(folder / "shared")
    job = TrainingJob(
        made.spec,
        keras.Model(),
        again,
        plan(1500, batch_size=32, epochs=2),
        Access(folder),
        ("loss",),
    )
    outcome = train(job, lambda message: None)
    assert (outcome.status, outcome.observed_steps) == ("failed", 0)
    assert "x_train.npy was changed" in outcome.message
    assert not shared_data.in_memory(again).files  # on other machines there may be none
