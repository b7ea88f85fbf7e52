"""The parts of the state of a training that are not our own: model, random numbers, callbacks."""

import random
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType, MethodType
from typing import Any

import keras
import numpy as np

from kerasbatch.engine import keras_private
from kerasbatch.engine.backend import backend
from kerasbatch.engine.model_state import all_variables
from kerasbatch.errors import EngineError
from kerasbatch.records.checkpoints.packed_state import State, is_plain
from kerasbatch.runs.training.checkpointing.checkpointer import StatePart

_OF_KERAS = ("_model", "params", "validation_data")
"""The attributes that Keras sets in every callback."""
_NO_STATE = (FunctionType, MethodType, type)
"""The types of attributes that are no state of a callback."""
_MONITORS = ("less", "greater")
"""The functions of keras.ops by which callbacks of Keras compare two results."""


class ModelState:
    """The variables of a model: weights, optimizers, metrics and random layers.

    Args:
        model: a built, compiled model.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model

    def state(self) -> State:
        """Return the values of the variables."""
        return [np.asarray(variable) for variable in _variables(self._model)]

    def restore(self, state: State) -> None:
        """Assign the values of a state.

        Raises:
            EngineError: if they are those of another model.
        """
        variables = _variables(self._model)
        shapes = [(tuple(variable.shape), _dtype(variable)) for variable in variables]
        if shapes != [(value.shape, value.dtype.name) for value in state]:
            message = "the variables of this model are not those of its checkpoint"
            raise EngineError(f"{message}; --rerun trains from the beginning")
        for variable, value in zip(variables, state, strict=True):
            variable.assign(value)


def _variables(model: keras.Model) -> list[Any]:
    """Return all variables, with those that only own code knows: other optimizers, tf.Variables."""
    variables: list[Any] = all_variables(model)
    kinds = (keras.Variable, *backend().variables)
    seen = {id(part) for variable in variables for part in (variable, variable.value)}
    for owner in (model, *keras_private.all_layers(model)):
        for attribute in _leaves(list(vars(owner).values())):
            is_optimizer = isinstance(attribute, keras.optimizers.Optimizer)
            for variable in attribute.variables if is_optimizer else [attribute]:
                if isinstance(variable, kinds) and id(variable) not in seen:
                    seen |= {id(variable), id(getattr(variable, "value", None))}
                    variables.append(variable)
    return variables


def _leaves(value: Any) -> Iterator[Any]:
    """Yield the values inside of lists, tuples and dicts, whose keys may have no order."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list | tuple):
        yield value
        return
    for inner in value:
        yield from _leaves(inner)


def _dtype(variable: Any) -> str:
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
    """The attributes of the callbacks of a spec: numbers, arrays and containers of plain values.

    Texts are left as the callback was made: a file name is no state. Keras sets `monitor_op`, a
    function, at the first result that it sees.

    Args:
        callbacks: the callbacks.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        self._callbacks = callbacks

    def state(self) -> State:
        """Return the attributes of each callback, and the name of its `monitor_op`, or None."""
        return [(_kept(callback), _monitor_name(callback)) for callback in self._callbacks]

    def restore(self, state: State) -> None:
        """Set the attributes of each callback; of containers, the content."""
        for callback, (values, monitor) in zip(self._callbacks, state, strict=True):
            for name, value in values.items():
                _set(callback, name, value)
            if monitor is not None:
                callback.monitor_op = getattr(keras.ops, monitor)

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


def training_parts(
    model: keras.Model, engine: StatePart, ours: Mapping[str, StatePart], callbacks: CallbackStates
) -> dict[str, StatePart]:
    """Return the parts of a training, by name, in the order in which they are restored.

    Args:
        model: its model.
        engine: its engine.
        ours: our own parts.
        callbacks: the callbacks of the user.
    """
    parts = {"model": ModelState(model), "engine": engine, "random": RandomState()}
    return {**parts, **ours, "callbacks": callbacks}


def _attributes(callback: keras.callbacks.Callback) -> dict[str, Any]:
    return {name: value for name, value in vars(callback).items() if name not in _OF_KERAS}


def _kept(callback: keras.callbacks.Callback) -> dict[str, State]:
    attributes = _attributes(callback).items()
    return {name: value for name, value in attributes if is_plain(value) and type(value) is not str}


def _monitor_name(callback: keras.callbacks.Callback) -> str | None:
    """Return the name of the function that compares the results of a callback of Keras."""
    function = getattr(callback, "monitor_op", None)
    return next((name for name in _MONITORS if getattr(keras.ops, name) is function), None)


def _set(callback: keras.callbacks.Callback, name: str, value: State) -> None:
    """Set an attribute that a callback has, unless it has a text there; keep its containers."""
    present = vars(callback).get(name)
    if name not in vars(callback) or isinstance(present, str) or name in _OF_KERAS:
        return
    if type(present) is list and type(value) is list:
        present[:] = value
    elif type(present) is dict and type(value) is dict:
        present.clear()
        present.update(value)
    else:
        setattr(callback, name, value)
