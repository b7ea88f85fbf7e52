"""The keys that a spec of Python may leave out, because its labels are at hand."""

from collections.abc import Mapping
from typing import Any

from kerasbatch.array_trees import example_shape, mapped
from kerasbatch.data.encoding.classes import are_classes
from kerasbatch.spec.call_arguments import call_with
from kerasbatch.spec.overrides import AUTO, RATE
from kerasbatch.spec.passed.references import is_data, is_model, parts_and_options
from kerasbatch.spec.schema import BUDGETS, COMPILE_PARTS

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
    missing: dict[str, Any] = {}
    is_needed = set(COMPILE_PARTS) - set_keys and not _is_compiled(spec.get("model"), data)
    if is_needed and "optimizer" not in set_keys:
        missing |= [_OPTIMIZER]
    if "batch_size" not in set_keys:
        missing |= [_SIZE]
    if not set_keys & set(BUDGETS):
        missing |= [_EPOCHS]
    if is_needed and "loss" not in set_keys:
        missing["loss"] = _loss(data, spec.get("model"))
    return missing


def start_of_auto(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the search for a learning rate with the rate of a compiled model as its start.

    Args:
        spec: a spec as a mapping, with objects for data and model.
    """
    data = spec.get("data")
    rate = spec.get(RATE, (spec.get("sweep") or {}).get(RATE))
    if rate != AUTO or "optimizer" in spec or not is_data(data):
        return {}
    model = _model(spec.get("model"), data)
    config = model.optimizer.get_config() if getattr(model, "compiled", False) else {}
    rate = config.get("learning_rate")
    return {RATE: {AUTO: {"start": float(rate)}}} if isinstance(rate, int | float) else {}


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
    if not are_classes(values, len(labels)):
        return "mse"
    single = len(values) <= 2 and _outputs(model, x, len(values)) == 1
    return "binary_crossentropy" if single else "sparse_categorical_crossentropy"


def _outputs(model: Any, x: Any, classes: int) -> int | None:
    """Return the number of outputs of a model, or None if it is not known."""
    if isinstance(model, Mapping):
        last = (model.get("layers") or [None])[-1]
        arguments = next(iter(last.values())) if isinstance(last, Mapping) else None
        return arguments.get("units") if isinstance(arguments, Mapping) else None
    if not is_model(model):
        return None
    built = model if hasattr(model, "layers") else _built(model, x, classes)
    output = getattr(built, "output_shape", None) if getattr(built, "built", False) else None
    return output[-1] if isinstance(output, tuple) and output else None


def _built(model: Any, x: Any, classes: int | None) -> Any:
    """Return what a function builds, or None if it fails with these arguments."""
    inputs = dict(x) if isinstance(x, Mapping) else x
    shape = example_shape(mapped(_as_array, inputs))
    context = {"input_shape": shape, "classes": classes, "outputs": classes or 1}
    try:
        return call_with(model, context, {}, ("model",))
    except Exception:  # it fails again when the runs are checked, with its place
        return None


def _is_compiled(model: Any, data: Any) -> bool:
    """Return whether a model is compiled, or is built by a function that compiles it."""
    return bool(getattr(_model(model, data), "compiled", False))


def _model(model: Any, data: Any) -> Any:
    """Return a model, or what a function builds; None for one of a spec."""
    if not is_model(model) or hasattr(model, "layers"):
        return model if is_model(model) else None
    parts, _ = parts_and_options(data, ("data",))
    return _built(model, parts["x"], _distinct(parts))


def _as_array(part: Any) -> Any:
    import numpy as np

    return part if hasattr(part, "shape") else np.asarray(part)


def _distinct(parts: Mapping[str, Any]) -> int | None:
    """Return the number of classes of the labels, or None if they are numbers, or not known."""
    import numpy as np

    x, y = parts["x"], parts["y"]
    if isinstance(y, Mapping) or (isinstance(y, str) and y not in x):
        return None
    labels = np.asarray(x[y] if isinstance(y, str) else y)
    values = np.unique(labels.astype(str) if labels.dtype == object else labels)
    return len(values) if are_classes(values, len(labels)) else None
