"""Checks of indices inside a compiled step: XLA computes with an index that is out of range.

TensorFlow's own kernels refuse such an index on a CPU; XLA reads another value, and the loss is
wrong or NaN. While a step is traced, every operation that uses indices gets a check beside it, in
the graph in which it stands. XLA also drops assertions; it does not compile a step that holds one.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from kerasbatch.engine.keras_private import private
from kerasbatch.engine.obstacle import ObstacleError

NO_MISTAKE = (-1, 0, 0)
DROPPED = frozenset({"Assert", "CheckNumerics", "CheckNumericsV2"})
"""Operations that XLA leaves out."""


def _gather(inputs: Any, attributes: Any) -> tuple[Any, Any]:
    axis = tf.get_static_value(inputs[2])
    return inputs[1], tf.shape(inputs[0])[0 if axis is None else int(axis)]


def _resource_gather(inputs: Any, attributes: Any) -> tuple[Any, Any]:
    batch_dims = int(attributes["batch_dims"])
    return inputs[1], tf.raw_ops.VariableShape(input=inputs[0])[batch_dims]


def _nested(inputs: Any, attributes: Any) -> tuple[Any, Any]:
    """Return indices of shape (..., k) and the limits of the first k dimensions."""
    return inputs[1], tf.shape(inputs[0])[: inputs[1].shape[-1]]


def _resource_nested(inputs: Any, attributes: Any) -> tuple[Any, Any]:
    shape = tf.raw_ops.VariableShape(input=inputs[0])
    return inputs[1], shape[: inputs[1].shape[-1]]


def _resource_rows(inputs: Any, attributes: Any) -> tuple[Any, Any]:
    return inputs[1], tf.raw_ops.VariableShape(input=inputs[0])[0]


def _scattered(inputs: Any, attributes: Any) -> tuple[Any, Any]:
    """Return indices of shape (..., k) and the first k dimensions of the result."""
    return inputs[0], inputs[2][: inputs[0].shape[-1]]


def _labels(inputs: Any, attributes: Any) -> tuple[Any, Any]:
    return inputs[1], tf.shape(inputs[0])[-1]


def _segments(inputs: Any, attributes: Any) -> tuple[Any, Any]:
    """Return segment ids and their number; a negative id is legal and left out."""
    return tf.maximum(inputs[1], 0), inputs[2]


def _items(inputs: Any, attributes: Any) -> tuple[Any, Any] | None:
    """Return the indices of `x[i, j]` that are known only at run time; negative ones are legal."""
    begin, mask = inputs[1], attributes["shrink_axis_mask"]
    has_other_axes = attributes["ellipsis_mask"] or attributes["new_axis_mask"]
    if not mask or tf.get_static_value(begin) is not None or has_other_axes:
        return None
    axes = [axis for axis in range(begin.shape[0]) if mask >> axis & 1]
    values, ends = tf.gather(begin, axes), tf.gather(tf.shape(inputs[0], begin.dtype), axes)
    return tf.where(values < 0, values + ends, values), ends


Range = Callable[[Any, Any], tuple[Any, Any] | None]
"""From the inputs and attributes of an operation to its indices, and their limits; None without."""
RANGES: Mapping[str, Range] = {
    "GatherV2": _gather,
    "ResourceGather": _resource_gather,
    "GatherNd": _nested,
    "StridedSlice": _items,
    "ResourceGatherNd": _resource_nested,
    "SparseSoftmaxCrossEntropyWithLogits": _labels,
    "ScatterNd": _scattered,
    **{f"ResourceScatter{name}": _resource_rows for name in ("Add", "Sub", "Update")},
    **{f"ResourceScatterNd{name}": _resource_nested for name in ("Add", "Sub", "Update")},
    **{f"UnsortedSegment{name}": _segments for name in ("Sum", "Prod", "Max", "Min")},
    **{f"TensorScatter{name}": _nested for name in ("Update", "Add", "Sub", "Max", "Min")},
}
"""The operations whose indices are checked."""
UNCHECKED = frozenset(
    {f"ResourceScatter{name}" for name in ("Mul", "Div", "Max", "Min", "NdMax", "NdMin")}
    | {
        f"{kind}Segment{name}{version}"
        for kind in ("", "Sparse")
        for name in ("Sum", "Mean", "Max", "Min", "Prod", "SqrtN")
        for version in ("", "V2")
    }
)
"""Other operations with indices: a step that holds one is not compiled by XLA."""


_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


class UncheckedError(ObstacleError):
    """A step that XLA would compute without noticing a mistake in the data."""


class IndexChecks:
    """The checks of a step, and the first index that was out of range.

    Attributes:
        names: the names of the checked operations, in their order.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self._mistake = tf.Variable(NO_MISTAKE, dtype=tf.int64, trainable=False)
        self._obstacle: str | None = None
        self._is_checking = False
        self._scope = f"kerasbatch_index_check_{id(self)}"
        self._graphs: dict[int, tf.Graph] = {}

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Add a check to every operation that is traced in the context.

        Raises:
            UncheckedError: if it holds an operation that cannot be checked.
        """
        callbacks = private("add_op_callback"), private("remove_op_callback")
        callbacks[0](self._on_operation)
        try:
            yield
        finally:
            callbacks[1](self._on_operation)
            graphs, self._graphs = self._graphs, {}
        if self._obstacle:
            raise UncheckedError(self._obstacle)
        if any(self._calls_unchecked(graph) for graph in graphs.values()):
            raise UncheckedError("which would not notice a wrong index in a function")

    @contextlib.contextmanager
    def restoring(self, variables: Sequence[tf.Variable]) -> Iterator[None]:
        """Trace a program that restores the values of variables after an invalid index."""
        before = [tf.convert_to_tensor(variable) for variable in variables]
        yield
        if self.names:
            is_wrong_step = self.has_mistake()
            for variable, value in zip(variables, before, strict=True):
                variable.assign(tf.where(is_wrong_step, value, variable))

    def has_mistake(self) -> tf.Tensor:
        """Return whether an index was out of range, as a tensor."""
        return self._mistake[0] >= 0

    def message(self) -> str | None:
        """Return a description of the index that was out of range, or None; forget it."""
        number, index, limit = (int(value) for value in self._mistake.numpy())
        if number < 0:
            return None
        self._mistake.assign(NO_MISTAKE)
        return f"{self.names[number]} got the index {index:,}, which is not in 0 to {limit - 1:,}"

    def _on_operation(
        self,
        kind: str,
        inputs: Any,
        attributes: Any,
        outputs: Any,
        op_name: str | None = None,
        graph: tf.Graph | None = None,
    ) -> None:
        """Process a new operation of a graph; the signature is TensorFlow's."""
        if graph is None or self._is_checking:
            return
        self._graphs[id(graph)] = graph
        if kind in DROPPED:
            self._obstacle = self._obstacle or f"which drops {kind} ({op_name})"
        elif kind in UNCHECKED:
            self._obstacle = self._obstacle or f"which would not notice a wrong index in {kind}"
        elif kind in RANGES:
            self._is_checking = True
            pairs = zip(attributes[::2], attributes[1::2], strict=True)
            numbers = {name: int(value.i) for name, value in pairs}  # 0 for other attributes
            try:
                with graph.as_default(), tf.name_scope(self._scope):
                    if (limited := RANGES[kind](inputs, numbers)) is not None:
                        self._check(str(op_name or kind), *limited)
            finally:
                self._is_checking = False

    def _calls_unchecked(self, graph: tf.Graph) -> bool:
        """Return whether a graph calls a function that was traced before, without its checks.

        TensorFlow tells nothing of the operations of such a function.
        """
        for operation in graph.get_operations():
            if operation.type in _CALLS:
                nodes = list(_all_nodes(graph, operation.get_attr("f").name))
                needs_checks = any(node.op in (*RANGES, *UNCHECKED, *DROPPED) for node in nodes)
                if needs_checks and not any(self._scope in node.name for node in nodes):
                    return True
        return False

    def _check(self, name: str, indices: Any, limits: Any) -> None:
        number = len(self.names)
        self.names.append(name)
        values, ends = tf.cast(indices, tf.int64), tf.cast(limits, tf.int64)
        is_wrong = tf.logical_or(values < 0, values >= ends)
        smallest = tf.constant(tf.int64.min, tf.int64)
        index = tf.reduce_max(tf.where(is_wrong, values, smallest))
        end = tf.reduce_max(tf.where(is_wrong, tf.broadcast_to(ends, tf.shape(values)), smallest))
        is_first = tf.logical_and(tf.reduce_any(is_wrong), self._mistake[0] < 0)
        now = tf.stack([tf.constant(number, tf.int64), index, end])
        self._mistake.assign(tf.where(is_first, now, self._mistake))


def _all_nodes(graph: tf.Graph, name: str) -> Iterator[Any]:
    """Yield the nodes of a function of a graph, and of all functions that it calls."""
    library = {
        function.signature.name: function for function in graph.as_graph_def().library.function
    }
    waiting, seen = [name], set[str]()
    while waiting:
        current = waiting.pop()
        if current in seen or current not in library:
            continue
        seen.add(current)
        for node in library[current].node_def:
            yield node
            waiting += [value.func.name for value in node.attr.values() if value.func.name]
