"""A compiled model and arrays as a spec: the same training in another process."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerasbatch as kb
from kerasbatch.advice.model_spec import write_model_spec
from kerasbatch.data.run_data import load_data
from kerasbatch.models.build import build_model
from kerasbatch.planning import plan
from kerasbatch.spec.learning_rate import resolve_learning_rate
from kerasbatch.spec.trust import Access

X = np.random.RandomState(0).rand(60, 5)
CLASSES = np.arange(60) % 3


def compiled(**options: Any) -> keras.Model:
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, "softmax")])
    model.compile(**({"optimizer": "adam", "loss": "sparse_categorical_crossentropy"} | options))
    return model


def write(model: keras.Model, y: Any, folder: Path) -> Any:
    return write_model_spec(model, X, y, folder, batch_size=8, epochs=2)


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({"metrics": ["accuracy"]}, CLASSES),
        ({"optimizer": keras.optimizers.SGD(0.3, momentum=0.9)}, CLASSES.reshape(-1, 1)),
        ({"loss": keras.losses.CategoricalCrossentropy()}, np.eye(3)[CLASSES]),
        ({"metrics": [keras.metrics.SparseTopKCategoricalAccuracy(k=2)]}, CLASSES),
    ],
)
def test_the_spec_builds_the_same_model(tmp_path: Path, options: Any, labels: Any) -> None:
    """With the same loss, optimizer, metrics and examples."""
    model = compiled(**options)
    source = write(model, labels, tmp_path)
    access = Access(source.folder, trusted=True)
    data = load_data(source.spec, access)
    rate = resolve_learning_rate(source.spec, plan(len(data.x_train), batch_size=8, epochs=1))
    built = build_model(source.spec, data, rate, access)
    assert type(built.optimizer) is type(model.optimizer)
    for key in ("learning_rate", "momentum", "beta_1"):
        value = model.optimizer.get_config().get(key)
        assert built.optimizer.get_config().get(key) == pytest.approx(value)
    built.set_weights(model.get_weights())
    assert data.x_val is not None
    expected = model.evaluate(data.x_val, data.y_val, verbose=0, return_dict=True)
    measured = built.evaluate(data.x_val, data.y_val, verbose=0, return_dict=True)
    assert sorted(measured.values()) == pytest.approx(sorted(expected.values()))
    assert {tuple(row) for row in data.x_train} <= {tuple(row) for row in X.astype(np.float32)}


def own_loss(y: Any, p: Any) -> Any:
    return keras.ops.mean((y - p) ** 2)


@pytest.mark.parametrize(
    ("options", "x", "message"),
    [
        ({"loss": own_loss}, X, "found own_loss, which is none of Keras; write a spec"),
        ({}, [X, X], "found list; give one array, or write a spec"),
    ],
)
def test_what_no_spec_can_say(tmp_path: Path, options: Any, x: Any, message: str) -> None:
    """Is an error that says so."""
    with pytest.raises(kb.SpecError, match=message):
        write_model_spec(compiled(**options), x, CLASSES, tmp_path, batch_size=8, epochs=2)
