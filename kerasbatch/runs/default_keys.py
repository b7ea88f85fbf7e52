"""The keys that a spec of Python may leave out, because its labels are at hand."""

from collections.abc import Mapping
from typing import Any

from kerasbatch.spec.passed.builders import call_builder
from kerasbatch.spec.passed.references import is_data, is_model, parts_and_options
from kerasbatch.spec.schema import BUDGETS
from kerasbatch.types import Array

MAX_CLASSES = 100
"""The different whole numbers that are taken for classes."""
_OPTIMIZER, _SIZE, _EPOCHS = ("optimizer", "adam"), ("batch_size", 32), ("epochs", 1)


def defaults_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of keys that a spec with data of its own leaves out.

    Args:
        spec: a spec as a mapping, with objects for data and model.
    """
    data = spec.get("data")
    if not is_data(data):
        return {}
    swept = {str(key).partition(".")[0] for key in spec.get("sweep") or {}}
    set_keys = set(spec) | swept
    missing: dict[str, Any] = {
        key: value for key, value in (_OPTIMIZER, _SIZE) if key not in set_keys
    }
    if not set_keys & set(BUDGETS):
        missing |= [_EPOCHS]
    if "loss" not in set_keys:
        missing["loss"] = _loss(data, spec.get("model"))
    return missing


def standardizes_for_weights(spec: Mapping[str, Any]) -> bool:
    """Return whether a model with weights of its own gets data that are standardized unasked."""
    data, model = spec.get("data"), spec.get("model")
    if not is_data(data) or not (hasattr(model, "layers") and getattr(model, "built", False)):
        return False
    parts, options = parts_and_options(data, ("data",))
    kind = getattr(getattr(parts["x"], "dtype", None), "kind", "f")
    is_table = hasattr(parts["x"], "iloc") or (
        kind == "f" and len(getattr(parts["x"], "shape", (0, 0))) == 2
    )
    return is_table and "standardize" not in options


def _loss(data: Any, model: Any) -> str:
    """Return the loss that fits labels and the outputs of the model."""
    import numpy as np

    parts, _ = parts_and_options(data, ("data",))
    x, y = parts["x"], parts["y"]
    if isinstance(y, str) and y not in x:
        return "mse"  # a fault of the data, which names the columns
    labels = np.asarray(x[y] if isinstance(y, str) else y)
    if labels.ndim == 2 and labels.shape[1] > 1:
        rows = labels[:1000]
        is_one_hot = rows.dtype.kind in "biuf" and bool((rows.sum(axis=1) == 1).all())
        return "sparse_categorical_crossentropy" if is_one_hot else "mse"
    values = np.unique(labels.ravel().astype(str) if labels.dtype == object else labels)
    if not _are_classes(values, len(labels)):
        return "mse"
    single = len(values) <= 2 and _outputs(model, x, len(values)) == 1
    return "binary_crossentropy" if single else "sparse_categorical_crossentropy"


def _are_classes(values: Array, examples: int) -> bool:
    """Return whether the different values of labels are text, or a few whole numbers from 0 on."""
    if values.dtype.kind not in "biuf":
        return True
    is_whole = values.dtype.kind in "biu" or bool((values == values.round()).all())
    are_few = len(values) <= min(MAX_CLASSES, max(2, examples // 5))
    return is_whole and are_few and (values.dtype.kind != "f" or set(values.tolist()) <= {0, 1})


def _outputs(model: Any, x: Any, classes: int) -> int | None:
    """Return the number of outputs of a model, or None if it is not known."""
    if isinstance(model, Mapping):
        last = (model.get("layers") or [None])[-1]
        arguments = next(iter(last.values())) if isinstance(last, Mapping) else None
        return arguments.get("units") if isinstance(arguments, Mapping) else None
    if not is_model(model):
        return None
    if not hasattr(model, "layers"):
        shape = tuple(getattr(x, "shape", (0, 0)))[1:]
        try:
            model = call_builder(model, shape, classes)
        except Exception:  # it fails again when the runs are checked, with its place
            return None
    output = getattr(model, "output_shape", None) if getattr(model, "built", False) else None
    return output[-1] if isinstance(output, tuple) and output else None
