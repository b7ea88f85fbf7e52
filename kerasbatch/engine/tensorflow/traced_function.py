"""A function of a program, traced once for every layout of its arguments.

A trace captures the variables of a model. `bind` replaces them by those of another model of the
same structure, so that a model that was built anew uses a program that is compiled already.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine.tensorflow import private as tensorflow_private

Variables = Sequence[tf.Variable]


@dataclass
class _Trace:
    """A traced function.

    Args:
        function: TensorFlow's concrete function.
        captured: the tensors that it captured.
        positions: for each of them, the index of its variable, or None.
        has_run: whether it has run, and so is compiled.
    """

    function: Any
    captured: list[Any]
    positions: list[int | None]
    has_run: bool = False

    def bind(self, variables: Variables) -> None:
        captured = [
            tensor if position is None else variables[position].handle
            for tensor, position in zip(self.captured, self.positions, strict=True)
        ]
        tensorflow_private.set_captures(self.function, captured, variables)


class TracedFunction:
    """A function that is traced once for every layout of its arguments.

    Args:
        function: the function to trace.
        variables: returns the variables that it may use, always in the same order.
        jit_compile: whether to compile it with XLA.
        any_shape: the indices of arguments whose shapes are free: one trace serves all of them.
        trace_inner: traces, for the same arguments, the other functions that it calls. A function
            that is traced inside another one would be bound to it.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        variables: Callable[[], Variables],
        *,
        jit_compile: bool = False,
        any_shape: frozenset[int] = frozenset(),
        trace_inner: Callable[..., None] | None = None,
    ) -> None:
        self._function = tf.function(function, autograph=False, jit_compile=jit_compile or None)
        tensorflow_private.silence_retracing(self._function)
        self._variables, self._any_shape, self._trace_inner = variables, any_shape, trace_inner
        self._traces: dict[Any, _Trace] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Call the function, eagerly or in the trace of another one."""
        trace = self._trace(arguments)
        result = trace.function(*arguments)
        trace.has_run = trace.has_run or tf.executing_eagerly()
        return result

    def trace(self, *arguments: Any) -> None:
        """Trace the function for arguments of this layout; they may be specs."""
        self._trace(arguments)

    def is_compiled(self, *arguments: Any) -> bool:
        """Return whether a call with arguments of this layout compiles nothing."""
        trace = self._traces.get(self._layout(arguments))
        return trace is not None and trace.has_run

    @contextlib.contextmanager
    def preserved(self, *arguments: Any) -> Iterator[None]:
        """Restore the values of all variables that it uses at the end of the context."""
        variables = self._trace(arguments).function.graph.variables
        values = [tf.identity(variable) for variable in variables]
        try:
            yield
        finally:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def bind(self, variables: Variables) -> None:
        """Let all traces use other variables, in the order of the earlier ones."""
        for trace in self._traces.values():
            trace.bind(variables)

    def release(self) -> None:
        """Let go of all variables, until the next `bind`."""
        for trace in self._traces.values():
            tensorflow_private.set_captures(trace.function, [], [])

    @property
    def unknown_variables(self) -> int:
        """The number of variables in use that are not among the known ones."""
        counts = [
            sum(
                position is None and tensor.dtype == tf.resource
                for tensor, position in zip(trace.captured, trace.positions, strict=True)
            )
            for trace in self._traces.values()
        ]
        return max(counts, default=0)

    def _trace(self, arguments: tuple[Any, ...]) -> _Trace:
        layout = self._layout(arguments)
        if layout not in self._traces:
            if self._trace_inner:
                self._trace_inner(*arguments)
            self._traces[layout] = self._make(arguments)
        return self._traces[layout]

    def _make(self, arguments: tuple[Any, ...]) -> _Trace:
        specs = [
            keras.tree.map_structure(_any_spec if number in self._any_shape else _spec, value)
            for number, value in enumerate(arguments)
        ]
        function = self._function.get_concrete_function(*specs)
        captured = list(function.captured_inputs)
        known = {id(each.handle): index for index, each in enumerate(self._variables())}
        return _Trace(function, captured, [known.get(id(tensor)) for tensor in captured])

    def _layout(self, arguments: tuple[Any, ...]) -> Any:
        return tuple(
            _layout(value, number in self._any_shape) for number, value in enumerate(arguments)
        )


def _layout(value: Any, has_any_shape: bool) -> Any:
    """Return the structure, shapes and types of an argument, hashable."""
    if isinstance(value, dict):
        return tuple((key, _layout(inner, has_any_shape)) for key, inner in value.items())
    if isinstance(value, tuple | list):
        return (type(value), *(_layout(inner, has_any_shape) for inner in value))
    shape = len(value.shape) if has_any_shape else tuple(value.shape)
    return shape, tf.as_dtype(value.dtype)


def _spec(value: Any) -> tf.TensorSpec:
    return tf.TensorSpec(value.shape, value.dtype)


def _any_spec(value: Any) -> tf.TensorSpec:
    return tf.TensorSpec([None] * len(value.shape), value.dtype)
