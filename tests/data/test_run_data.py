"""Data: sizes as promised, splits that hold, fallbacks that are loud."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasbatch.data import builtin, run_data
from kerasbatch.data.sizes import data_sizes
from kerasbatch.errors import DataUnavailableError, SpecError
from kerasbatch.spec import reader
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access

HERE = Access(Path.cwd())


def spec_of(small: dict[str, Any], **keys: Any) -> Spec:
    return reader.spec_from_dict(small | keys).spec


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer", "diabetes", "line"])
def test_the_sizes_are_those_of_the_data(small: dict[str, Any], name: str) -> None:
    """The constants by which runs are planned agree with the arrays."""
    facts = builtin.DATASETS[name]  # type: ignore[index]
    arrays = builtin.load_builtin(name)  # type: ignore[arg-type]
    assert arrays.x.shape == (facts.train_examples, *facts.input_shape)
    assert facts.classes is None or sorted(set(arrays.y.tolist())) == list(range(facts.classes))
    loaded = run_data.load_data(spec_of(small, data=name), HERE)
    assert data_sizes(spec_of(small, data=name), HERE).train_examples == len(loaded.x_train)


@pytest.mark.skipif("KERASBATCH_DATA" not in os.environ, reason="needs the real MNIST")
def test_real_mnist(small: dict[str, Any]) -> None:
    """60,000 images in their own type, validation on the set's own test part."""
    loaded = run_data.load_data(spec_of(small, data="mnist"), HERE)
    assert (len(loaded.x_train), loaded.x_train.dtype) == (60_000, np.uint8)
    assert loaded.x_val is not None
    assert len(loaded.x_val) == 10_000
    assert loaded.scale == 1 / 255
    assert loaded.x_test is None


def test_validation_is_a_stratified_fifth_unless_said_otherwise(small: dict[str, Any]) -> None:
    """The same examples for every seed, each class in its share."""
    first, second = (run_data.load_data(spec_of(small, seed=seed), HERE) for seed in (0, 1))
    assert first.y_val is not None
    assert second.x_val is not None
    assert np.bincount(first.y_val).tolist() == [10, 10, 10]
    assert (first.x_val == second.x_val).all()
    assert len(first.x_train) == 120


def test_train_examples_are_what_is_trained_on(small: dict[str, Any]) -> None:
    """train_examples: 30 means n = 30, validation is taken before."""
    spec = spec_of(small, data={"name": "iris", "train_examples": 30})
    loaded = run_data.load_data(spec, HERE)
    assert (len(loaded.x_train), data_sizes(spec, HERE).train_examples) == (30, 30)
    assert np.bincount(loaded.y_train).tolist() == [10, 10, 10]


def test_tables_are_standardized_by_the_training_part(small: dict[str, Any]) -> None:
    """Mean 0 and deviation 1 in training, not exactly so in validation; or left as they are."""
    loaded = run_data.load_data(spec_of(small), HERE)
    assert np.allclose(loaded.x_train.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(loaded.x_train.std(axis=0), 1, atol=1e-5)
    raw = run_data.load_data(spec_of(small, data={"name": "iris", "standardize": False}), HERE)
    assert raw.x_train.max() > 7


def test_without_validation_training_examples_stand_in(small: dict[str, Any]) -> None:
    """All 150 are trained on and evaluated on."""
    loaded = run_data.load_data(spec_of(small, validation="none"), HERE)
    assert loaded.x_val is None
    assert len(loaded.evaluated[0]) == len(loaded.x_train) == 150


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"validation": "test"}, "have no test part"),
        ({"validation": {"examples": 150}}, "leaves none of the 150"),
        ({"data": {"name": "iris", "train_examples": 121}}, "at most the 120"),
    ],
)
def test_sizes_that_do_not_fit(small: dict[str, Any], keys: dict[str, Any], words: str) -> None:
    """Plan and run say the same."""
    for look in (data_sizes, run_data.load_data):
        with pytest.raises(SpecError, match=words):
            look(spec_of(small, **keys), HERE)


@pytest.fixture
def no_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which MNIST cannot be had: no folder, no cache, no network."""
    import keras

    def unreachable() -> None:
        raise OSError("no network")

    monkeypatch.delenv("KERASBATCH_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.datasets.mnist, "load_data", unreachable)
    return tmp_path


def test_data_that_cannot_be_had(small: dict[str, Any], no_mnist: Path) -> None:
    """The error says the three ways to provide them."""
    with pytest.raises(DataUnavailableError, match="no network") as caught:
        run_data.load_data(spec_of(small, data="mnist"), HERE)
    for way in ("connect to the internet", "KERASBATCH_DATA", "fallback: digits"):
        assert way in str(caught.value)


def test_a_fallback_is_announced(small: dict[str, Any], no_mnist: Path) -> None:
    """It is loud, and plan knows of it."""
    spec = spec_of(small, data={"name": "mnist", "fallback": "digits"})
    loaded = run_data.load_data(spec, HERE)
    assert loaded.used == "digits"
    assert "TRAINING ON DIGITS INSTEAD" in str(loaded.notice)
    assert "use digits (1,437 examples)" in str(data_sizes(spec, HERE).notice)


def test_a_broken_npz_is_refused(small: dict[str, Any], no_mnist: Path) -> None:
    """Missing arrays and pickles are not loaded."""
    np.savez(no_mnist / "mnist.npz", x_train=np.array([{}], dtype=object))
    os.environ["KERASBATCH_DATA"] = str(no_mnist)
    try:
        with pytest.raises(DataUnavailableError, match=r"mnist\.npz in \$KERASBATCH_DATA is not"):
            run_data.load_data(spec_of(small, data="mnist"), HERE)
    finally:
        del os.environ["KERASBATCH_DATA"]
