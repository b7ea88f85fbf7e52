"""The operations of TensorFlow that use indices, and the range that each index must lie in.

XLA computes with an index out of range, where TensorFlow's kernels for CPUs raise an error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from kerasbatch.engine.xla import UncheckedError


@dataclass(frozen=True)
class Indices:
    """The indices of an operation.

    Args:
        values: integers of any shape.
        ends: the first number beyond the range of each; its shape broadcasts to that of `values`.
    """

    values: Any
    ends: Any


Attributes = Mapping[str, Any]
"""TensorFlow's attributes of an operation, as protocol buffers."""


def _shape(tensor: Any) -> Any:
    """Return the shape of a tensor or of a variable's handle."""
    if tensor.dtype == tf.resource:
        return tf.raw_ops.VariableShape(input=tensor)
    return tf.shape(tensor)


def _along_axis(inputs: Any, attributes: Attributes) -> Indices:
    axis = tf.get_static_value(inputs[2])
    if axis is None:
        raise UncheckedError("does not check a gather along an axis that is known late")
    return Indices(inputs[1], _shape(inputs[0])[int(axis)])


def _rows_of_variable(inputs: Any, attributes: Attributes) -> Indices:
    batch_dims = attributes.get("batch_dims")
    return Indices(inputs[1], _shape(inputs[0])[batch_dims.i if batch_dims else 0])


def _nested(inputs: Any, attributes: Attributes) -> Indices | None:
    """Return indices of shape (..., k), and the first k dimensions of what they point into."""
    return _nested_in(inputs[1], _shape(inputs[0]), attributes)


def _scattered(inputs: Any, attributes: Attributes) -> Indices | None:
    """Return indices of shape (..., k), and the first k dimensions of the result."""
    return _nested_in(inputs[0], inputs[2], attributes)


def _nested_in(indices: Any, shape: Any, attributes: Attributes) -> Indices | None:
    policy = attributes.get("bad_indices_policy")
    if policy is not None and policy.s == b"IGNORE":
        return None
    if indices.shape.rank is None or indices.shape[-1] is None:
        raise UncheckedError("does not check nested indices of unknown depth")
    return Indices(indices, shape[: indices.shape[-1]])


def _labels(inputs: Any, attributes: Attributes) -> Indices:
    return Indices(inputs[1], _shape(inputs[0])[-1])


def _segments(inputs: Any, attributes: Attributes) -> Indices:
    """Return segment ids, and their number; a negative id is legal, and its row is left out."""
    return Indices(tf.maximum(inputs[1], 0), tf.maximum(inputs[2], 1))


def _items(inputs: Any, attributes: Attributes) -> Indices | None:
    """Return the indices of `x[i, j]` that are known only at run time; negative ones are legal."""
    begin, mask = inputs[1], attributes["shrink_axis_mask"].i
    if not mask or tf.get_static_value(begin) is not None:
        return None
    if attributes["ellipsis_mask"].i or attributes["new_axis_mask"].i or begin.shape[0] is None:
        raise UncheckedError("does not check an index beside ... or a new axis")
    axes = [axis for axis in range(begin.shape[0]) if mask >> axis & 1]
    values = tf.gather(tf.cast(begin, tf.int64), axes)
    ends = tf.gather(tf.cast(_shape(inputs[0]), tf.int64), axes)
    return Indices(tf.where(values < 0, values + ends, values), ends)


def _slice(inputs: Any, attributes: Attributes) -> Indices | None:
    """Return the first and last positions of a slice that begins at a number known at run time."""
    if tf.get_static_value(inputs[1]) is not None:
        return None
    begin, size = (tf.cast(part, tf.int64) for part in inputs[1:3])
    last = begin + tf.maximum(size, 0)
    return Indices(tf.stack([begin, last]), tf.cast(_shape(inputs[0]), tf.int64) + 1)


Range = Callable[[Any, Attributes], Indices | None]
"""From the inputs and attributes of an operation to its indices; None if nothing can be wrong."""
RANGES: Mapping[str, Range] = {
    "GatherV2": _along_axis,
    "ResourceGather": _rows_of_variable,
    "GatherNd": _nested,
    "ResourceGatherNd": _nested,
    "StridedSlice": _items,
    "Slice": _slice,
    "SparseSoftmaxCrossEntropyWithLogits": _labels,
    "ScatterNd": _scattered,
    **{f"ResourceScatter{name}": _rows_of_variable for name in ("Add", "Sub", "Update")},
    **{f"ResourceScatterNd{name}": _nested for name in ("Add", "Sub", "Update")},
    **{f"UnsortedSegment{name}": _segments for name in ("Sum", "Prod", "Max", "Min")},
    **{f"TensorScatter{name}": _nested for name in ("Update", "Add", "Sub", "Max", "Min")},
}
"""The operations whose indices are checked."""
UNCHECKED = frozenset(
    {"ReverseSequence", "DynamicPartition", "DynamicStitch", "Bincount", "DenseBincount"}
    | {"ResourceStridedSliceAssign", "TensorStridedSliceUpdate"}
    | {f"ResourceScatter{name}" for name in ("Mul", "Div", "Max", "Min", "NdMax", "NdMin")}
    | {f"Segment{name}{v}" for name in ("Sum", "Prod", "Max", "Min") for v in ("", "V2")}
    | {f"SparseSegment{name}" for name in ("Sum", "Mean", "SqrtN")}
    | {"SegmentMean"}
)
"""Other operations with indices: a step that holds one is not compiled by XLA."""
DROPPED = frozenset({"Assert", "CheckNumerics", "CheckNumericsV2"})
"""Operations that XLA leaves out."""


def may_be_wrong(node: Any, nodes: Mapping[str, Any]) -> bool:
    """Return whether a node of a function needs a check that it does not have.

    Args:
        node: the definition of an operation.
        nodes: all nodes of its function, by name.
    """
    if node.op in ("StridedSlice", "Slice"):
        producer = nodes.get(node.input[1].split(":")[0])
        is_item = node.op == "Slice" or node.attr["shrink_axis_mask"].i
        return bool(is_item) and (producer is None or producer.op != "Const")
    return node.op in RANGES or node.op in UNCHECKED or node.op in DROPPED
