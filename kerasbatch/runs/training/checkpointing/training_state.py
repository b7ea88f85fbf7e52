"""The parts of the state of a training that are not our own: model, random numbers, callbacks."""

import random
from collections.abc import Sequence
from types import FunctionType, MethodType
from typing import Any

import keras
import numpy as np

from kerasbatch.engine import keras_private
from kerasbatch.engine.model_state import all_variables
from kerasbatch.errors import EngineError
from kerasbatch.records.checkpoints.packed_state import State, is_plain

_OF_KERAS = ("_model", "params", "validation_data")
"""The attributes that Keras sets in every callback."""
_NO_STATE = (FunctionType, MethodType, type, keras.Model, keras.layers.Layer)
"""The types of attributes that are no state of a callback."""


class ModelState:
    """The variables of a model: weights, optimizer, metrics and random layers.

    Args:
        model: a built, compiled model.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model

    def state(self) -> State:
        """Return copies of the variables, with their paths."""
        variables = all_variables(self._model)
        values = [np.asarray(variable) for variable in variables]
        return {"paths": [variable.path for variable in variables], "values": values}

    def restore(self, state: State) -> None:
        """Assign the variables of a state.

        Raises:
            EngineError: if they are those of another model.
        """
        variables = all_variables(self._model)
        shapes = [(tuple(variable.shape), _dtype(variable)) for variable in variables]
        if shapes != [(value.shape, value.dtype.name) for value in state["values"]]:
            message = "the variables of this model are not those of its checkpoint"
            raise EngineError(f"{message}; --rerun trains from the beginning")
        for variable, value in zip(variables, state["values"], strict=True):
            variable.assign(value)


def _dtype(variable: keras.Variable) -> str:
    return str(np.asarray(variable).dtype.name)


class RandomState:
    """The global generators of random numbers, of Python, NumPy and Keras."""

    def state(self) -> State:
        """Return the states of the generators."""
        seed = keras_private.global_seed()
        return {
            "python": random.getstate(),
            "numpy": np.random.get_state(legacy=False),
            "keras": None if seed is None else np.asarray(seed),
        }

    def restore(self, state: State) -> None:
        """Set the generators to a state."""
        if state["keras"] is not None:
            keras_private.global_state("global_seed_generator", keras.random.SeedGenerator)
            seed = keras_private.global_seed()
            assert seed is not None  # noqa: S101  # it was made a line before
            seed.assign(state["keras"])
        random.setstate(state["python"])
        np.random.set_state(state["numpy"])


class CallbackStates:
    """The attributes of the callbacks of a spec: plain values, and functions of `keras.ops`.

    Keras sets such a function, `monitor_op`, at the first result that it sees.

    Args:
        callbacks: the callbacks.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        self._callbacks = callbacks

    def state(self) -> State:
        """Return the attributes of each callback: the values, and the names of the functions."""
        return [_kept_attributes(callback) for callback in self._callbacks]

    def restore(self, state: State) -> None:
        """Set the attributes of each callback."""
        for callback, (values, functions) in zip(self._callbacks, state, strict=True):
            for name, value in values.items():
                setattr(callback, name, value)
            for name, function in functions.items():
                setattr(callback, name, getattr(keras.ops, function))

    def lost(self) -> str:
        """Return a sentence about attributes that a checkpoint cannot keep; empty without any."""
        lost = [
            f"{type(callback).__name__}.{name}"
            for callback in self._callbacks
            if not type(callback).__module__.startswith("keras.")
            for name, value in _attributes(callback).items()
            if not is_plain(value) and not isinstance(value, _NO_STATE)
        ]
        if not lost:
            return ""
        return f"checkpoints hold no {' and no '.join(lost)}; plain values and arrays are kept"


def _attributes(callback: keras.callbacks.Callback) -> dict[str, Any]:
    return {name: value for name, value in vars(callback).items() if name not in _OF_KERAS}


def _kept_attributes(callback: keras.callbacks.Callback) -> tuple[State, State]:
    attributes = _attributes(callback).items()
    values = {name: value for name, value in attributes if is_plain(value)}
    functions = {name: value.__name__ for name, value in attributes if _is_of_keras_ops(value)}
    return values, functions


def _is_of_keras_ops(value: Any) -> bool:
    return isinstance(value, FunctionType) and getattr(keras.ops, value.__name__, None) is value
