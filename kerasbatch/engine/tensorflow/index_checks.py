"""Checks of indices inside a compiled step: XLA computes with an index that is out of range.

While a step is traced, TensorFlow's operation callbacks put a check beside every operation that
uses indices, in the graph in which it stands. A step that cannot be checked, or that holds
assertions, which XLA drops, is not compiled by XLA.
"""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from kerasbatch.engine.private_names import private
from kerasbatch.engine.tensorflow.index_ranges import (
    DROPPED,
    RANGES,
    UNCHECKED,
    Indices,
    may_be_wrong,
)
from kerasbatch.engine.xla import UncheckedError

NO_MISTAKE = (-1, 0, 0)
NOT_FINITE = -1
"""Stands for the end of a range if a number is not finite, which XLA casts to 0."""
CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_NUMBERS = itertools.count()


class IndexChecks:
    """The checks of a step, and the first index that was out of range.

    Attributes:
        names: the names of the checked operations, in their order.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self._mistake = tf.Variable(NO_MISTAKE, dtype=tf.int64, trainable=False)
        self._obstacle: str | None = None
        self._scope = f"kerasbatch_index_check_{next(_NUMBERS)}"
        self._graphs: list[tf.Graph] = []

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Add a check to every operation that is traced in the context.

        Raises:
            UncheckedError: if it holds an operation that cannot be checked.
        """
        add, remove = private("add_op_callback"), private("remove_op_callback")
        self._obstacle = None
        add(self._on_operation)
        try:
            yield
        finally:
            remove(self._on_operation)
            graphs, self._graphs = self._graphs, []
        if self._obstacle:
            raise UncheckedError(self._obstacle)
        if any(self._calls_unchecked(graph) for graph in graphs):
            raise UncheckedError("does not check a tf.function that was traced before")

    @contextlib.contextmanager
    def restoring(self, variables: Sequence[tf.Variable]) -> Iterator[None]:
        """Trace a program that restores the values of variables after an invalid index."""
        variables = [variable for variable in variables if variable is not self._mistake]
        before = [tf.convert_to_tensor(variable) for variable in variables]
        yield
        if self.names:  # a program without indices cannot fail; the copies are not needed
            is_wrong_step = self.has_mistake()
            for variable, value in zip(variables, before, strict=True):
                variable.assign(tf.where(is_wrong_step, value, variable))

    def has_mistake(self) -> tf.Tensor:
        """Return whether an index was out of range, as a tensor of the traced program."""
        return self._mistake[0] >= 0

    def take_mistake(self) -> str | None:
        """Return the description of the index that was out of range, or None, and clear it."""
        number, index, end = (int(value) for value in self._mistake.numpy())
        if number < 0:
            return None
        self._mistake.assign(NO_MISTAKE)
        if end == NOT_FINITE:
            return f"{self.names[number]} got a number that is not finite"
        return f"{self.names[number]} got the index {index:,}, which is not in 0 to {end - 1:,}"

    def _on_operation(
        self,
        kind: str,
        inputs: Any,
        attributes: Any,
        outputs: Any,
        op_name: str | None = None,
        graph: tf.Graph | None = None,
    ) -> None:
        """Process a new operation of a graph; the signature is TensorFlow's.

        TensorFlow calls it for no operation that it creates itself.
        """
        if graph is None:
            return
        if graph not in self._graphs:
            self._graphs.append(graph)
        if kind in DROPPED:
            self._obstacle = self._obstacle or f"drops {kind} ({op_name})"
        elif kind in UNCHECKED:
            self._obstacle = self._obstacle or f"does not check the indices of {kind}"
        elif kind in RANGES or kind == "Cast":
            with graph.as_default(), tf.name_scope(self._scope):
                named = dict(zip(attributes[::2], attributes[1::2], strict=True))
                self._check(kind, str(op_name or kind), inputs, named, outputs)

    def _check(self, kind: str, name: str, inputs: Any, attributes: Any, outputs: Any) -> None:
        if kind == "Cast":
            if inputs[0].dtype.is_floating and outputs[0].dtype.is_integer:
                is_wrong = tf.logical_not(tf.math.is_finite(inputs[0]))
                self._add(name, is_wrong, tf.zeros_like(is_wrong, tf.int64), NOT_FINITE)
            return
        try:
            indices: Indices | None = RANGES[kind](inputs, attributes)
        except UncheckedError as unchecked:
            self._obstacle = self._obstacle or unchecked.reason
            return
        if indices is not None:
            values, ends = tf.cast(indices.values, tf.int64), tf.cast(indices.ends, tf.int64)
            is_wrong = tf.logical_or(values < 0, values >= ends)
            self._add(name, is_wrong, values, ends)

    def _add(self, name: str, is_wrong: Any, values: Any, ends: Any) -> None:
        """Add a check to the graph; the first mistake of a step is kept."""
        number = len(self.names)
        self.names.append(name)
        smallest = tf.constant(tf.int64.min, tf.int64)
        index = tf.reduce_max(tf.where(is_wrong, values, smallest))
        ends = tf.broadcast_to(tf.cast(ends, tf.int64), tf.shape(is_wrong))
        end = tf.reduce_max(tf.where(is_wrong, ends, smallest))
        is_first = tf.logical_and(tf.reduce_any(is_wrong), self._mistake[0] < 0)
        now = tf.stack([tf.constant(number, tf.int64), index, end])
        self._mistake.assign(tf.where(is_first, now, self._mistake))

    def _calls_unchecked(self, graph: tf.Graph) -> bool:
        """Return whether a graph calls a function that was traced before, without its checks.

        TensorFlow tells nothing of the operations of such a function.
        """
        calls = [op for op in graph.get_operations() if op.type in CALLS]
        if not calls:
            return False
        library = {f.signature.name: f for f in graph.as_graph_def().library.function}
        return any(self._is_unchecked(library, call.get_attr("f").name) for call in calls)

    def _is_unchecked(self, library: Any, name: str) -> bool:
        needs_check, has_check = False, False
        for function in _with_called(library, name):
            nodes = {node.name: node for node in function.node_def}
            needs_check |= any(may_be_wrong(node, nodes) for node in function.node_def)
            has_check |= any(self._scope in node.name for node in function.node_def)
        return needs_check and not has_check


def _with_called(library: Any, name: str) -> Iterator[Any]:
    """Yield a function of a library, and all functions that it calls."""
    waiting, seen = [name], set[str]()
    while waiting:
        current = waiting.pop()
        if current in seen or current not in library:
            continue
        seen.add(current)
        yield library[current]
        for node in library[current].node_def:
            waiting += [value.func.name for value in node.attr.values() if value.func.name]
