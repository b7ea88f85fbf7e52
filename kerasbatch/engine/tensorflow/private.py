"""Every private API of TensorFlow that we use; their names are listed in `keras_private`."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine.private_names import PrivateName, private

_READING = threading.RLock()
"""Held while `read_before_loops` patches variables; models in two threads may share layers."""


def is_distributed(model: keras.Model) -> bool:
    """Return whether a model trains on several devices."""
    return tf.distribute.has_strategy() or getattr(model, "_distribute_strategy", None) is not None


def uses_onednn() -> bool:
    """Return whether TensorFlow uses oneDNN on this processor; False if that is unknown."""
    is_enabled = PrivateName(
        "tensorflow.python.util._pywrap_util_port", "IsMklEnabled", "choose the use of XLA"
    ).get()
    return bool(is_enabled and is_enabled())


def silence_retracing(function: Any) -> None:
    """Silence the warning that a function is traced often; every model traces its own."""
    function._omit_frequent_tracing_warning = True


def set_captures(function: Any, captured: Sequence[Any], variables: Sequence[Any]) -> None:
    """Replace what a concrete function captured when it was traced.

    Args:
        function: a concrete function.
        captured: tensors of the same types and shapes, in the order of its captured inputs.
        variables: the variables among them, which gradient tapes watch.
    """
    function.set_external_captures(captured)
    function.graph.variables = variables


@contextlib.contextmanager
def read_before_loops(model: keras.Model) -> Iterator[None]:
    """Make loops inside a traced step use weights that are read before the loop.

    A recurrent layer reads its weights in every time step, and the gradient of its loop stacks
    all values read inside: under XLA, a copy of the weights for every time step. An LSTM(64) at
    batch 16 spends a third of its time on these copies. Keras' own step writes no weights in such
    a loop; a step that does must not be traced in this context.
    """
    step = tf.compat.v1.get_default_graph()
    weights = [weight.value for weight in model.trainable_variables]
    with _READING:
        for weight in weights:
            weight._read_variable_op = _outside_of_loops(weight._read_variable_op, step)
        try:
            yield
        finally:
            for weight in weights:
                del weight._read_variable_op


def _outside_of_loops(read: Callable[..., Any], step: tf.Graph) -> Callable[..., Any]:
    body = private("WhileBodyFuncGraph")

    def read_outside(*arguments: Any, **options: Any) -> Any:
        graph = tf.compat.v1.get_default_graph()
        while isinstance(graph, body) and graph is not step:
            graph = graph.outer_graph
        with graph.as_default() if graph is step else contextlib.nullcontext():
            return read(*arguments, **options)

    return read_outside
