"""The attributes of Keras objects as plain values: equal values, equal programs.

`get_config` leaves out what a trace uses: the delta of a Huber loss, the weights that an optimizer
does not decay, the regularizer of a single weight, a function in the place of one of Keras'. All
attributes are compared instead, apart from those that change in training and those that hold names.
"""

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import keras
import numpy as np

from kerasbatch.engine.backend import backend
from kerasbatch.engine.keras_public import is_of_keras

_UNUSED = frozenset(
    # Names and origins; those of metrics are the keys of the logs.
    {"name", "_name", "path", "_path", "_parent_path", "_auto_config", "_compile_config"}
    | {"output_names", "_call_signature", "_trainable_variables_indices"}
    # The functions of a model, and Keras' wrappers of methods.
    | {"train_function", "test_function", "predict_function", "build", "quantize"}
    # Bookkeeping of Keras, and state of trainings that are over.
    | {"_tracker", "_inbound_nodes", "_outbound_nodes", "_nodes", "_losses", "_loss_ids"}
    | {"_eval_epoch_iterator", "_initial_seed", "_build_shapes_dict", "_called", "history"}
    | {"stop_training", "stop_evaluating", "_exclude_from_weight_decay_cache"}
)
_DEFAULT_STRATEGY = "_DefaultDistributionStrategy"


class OwnCodeError(Exception):
    """A part of a model is not Keras' own."""


class Attributes:
    """The attributes of some objects, and of those inside them.

    Args:
        variables: the variables of the model; their values do not count.
    """

    def __init__(self, variables: Sequence[keras.Variable]) -> None:
        self._variables = {id(each): number for number, each in enumerate(variables)}
        self._objects: dict[int, int] = {}
        self._kinds: list[tuple[type | tuple[type, ...], Callable[[Any], Any]]] = [
            ((type(None), bool, int, float, str, bytes), lambda value: (type(value), value)),
            (keras.Variable, self._variable),
            (Mapping, self._mapping),
            ((list, tuple), self._sequence),
            ((set, frozenset), lambda items: ["set", *sorted(map(repr, map(self.of, items)))]),
            (keras.KerasTensor, self._tensor),
            ((np.dtype, np.generic, *backend().constants), repr),
        ]

    def of(self, value: Any) -> Any:
        """Return a value as plain values, with a number for an object that was seen before.

        Raises:
            OwnCodeError: if it holds code that is not Keras' own, or something unknown.
        """
        for kinds, convert in self._kinds:
            if isinstance(value, kinds):
                return convert(value)
        if _is_code(value):
            return _name_of_code(value)
        if isinstance(value, ModuleType) and value.__name__.startswith("keras."):
            return value.__name__
        if type(value).__name__ == _DEFAULT_STRATEGY:
            return _DEFAULT_STRATEGY
        return self._object(value)

    def of_variables(self, variables: Iterable[keras.Variable]) -> list[Any]:
        """Return the attributes of variables, without their values."""
        return [
            [tuple(each.shape), str(each.dtype), self._attributes(each, without="_value")]
            for each in variables
        ]

    def _variable(self, variable: keras.Variable) -> Any:
        try:
            return ["variable", self._variables[id(variable)]]
        except KeyError:
            raise OwnCodeError(f"{variable.path} is not among the model's variables") from None

    def _sequence(self, items: Sequence[Any]) -> Any:
        fields = getattr(items, "_fields", None)  # those of a named tuple
        kept = [
            inner
            for number, inner in enumerate(items)
            if fields is None or fields[number] not in _UNUSED
        ]
        return [type(items).__name__, *map(self.of, kept)]

    def _tensor(self, tensor: keras.KerasTensor) -> Any:
        operation, *place = getattr(tensor, "_keras_history", (None,))
        return ["tensor", tensor.shape, tensor.dtype, tensor.sparse, self.of(operation), place]

    def _mapping(self, mapping: Mapping[Any, Any]) -> Any:
        return ["mapping", *([self.of(key), self.of(inner)] for key, inner in mapping.items())]

    def _object(self, value: Any) -> Any:
        if id(value) in self._objects:
            return ["object", self._objects[id(value)]]
        if not is_of_keras(value) or not hasattr(value, "__dict__"):
            raise OwnCodeError(f"{type(value).__module__}.{type(value).__name__}")
        self._objects[id(value)] = len(self._objects)
        return [_name_of_code(type(value)), self._attributes(value)]

    def _attributes(self, value: Any, without: str = "") -> list[Any]:
        unused = _UNUSED | {"seed" if hasattr(value, "seed_generator") else "", without}
        if isinstance(value, keras.Metric):
            unused -= {"name", "_name"}
        return [
            [name, self.of(inner)]
            for name, inner in sorted(vars(value).items())
            if name not in unused and not name.startswith("_self_") and not _is_initial(name, inner)
        ]


def _is_initial(name: str, value: Any) -> bool:
    """Return whether an attribute decides nothing but the first values of variables."""
    return name.endswith("_initializer") and isinstance(value, keras.Initializer | None)


def _is_code(value: Any) -> bool:
    return inspect.isroutine(value) or isinstance(value, type)


def _name_of_code(code: Any) -> str:
    """Return the full name of a class or function of Keras, which is the one with this name.

    Raises:
        OwnCodeError: if it is another one.
    """
    module, name = str(code.__module__), str(code.__qualname__)
    known: ModuleType | Any = sys.modules.get(module)
    for part in name.split("."):
        known = getattr(known, part, None)
    if not is_of_keras(code) or known is not code:
        raise OwnCodeError(f"{module}.{name}")
    return f"{module}.{name}"
