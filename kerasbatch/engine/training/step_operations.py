"""The operations of a model's forward pass, read from a traced graph."""

import contextlib
import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import keras
import tensorflow as tf

from kerasbatch.engine import keras_private
from kerasbatch.engine.lowering.backend import counted_convolutions
from kerasbatch.engine.lowering.keras_operations import can_lower
from kerasbatch.engine.program.cache import ProgramCache
from kerasbatch.engine.program.configuration import configuration
from kerasbatch.engine.program.evaluation_loop import as_tensors

TRANSPOSED = ("Conv2DBackpropInput", "Conv3DBackpropInputV2")
CONVOLUTIONS = ("Conv2D", "Conv3D", *TRANSPOSED)
DEPTHWISE = ("DepthwiseConv2dNative",)
LOOPS = ("While", "StatelessWhile")
CALLS = ("PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf")
FREE = ("Const", "Placeholder", "Identity", "NoOp", "ReadVariableOp")
"""The operations that take no time of their own."""
UNKNOWN_TRIPS = 10
"""The assumed number of iterations of a loop whose number is known only at run time."""
MAX_KEPT = 64
"""The number of configurations whose operations are kept."""
_NAME = "kerasbatch_operations"
_OPERATIONS = ProgramCache["StepOperations | None"]()
OWN_STEP = 4
"""The operations of a whole step over those of its forward pass."""


@dataclass(frozen=True)
class StepOperations:
    """The operations of a forward pass.

    Args:
        traced: the operations that take time.
        executed: the same, those of a loop once for each of its iterations.
        elements: the elements of their results.
        convolutions: the convolutions that are not inside a function.
        patch_bytes: the bytes of the patches of these convolutions.
        is_depthwise: whether some of them are of single channels.
        hidden_convolutions: whether some are inside a function, or of unknown shapes.
        own_convolutions: whether a layer calls TensorFlow's convolutions itself.
    """

    traced: int
    executed: int
    elements: int
    convolutions: int = 0
    patch_bytes: int = 0
    is_depthwise: bool = False
    hidden_convolutions: bool = False
    own_convolutions: bool = False

    @property
    def convolves(self) -> bool:
        """True if there are convolutions."""
        return self.convolutions > 0 or self.hidden_convolutions


def step_operations(model: keras.Model, batch: Any, size: int | None) -> StepOperations | None:
    """Return the operations of a model, read once for all models of its configuration.

    Arguments and result are those of `read_operations`.
    """
    leaves = keras.tree.flatten(batch)
    key = size, tuple((tuple(leaf.shape[1:]), str(leaf.dtype)) for leaf in leaves)
    return _OPERATIONS.get(model, key, lambda: _of_configuration(model, batch, size, key))


def _of_configuration(
    model: keras.Model, batch: Any, size: int | None, layout: tuple[Any, ...]
) -> StepOperations | None:
    text = configuration(model)
    if text is None:
        return read_operations(model, batch, size)
    kept = keras_private.global_state(_NAME, OrderedDict[Any, StepOperations | None])
    key = text, *layout
    if key not in kept:
        kept[key] = read_operations(model, batch, size)
    kept.move_to_end(key)
    while len(kept) > MAX_KEPT:
        kept.popitem(last=False)
    return cast("StepOperations | None", kept[key])


def read_operations(model: keras.Model, batch: Any, size: int | None) -> StepOperations | None:
    """Trace the forward pass of a model, or its own training step, and read the operations.

    Args:
        model: a built, compiled model.
        batch: (x,), (x, y) or (x, y, weight), arrays or specs whose first length is ignored.
        size: the batch size; None for one that is unknown.

    Returns:
        None if the step cannot be traced alone; its compilation then says why.
    """
    specs = keras.tree.map_structure(
        lambda array: tf.TensorSpec((size or 1, *array.shape[1:]), array.dtype), tuple(batch)
    )
    is_own = not keras_private.has_keras_step(model, "train_step")

    def step(*parts: Any) -> Any:
        if is_own:
            return as_tensors(model.train_step(keras.utils.pack_x_y_sample_weight(*parts)))
        return model(parts[0], training=True)

    try:
        with counted_convolutions() if can_lower() else contextlib.nullcontext(()) as called:
            graph = tf.function(step, autograph=False).get_concrete_function(*specs).graph
    except Exception:
        return None
    return operations_of(graph, len(called), OWN_STEP if is_own else 1)


def operations_of(graph: Any, called: int, share: int = 1) -> StepOperations:
    """Return the operations of a traced graph.

    Args:
        graph: the graph.
        called: the number of convolutions that layers call through Keras.
        share: the operations of the graph over those of a forward pass.
    """
    operations = [each for each in graph.get_operations() if each.type not in FREE]
    library = {f.signature.name: f for f in graph.as_graph_def().library.function}
    inner = {node.op for function in library.values() for node in function.node_def}
    convolutions = [each for each in operations if each.type in (*CONVOLUTIONS, *DEPTHWISE)]
    patches = [_patch_bytes(each) for each in convolutions]
    return StepOperations(
        traced=sum(_traced(each, library) for each in operations) // share,
        executed=sum(_executed(each, library) for each in operations) // share,
        elements=sum(_elements(each) for each in operations) // share,
        convolutions=len(convolutions),
        patch_bytes=sum(size for size in patches if size is not None),
        is_depthwise=any(each.type in DEPTHWISE for each in convolutions),
        hidden_convolutions=None in patches or not inner.isdisjoint((*CONVOLUTIONS, *DEPTHWISE)),
        own_convolutions=len(convolutions) > called * share,
    )


def _traced(operation: Any, library: Any) -> int:
    return 1 + sum(_size(name, library) for name in _called(operation))


def _executed(operation: Any, library: Any) -> int:
    trips = _trips(operation) if operation.type in LOOPS else 1
    return 1 + trips * sum(_size(name, library) for name in _called(operation))


def _called(operation: Any) -> Iterator[str]:
    for name in ("f", "then_branch", "body", "cond"):
        if name in operation.node_def.attr:
            yield operation.get_attr(name).name


def _size(name: str, library: Any) -> int:
    """Return the operations of a function that take time, those of inner loops once."""
    return sum(node.op not in FREE for node in library[name].node_def) if name in library else 0


def _trips(loop: Any) -> int:
    """Return the iterations of a loop: Keras gives its recurrent layers their maximum."""
    limit = loop.inputs[1] if len(loop.inputs) > 1 else None
    if limit is not None and limit.op.type == "Max":
        limit = limit.op.inputs[0]
    trips = None if limit is None else tf.get_static_value(limit)
    if trips is None or trips.size != 1 or trips < 0:
        return UNKNOWN_TRIPS
    return int(trips)


def _elements(operation: Any) -> int:
    """Return the elements of the results of an operation, as far as they are known."""
    shapes = (output.shape for output in operation.outputs)
    return sum(math.prod(shape) for shape in shapes if shape.is_fully_defined())


def _patch_bytes(convolution: Any) -> int | None:
    """Return the bytes of the patches of a convolution: windows by elements by channels.

    Those of single channels have none; None if their shape is unknown.
    """
    is_transposed = convolution.type in TRANSPOSED
    windows = convolution.inputs[2] if is_transposed else convolution.outputs[0]
    shape, kernel = windows.shape, convolution.inputs[1].shape
    if not shape.is_fully_defined() or not kernel.is_fully_defined():
        return None
    if convolution.type in DEPTHWISE:
        return 0
    patches: int = math.prod(shape[:-1]) * math.prod(kernel[:-1]) * windows.dtype.size
    return patches
