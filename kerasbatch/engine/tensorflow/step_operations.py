"""The operations of a model's forward pass, read from a traced graph."""

import contextlib
import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine import keras_private
from kerasbatch.engine.model_state import short_error
from kerasbatch.engine.program.cache import ProgramCache
from kerasbatch.engine.program.configuration import configuration
from kerasbatch.engine.tensorflow.evaluation_loop import as_tensors
from kerasbatch.engine.tensorflow.lowering.keras_operations import can_lower
from kerasbatch.engine.tensorflow.lowering.recorded_calls import RecordedCalls, recorded_calls

CONVOLUTIONS = ("Conv2D", "Conv3D", "DepthwiseConv2dNative")
TRANSPOSED = ("Conv2DBackpropInput", "Conv3DBackpropInputV2")
POOLS = ("MaxPool", "MaxPoolV2", "AvgPool", "MaxPool3D", "AvgPool3D")
RANDOM = (
    "StatelessRandomUniformV2",
    "StatelessRandomUniform",
    "StatelessRandomNormalV2",
    "StatelessRandomNormal",
    "RandomUniform",
    "RandomStandardNormal",
)
REDUCTIONS = ("Sum", "Mean", "Max", "Min", "Prod")
LOOPS = ("While", "StatelessWhile")
BRANCHES = ("f", "then_branch", "else_branch", "body", "cond")
"""The attributes of operations that name functions."""
FREE = ("Const", "Placeholder", "Identity", "NoOp", "ReadVariableOp")
"""The operations that take no time of their own."""
UNKNOWN_TRIPS = 10
"""The assumed number of iterations of a loop whose number is known only at run time."""
MAX_KEPT = 64
"""The number of configurations whose operations are kept."""
WHOLE_STEP = 4
"""The operations of a whole step over those of its forward pass."""
_NAME = "kerasbatch_operations"
_OPERATIONS = ProgramCache["StepOperations | str"]()


@dataclass(frozen=True)
class StepOperations:
    """The operations of a forward pass.

    Args:
        traced: the operations that take time.
        executed: the same, those of a loop once for each of its iterations.
        elements: the elements of their results, and those that sums and means read.
        convolutions: the convolutions that layers call through Keras.
        patch_bytes: the bytes of the patches of these convolutions; None if one is unknown.
        is_depthwise: whether some of them are of single channels.
        native: the kinds of operations that cannot be lowered, such as `pools`: layers call
            TensorFlow's themselves.
        random_elements: the elements of random numbers that cannot be lowered.
        lowered_random_calls: the draws of random numbers that can.
        lowered_random_elements: their elements.
    """

    traced: int
    executed: int
    elements: int
    convolutions: int = 0
    patch_bytes: int | None = 0
    is_depthwise: bool = False
    native: tuple[str, ...] = ()
    random_elements: int = 0
    lowered_random_calls: int = 0
    lowered_random_elements: int = 0

    @property
    def convolves(self) -> bool:
        """True if there are convolutions."""
        return self.convolutions > 0 or "convolutions" in self.native


def step_operations(model: keras.Model, batch: Any, size: int | None) -> StepOperations | str:
    """Return the operations of a model, read once for all models of its configuration.

    Arguments and result are those of `read_operations`.
    """
    leaves = keras.tree.flatten(batch)
    key = size, tuple((tuple(leaf.shape[1:]), str(leaf.dtype)) for leaf in leaves)
    return _OPERATIONS.get(model, key, lambda: _of_configuration(model, batch, size, key))


def _of_configuration(
    model: keras.Model, batch: Any, size: int | None, layout: tuple[Any, ...]
) -> StepOperations | str:
    text = configuration(model)
    if text is None:
        return read_operations(model, batch, size)
    kept = keras_private.global_state(_NAME, OrderedDict[Any, StepOperations | str])
    key = text, *layout
    if key not in kept:
        kept[key] = read_operations(model, batch, size)
    kept.move_to_end(key)
    while len(kept) > MAX_KEPT:
        kept.popitem(last=False)
    operations: StepOperations | str = kept[key]
    return operations


def read_operations(model: keras.Model, batch: Any, size: int | None) -> StepOperations | str:
    """Trace the forward pass of a model, or its own training step, and read the operations.

    Args:
        model: a built, compiled model.
        batch: (x,), (x, y) or (x, y, weight), arrays or specs whose first length is ignored.
        size: the batch size; None for one that is unknown.

    Returns:
        The operations, or the error of a step that cannot be traced alone.
    """
    specs = keras.tree.map_structure(
        lambda array: tf.TensorSpec((size or 1, *array.shape[1:]), array.dtype), tuple(batch)
    )
    is_own = not keras_private.has_keras_step(model, "train_step")

    def step(*parts: Any) -> Any:
        if not is_own:
            return model(parts[0], training=True)
        is_packed = len(parts) <= len(("x", "y", "sample_weight"))
        data = keras.utils.pack_x_y_sample_weight(*parts) if is_packed else parts
        return as_tensors(model.train_step(data))

    calls = RecordedCalls()
    try:
        with recorded_calls(calls) if can_lower() else contextlib.nullcontext():
            graph = tf.function(step, autograph=False).get_concrete_function(*specs).graph
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise
    except Exception as error:  # a step of the user may fail in any way; Keras then says why
        return short_error(error)
    return operations_of(graph, calls, is_whole_step=is_own, knows_size=size is not None)


def operations_of(
    graph: Any, calls: RecordedCalls, *, is_whole_step: bool, knows_size: bool = True
) -> StepOperations:
    """Return the operations of a traced graph.

    Args:
        graph: the graph.
        calls: the operations that layers call through Keras.
        is_whole_step: whether the graph holds the gradient and the optimizer too.
        knows_size: whether the batch size is known.
    """
    operations = [each for each in graph.get_operations() if each.type not in FREE]
    library = {f.signature.name: f for f in graph.as_graph_def().library.function}
    types = [each.type for each in operations]
    types += [node.op for function in library.values() for node in function.node_def]
    share = WHOLE_STEP if is_whole_step else 1
    drawn = sum(_results(each) for each in operations if each.type in RANDOM)
    return StepOperations(
        traced=sum(_traced(each, library) for each in operations) // share,
        executed=sum(_executed(each, library) for each in operations) // share,
        elements=sum(_elements(each) for each in operations) // share,
        convolutions=calls.convolutions,
        patch_bytes=calls.patch_bytes if knows_size else None,
        is_depthwise=calls.is_depthwise,
        native=tuple(_native(types, calls, is_whole_step)),
        # Those in loops are recorded, and are not in the graph itself.
        random_elements=max(drawn - calls.random_elements, 0),
        lowered_random_calls=calls.random_calls,
        lowered_random_elements=calls.random_elements,
    )


def _native(types: list[str], calls: RecordedCalls, is_whole_step: bool) -> Iterator[str]:
    """Yield the kinds of operations that are more than layers call through Keras.

    The gradient of a convolution is a transposed one, so those of a whole step are not counted.
    """
    kinds = CONVOLUTIONS if is_whole_step else (*CONVOLUTIONS, *TRANSPOSED)
    if sum(types.count(kind) for kind in kinds) > calls.convolutions:
        yield "convolutions"
    if sum(types.count(kind) for kind in POOLS) > calls.pools:
        yield "pools"


def _traced(operation: Any, library: Any) -> int:
    return 1 + sum(_size(name, library) for name in _called(operation))


def _executed(operation: Any, library: Any) -> int:
    trips = _trips(operation) if operation.type in LOOPS else 1
    return 1 + trips * sum(_size(name, library) for name in _called(operation))


def _called(operation: Any) -> Iterator[str]:
    for name in BRANCHES:
        if name in operation.node_def.attr:
            yield operation.get_attr(name).name


def _size(name: str, library: Any) -> int:
    """Return the operations of a function that take time, those of inner loops once."""
    if name not in library:
        return 0
    nodes = [node for node in library[name].node_def if node.op not in FREE]
    inner = (node.attr[key].func.name for node in nodes for key in BRANCHES if key in node.attr)
    return len(nodes) + sum(_size(each, library) for each in inner)


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
    """Return the elements that an operation writes, and those that a sum or a mean reads."""
    read = _known_elements(operation.inputs[:1]) if operation.type in REDUCTIONS else 0
    return read + _results(operation)


def _results(operation: Any) -> int:
    return _known_elements(operation.outputs)


def _known_elements(tensors: Any) -> int:
    """Return the elements of tensors, as far as their shapes are known."""
    shapes = (tensor.shape for tensor in tensors)
    return sum(math.prod(shape) for shape in shapes if shape.is_fully_defined())
