"""A spec for a compiled model and its arrays, so that `advise` can train it in fresh processes.

The model is saved without weights that matter: every training builds it anew.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasbatch.engine.keras_private import assert_compiled
from kerasbatch.errors import SpecError
from kerasbatch.records.files import dump_yaml
from kerasbatch.spec import keras_registry
from kerasbatch.spec.reader import SpecSource, load_spec

MODEL, ARRAYS, CODE = "model.keras", "arrays.npz", "build_model.py"
BUILD = f"""\
from pathlib import Path

import keras


def build(input_shape, classes):
    model = keras.saving.load_model(Path(__file__).with_name("{MODEL}"), compile=False)
    return keras.models.clone_model(model)
"""
IGNORED = frozenset({"name", "dtype", "reduction", "fn"})
"""Arguments of losses and metrics that a spec does not have."""


def write_model_spec(
    model: keras.Model,
    x: Any,
    y: Any,
    folder: Path,
    overrides: Iterable[str] = (),
    *,
    batch_size: int,
    epochs: int,
) -> SpecSource:
    """Write a model, its arrays and a spec of both into a folder, and return the spec.

    Args:
        model: a compiled model of one input and one output, of layers that Keras can load.
        x: an array of shape (n, ...).
        y: an array of shape (n,) or (n, ...).
        folder: the folder of the files.
        overrides: `key=value` texts that replace keys of the spec.
        batch_size: the batch size for which the learning rate of the model is right.
        epochs: the length of a training without a target.

    Raises:
        SpecError: if the model or the data have no equivalent in a spec.
    """
    assert_compiled(model)
    arrays = {"x_train": _array(x, "x"), "y_train": _without_column(_array(y, "y"))}
    config = model.get_compile_config() or {}
    spec = {
        "data": {"npz": ARRAYS, "standardize": False},
        "model": {"python": f"{CODE}:build"},
        "optimizer": _optimizer(config.get("optimizer")),
        "loss": _named("losses", config.get("loss"), "loss"),
        "metrics": [_named("metrics", metric, "metrics") for metric in _metrics(config)],
        "epochs": epochs,
        "batch_size": batch_size,
    }
    np.savez(folder / ARRAYS, **arrays)
    model.save(folder / MODEL)
    (folder / CODE).write_text(BUILD, encoding="utf-8")
    file = folder / "spec.yaml"
    file.write_text(dump_yaml(spec), encoding="utf-8")
    return load_spec(file, overrides)


def _array(value: Any, name: str) -> Any:
    if not hasattr(value, "__array__"):
        found = type(value).__name__
        raise SpecError.at((name,), f"found {found}; give one array, or write a spec")
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.kind == "f" or name == "x" else array


def _without_column(y: Any) -> Any:
    """Return labels of shape (n, 1) as (n,)."""
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def _metrics(config: dict[str, Any]) -> list[Any]:
    metrics = config.get("metrics") or []
    if not isinstance(metrics, list) or any(_name(metric) is None for metric in metrics):
        raise SpecError.at(("metrics",), "found metrics of several outputs; write a spec")
    return metrics


def _name(value: Any) -> str | None:
    """Return the name of a serialized object or function, or None for another value."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return None
    inner = value.get("config")
    return inner if isinstance(inner, str) else value.get("class_name")


def _named(section: keras_registry.Section, value: Any, key: str) -> dict[str, Any]:
    """Return a loss or a metric as in a spec."""
    name = _name(value)
    known = name is not None and (
        keras_registry.class_name(section, name) or name in keras_registry.CHOSEN_METRICS
    )
    if not known:
        message = f"found {name or type(value).__name__}, which is none of Keras; write a spec"
        raise SpecError.at((key,), message)
    config = value.get("config") if isinstance(value, dict) else None
    arguments = config if isinstance(config, dict) else {}
    table = keras_registry.keras_table()[section].get(name, {"optional": {}})
    kept = {k: v for k, v in arguments.items() if k in table["optional"] and k not in IGNORED}
    return {"name": name} | {k: v for k, v in kept.items() if v is not None}


def _optimizer(value: Any) -> dict[str, Any]:
    name = _name(value)
    if name is None or not keras_registry.class_name("optimizers", name):
        message = f"found {name or 'none'}, which is no optimizer of Keras; write a spec"
        raise SpecError.at(("optimizer",), message)
    defaults = keras_registry.optimizer_defaults(name)
    arguments = {k: v for k, v in value["config"].items() if k in defaults and v is not None}
    rate = arguments.get("learning_rate")
    if isinstance(rate, dict):
        inner = {k: v for k, v in rate["config"].items() if k != "name"}
        arguments["learning_rate"] = {"name": rate["class_name"]} | inner
    elif rate is not None:
        arguments["learning_rate"] = float(f"{rate:.6g}")
    return {"name": name} | {k: v for k, v in arguments.items() if v != defaults[k]}
