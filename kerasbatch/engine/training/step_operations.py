"""The operations of a model's forward pass, read from a traced graph."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine.options import Arrays

CONVOLUTIONS = ("Conv2D", "Conv3D")
TRANSPOSED = ("Conv2DBackpropInput", "Conv3DBackpropInputV2")
DEPTHWISE = ("DepthwiseConv2dNative",)
POOLS = ("MaxPool", "MaxPool3D", "AvgPool", "AvgPool3D")
LOOPS = ("While", "StatelessWhile")
CALLS = ("PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf")
FREE = ("Const", "Placeholder", "Identity", "NoOp", "ReadVariableOp")
"""The operations that take no time of their own."""
UNKNOWN_TRIPS = 10
"""The assumed number of iterations of a loop whose number is known only at run time."""


@dataclass(frozen=True)
class StepOperations:
    """The operations of a forward pass.

    Args:
        executed: the operations that take time, those of a loop once for each of its iterations.
        kinds: the kinds of all operations.
        patch_bytes: the bytes of the patches of all convolutions.
        has_unknown_convolutions: whether some are inside a function, where shapes are unknown.
    """

    executed: int
    kinds: frozenset[str]
    patch_bytes: int
    has_unknown_convolutions: bool

    @property
    def has_convolutions(self) -> bool:
        """True if there are convolutions with one product over all channels."""
        return not self.kinds.isdisjoint((*CONVOLUTIONS, *TRANSPOSED))

    @property
    def has_depthwise(self) -> bool:
        """True if there are convolutions of single channels."""
        return not self.kinds.isdisjoint(DEPTHWISE)


def read_operations(model: keras.Model, inputs: Arrays, size: int) -> StepOperations | None:
    """Trace the forward pass of a model for a batch size, and read its operations.

    Args:
        model: a built model.
        inputs: arrays whose first dimension is that of the examples.
        size: the batch size.

    Returns:
        None for a model whose call cannot be traced, such as a generative one.
    """
    specs = keras.tree.map_structure(
        lambda array: tf.TensorSpec((size, *array.shape[1:]), array.dtype), inputs
    )
    forward = tf.function(lambda x: model(x, training=True), autograph=False)
    try:
        graph = forward.get_concrete_function(specs).graph
    except NotImplementedError:  # a model with a train_step and no call
        return None
    return operations_of(graph)


def operations_of(graph: Any) -> StepOperations:
    """Return the operations of a traced graph."""
    operations = graph.get_operations()
    library = {f.signature.name: f for f in graph.as_graph_def().library.function}
    inner = {node.op for function in library.values() for node in function.node_def}
    kinds = frozenset({operation.type for operation in operations} | inner)
    return StepOperations(
        executed=sum(_executed(operation, library) for operation in operations),
        kinds=kinds,
        patch_bytes=sum(_patch_bytes(operation) for operation in operations),
        has_unknown_convolutions=not inner.isdisjoint((*CONVOLUTIONS, *TRANSPOSED, *DEPTHWISE)),
    )


def _executed(operation: Any, library: Any) -> int:
    if operation.type in FREE:
        return 0
    if operation.type in LOOPS:
        body = _size(operation.get_attr("body").name, library)
        return 1 + _trips(operation) * (body + _size(operation.get_attr("cond").name, library))
    if operation.type in CALLS:
        return 1 + sum(_size(name, library) for name in _called(operation))
    return 1


def _called(operation: Any) -> Iterator[str]:
    for name in ("f", "then_branch"):
        if name in operation.node_def.attr:
            yield operation.get_attr(name).name


def _size(name: str, library: Any) -> int:
    """Return the operations of a function that take time, those of inner loops once."""
    return sum(node.op not in FREE for node in library[name].node_def) if name in library else 0


def _trips(loop: Any) -> int:
    """Return the iterations of a loop: Keras gives its recurrent layers their maximum."""
    limit = tf.get_static_value(loop.inputs[1]) if len(loop.inputs) > 1 else None
    if limit is None or limit.ndim or limit < 0:
        return UNKNOWN_TRIPS
    return int(limit)


def _patch_bytes(operation: Any) -> int:
    """Return the bytes of the patches of a convolution: windows by elements by channels."""
    if operation.type in CONVOLUTIONS:
        windows, kernel = operation.outputs[0], operation.inputs[1]
    elif operation.type in TRANSPOSED:
        windows, kernel = operation.inputs[2], operation.inputs[1]
    else:
        return 0
    shape, elements = windows.shape, kernel.shape[:-1]
    if not shape.is_fully_defined() or not elements.is_fully_defined():
        return 0
    return math.prod(shape[:-1]) * math.prod(elements) * int(windows.dtype.size)
