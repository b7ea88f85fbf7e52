"""Wrong arguments of `kerasbatch.fit`."""

import warnings
from typing import Any

import keras
import numpy as np
import pytest
from fit_support import (
    CLASSES,
    TABLE,
    mlp,
    ready,
)

import kerasbatch as kb

pytestmark = pytest.mark.filterwarnings(
    "ignore:`shuffle=True` was passed, but will be ignored:UserWarning",
)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"x": TABLE[:50]}, r"x 50, y 110; every array must have as many"),
        ({"x": {"a": TABLE, "b": TABLE[:7]}}, r"x\['a'\] 110, x\['b'\] 7, y 110"),
        ({"x": TABLE[:0], "y": CLASSES[:0]}, "there is no example"),
        ({"x": None}, "^x: there is none"),
        ({"y": CLASSES.tolist()}, r"found Python numbers; write np.array\(y\)"),
        ({"x": "x.npy"}, r"x: found text; load what is in the file"),
        ({"batch_size": 0}, "found 0; must be a whole number, 1 or more"),
        ({"batch_size": 16.0}, "found 16.0; must be a whole number"),
        ({"batch_size": True}, "found True; must be a whole number"),
        ({"batch_size": "16"}, "found '16'; must be a whole number"),
        ({"epochs": -1, "batch_size": 0}, "batch_size: found 0.*\n.*epochs: found -1"),
        ({"seed": -1}, "seed: found -1"),
        ({"validation_data": (TABLE[:5], CLASSES[:4])}, "validation_data.x 5, validation_data.y 4"),
        ({"validation_split": -0.1}, "validation_split: found -0.1"),
        ({"engine": "turbo"}, "found 'turbo'; must be one of auto, fused, keras"),
        ({"jit_compile": "yes"}, "must be True, False or None"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], words: str) -> None:
    """The same errors as the spec gives."""
    given = {"x": TABLE, "y": CLASSES, "verbose": 0} | arguments
    with pytest.raises(kb.SpecError, match=words):
        kb.fit(ready(), given.pop("x"), given.pop("y"), **given)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"x": TABLE * np.nan}, "in x 660 values are not finite, the first in example 0"),
        ({"y": np.where(CLASSES == 0, np.nan, 1.0)}, "in y [0-9]+ values are not finite"),
        ({"batch_size": 111}, "batch_size is 111, more than the 110 examples"),
        ({"epochs": 0}, "epochs is 0, so there is no training"),
        ({"validation_data": (TABLE, CLASSES), "validation_steps": 0}, "validation_steps is 0"),
    ],
)
def test_what_keras_trains_with_is_left_to_keras(arguments: dict[str, Any], words: str) -> None:
    """Asked for by engine keras without a word; refused by fused; else with a warning."""
    given = {"x": TABLE, "y": CLASSES, "verbose": 0} | arguments

    def masked(y: Any, predicted: Any) -> Any:
        ops = keras.ops
        return ops.mean(ops.where(ops.isnan(y), 0.0, (y - predicted) ** 2))

    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
    model.compile("sgd", masked)
    with pytest.raises(kb.EngineError, match=words):
        kb.fit(model, engine="fused", **given)
    with pytest.warns(UserWarning, match=f"training by plain model.fit, because {words}"):
        history = kb.fit(model, **given)
    assert (history.kerasbatch.engine, history.kerasbatch.seed) == ("keras", None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kb.fit(model, engine="keras", **given)


def test_a_model_that_is_not_compiled_is_told_so_by_keras() -> None:
    """And nothing is said of engines."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="must call `compile"):
            kb.fit(mlp(), TABLE, CLASSES)


def test_limits_in_the_environment_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras would cut the training with a warning only."""
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "1")
    with pytest.raises(kb.EngineError, match="KERAS_MAX_EPOCHS=1 would cut the training short"):
        kb.fit(ready(), TABLE, CLASSES)
