"""The keys that a spec of Python may leave out, because its labels are at hand."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from kerasbatch.array_trees import example_shape, mapped
from kerasbatch.data.encoding.classes import are_classes
from kerasbatch.spec.call_arguments import call_with
from kerasbatch.spec.overrides import AUTO, RATE
from kerasbatch.spec.passed.references import is_data, is_model, parts_and_options
from kerasbatch.spec.schema import BUDGETS, COMPILE_PARTS

_OPTIMIZER, _SIZE, _EPOCHS = ("optimizer", "adam"), ("batch_size", 32), ("epochs", 1)


class DefaultKeys:
    """The values of keys that a spec with data of its own leaves out.

    Args:
        spec: a spec as a mapping, with objects for data and model.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._spec = spec
        self._data = spec.get("data")

    def missing(self) -> dict[str, Any]:
        """Return the missing keys with their values."""
        if not is_data(self._data):
            return {}
        swept = {str(key).partition(".")[0] for key in self._spec.get("sweep") or {}}
        set_keys = set(self._spec) | swept
        missing: dict[str, Any] = {}
        is_needed = set(COMPILE_PARTS) - set_keys and not self._is_compiled()
        if is_needed and "optimizer" not in set_keys:
            missing |= [_OPTIMIZER]
        if "batch_size" not in set_keys:
            missing |= [_SIZE]
        if not set_keys & set(BUDGETS):
            missing |= [_EPOCHS]
        if is_needed and "loss" not in set_keys:
            missing["loss"] = self._loss()
        return missing

    def start_of_auto(self) -> dict[str, Any]:
        """Return the search for a learning rate with the rate of a compiled model as its start."""
        rate = self._spec.get(RATE, (self._spec.get("sweep") or {}).get(RATE))
        if rate != AUTO or "optimizer" in self._spec or not is_data(self._data):
            return {}
        config = self._model.optimizer.get_config() if self._is_compiled() else {}
        rate = config.get("learning_rate")
        return {RATE: {AUTO: {"start": float(rate)}}} if isinstance(rate, int | float) else {}

    @cached_property
    def _model(self) -> Any:
        """The model, or what a function builds, once; None for one of a spec."""
        model = self._spec.get("model")
        if not is_model(model) or hasattr(model, "layers"):
            return model if is_model(model) else None
        parts, _ = parts_and_options(self._data, ("data",))
        return _built(model, parts["x"], _distinct(parts))

    def _is_compiled(self) -> bool:
        return bool(getattr(self._model, "compiled", False))

    def _loss(self) -> str:
        """Return the loss that fits labels and the outputs of the model."""
        import numpy as np

        parts, _ = parts_and_options(self._data, ("data",))
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
        single = len(values) <= 2 and self._outputs() == 1
        return "binary_crossentropy" if single else "sparse_categorical_crossentropy"

    def _outputs(self) -> int | None:
        """Return the number of outputs of the model, or None if it is not known."""
        model = self._spec.get("model")
        if isinstance(model, Mapping):
            last = (model.get("layers") or [None])[-1]
            arguments = next(iter(last.values())) if isinstance(last, Mapping) else None
            return arguments.get("units") if isinstance(arguments, Mapping) else None
        is_built = getattr(self._model, "built", False)
        output = getattr(self._model, "output_shape", None) if is_built else None
        return output[-1] if isinstance(output, tuple) and output else None


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


def _built(model: Any, x: Any, classes: int | None) -> Any:
    """Return what a function builds, or None if it fails with these arguments."""
    inputs = dict(x) if isinstance(x, Mapping) else x
    shape = example_shape(mapped(_as_array, inputs))
    context = {"input_shape": shape, "classes": classes, "outputs": classes or 1}
    try:
        return call_with(model, context, {}, ("model",))
    except Exception:  # it fails again when the runs are checked, with its place
        return None


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
