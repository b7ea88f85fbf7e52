"""The program of a model: its compiled blocks of steps, epochs and evaluations.

Programs are independent of epochs, plans and callbacks.
"""

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine import divergence
from kerasbatch.engine.blocks import (
    Block,
    BlockKind,
    BlockState,
    EpochRows,
    EpochsState,
    Logs,
    MetricsUse,
)
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.tensorflow.functions import ProgramFunctions
from kerasbatch.engine.weak_reference import live_model


class TensorFlowProgram:
    """Calls traced functions for a model; models of the same structure may share them.

    Args:
        model: a built, compiled model; held by a weak reference, so that a cache keeps no model.
        functions: the functions.
    """

    def __init__(self, model: keras.Model, functions: ProgramFunctions) -> None:
        self._model, self._functions = weakref.ref(model), functions

    @property
    def jit_compile(self) -> bool:
        """True if the program uses XLA."""
        return self._functions.jit_compile

    @property
    def native(self) -> list[str]:
        """The operations that are not lowered for XLA, with the reasons."""
        return self._functions.native

    @property
    def trains_epochs(self) -> bool:
        """True: one function trains whole epochs."""
        return True

    def take_mistake(self) -> str | None:
        """Return the first index that was out of range in words, and forget it; or None."""
        return self._functions.checks.take_mistake()

    def take(
        self,
        kind: BlockKind,
        block: Block,
        start: Any,
        *,
        steps: int | None = None,
        resets: bool = False,
    ) -> BlockState:
        """Take the steps of a block.

        Args:
            kind: the function that takes them.
            block: the block.
            start: the state of the divergence rule before these steps.
            steps: the number of its steps to take; by default all.
            resets: whether to reset the metrics before, if all of them are Keras' own.
        """
        count = block.steps if steps is None else steps
        with self._bound() as functions:
            state: BlockState = functions.block(kind)(*_arguments(block, count, start, resets))
        return state

    def train_epochs(
        self,
        arrays: Arrays,
        tags: tf.Tensor,
        orders: tf.Tensor,
        first: int,
        count: int,
        start: Any,
        *,
        size: int,
        held_out: Arrays = (),
        held_out_size: int | None = None,
    ) -> tuple[EpochsState, EpochRows]:
        """Train whole epochs, and evaluate after each if there are arrays for it.

        Args:
            arrays: the data on the device.
            tags: a tag for each example, int64.
            orders: the examples of epochs in their order, shape (rows, n), int32.
            first: the first row to use.
            count: the number of rows to use.
            start: the state of the divergence rule before.
            size: the batch size.
            held_out: the arrays of the evaluation, on the device; empty for none.
            held_out_size: the examples of one step of the evaluation.
        """
        with self._bound() as functions:
            train = functions.train_epochs(int(orders.shape[1]), size, held_out_size)
            result: tuple[EpochsState, EpochRows] = train(
                arrays,
                tags,
                tf.convert_to_tensor(orders),
                tf.constant(first),
                tf.constant(count),
                _tensors(start),
                held_out,
            )
        return result

    def evaluate(self, arrays: Arrays, size: int, metrics: MetricsUse = "add") -> Logs:
        """Evaluate the model on arrays.

        Args:
            arrays: x, y and sample weights on the device.
            size: the examples of one step.
            metrics: as in `evaluation_loop`.
        """
        with self._bound() as functions:
            logs: Logs = functions.evaluate(size, metrics)(arrays)
        return logs

    def is_evaluation_compiled(self, arrays: Arrays, size: int) -> bool:
        """Return whether an evaluation that keeps the metrics is compiled."""
        with self._bound() as functions:
            return functions.evaluate(size, "keep").is_compiled(arrays)

    def compile(self, kind: BlockKind, block: Block) -> None:
        """Compile for the shapes of a block, unless that is done; all variables stay as they are.

        A step that XLA compiles by itself is compiled when it is taken for the first time.
        """
        start = divergence.INITIAL
        with self._bound() as functions:
            function = functions.block(kind)
            arguments = _arguments(block, 0, start, False)
            if function.is_compiled(*arguments):
                return
            if not functions.compiles_in_first_step(kind):
                function(*arguments)
                return
            with function.preserved(*arguments):
                function(*_arguments(block, 1, start, False))

    @contextlib.contextmanager
    def _bound(self) -> Iterator[ProgramFunctions]:
        """Yield the functions, bound to the model, for the calls of this thread alone."""
        model = live_model(self._model)
        with self._functions.lock:
            self._functions.bind(self, model)
            yield self._functions


def _arguments(block: Block, steps: int, start: Any, resets: bool) -> tuple[Any, ...]:
    indices = tf.convert_to_tensor(block.indices)
    count, rule = tf.constant(steps), _tensors(start)
    return block.arrays, block.tags, indices, count, rule, tf.constant(resets)


def _tensors(start: Any) -> tuple[Any, ...]:
    return tuple(tf.convert_to_tensor(part, tf.float32) for part in start)
