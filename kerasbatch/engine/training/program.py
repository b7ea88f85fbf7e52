"""Many training steps as one compiled program.

A program loops over the rows of a block of indices: it gathers the batch from data on the device
and calls Keras' own `train_step`. None of Keras' arithmetic is reimplemented. The number of steps
is a run-time value in a `while` loop, because a `for` over a tensor range compiles again for every
count. Under XLA the batch dimension is static, because a dynamic one costs a third of the speed.
Without XLA it costs nothing, and one program handles batches of any size.

Programs are independent of epochs, plans and callbacks; `fused` runs them.
"""

import contextlib
import weakref
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine import keras_private, tensorflow_private
from kerasbatch.engine.index_checks import IndexChecks
from kerasbatch.engine.model_state import all_variables, capture_step_loss
from kerasbatch.engine.options import Arrays, Needs
from kerasbatch.engine.trainable_state import TrainableState
from kerasbatch.engine.training import divergence
from kerasbatch.engine.training.block_state import BlockState, first_state, state_after
from kerasbatch.engine.training.evaluation_loop import Logs, as_tensors, evaluation_loop

_ANY_INDICES = tf.TensorSpec((None, None), tf.int32)


class Program:
    """The compiled steps of one compiled model, for any data and any batch size.

    Args:
        model: a built, compiled model; held by a weak reference, so that a cache keeps no model.
        jit_compile: whether to use the program with XLA.
        scale: the factor for x, or None.
        needs: the required abilities.
        trainable: the flags of the weights that the steps train.
        as_tuples: as in `StepSource`.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        jit_compile: bool,
        scale: float | None,
        needs: Needs,
        trainable: TrainableState,
        as_tuples: bool = False,
    ) -> None:
        self.jit_compile = jit_compile
        self._model = weakref.ref(model)
        self._scale = scale
        self._needs, self._as_tuples, self._trainable = needs, as_tuples, trainable
        self.checks = IndexChecks()
        self._train = tf.function(self._block_with_xla, autograph=False, jit_compile=True)
        self._train_without_xla = tf.function(self._block, autograph=False, reduce_retracing=True)
        self._train_uneven = tf.function(self._uneven_block, autograph=False, reduce_retracing=True)
        self._evaluate = tf.function(self._evaluation, autograph=False)
        functions = (self._train, self._train_without_xla, self._train_uneven, self._evaluate)
        for function in functions:
            tensorflow_private.silence_retracing(function)

    def train(
        self, arrays: Arrays, tags: tf.Tensor, indices: Any, steps: int, start: Any
    ) -> BlockState:
        """Take steps over the rows of a block of indices, with XLA.

        Args:
            arrays: the data on the device.
            tags: a tag for each example, int64.
            indices: the examples of each step, shape (K, batch size), int32.
            steps: the number of the K rows to use; 0 compiles and changes nothing.
            start: the state of the divergence rule before these steps.
        """
        state: BlockState = self._train(arrays, tags, indices, tf.constant(steps), start)
        return state

    def train_without_xla(
        self, arrays: Arrays, tags: tf.Tensor, indices: Any, steps: int, start: Any
    ) -> BlockState:
        """Take steps without XLA, for example for the partial batch at the end of an epoch."""
        without_xla: BlockState = self._train_without_xla(
            arrays, tags, indices, tf.constant(steps), start
        )
        return without_xla

    def train_uneven(
        self, arrays: Arrays, tags: tf.Tensor, indices: Any, steps: int, start: Any
    ) -> BlockState:
        """Take one step on a batch whose arrays have different lengths, without XLA."""
        uneven: BlockState = self._train_uneven(arrays, tags, indices, tf.constant(steps), start)
        return uneven

    def compile(self, arrays: Arrays, tags: tf.Tensor, indices: Any) -> None:
        """Compile with XLA for a shape of indices without taking a step."""
        self._train(arrays, tags, indices, tf.constant(0), divergence.initial_state())

    def compile_without_xla(self, arrays: Arrays, tags: tf.Tensor, indices: Any) -> None:
        """Compile without XLA, once for any shape of indices."""
        no_steps, any_shape = (tf.constant(0), divergence.initial_state()), _ANY_INDICES
        self._train_without_xla.get_concrete_function(arrays, tags, any_shape, *no_steps)
        self._train_without_xla(arrays, tags, indices, *no_steps)

    def evaluate(self, arrays: Arrays, size: int) -> Logs:
        """Evaluate the model on arrays, `size` rows per step; the metrics accumulate."""
        logs: Logs = self._evaluate(arrays, size)
        return logs

    def _live_model(self) -> keras.Model:
        model = self._model()
        if model is None:
            raise ReferenceError("the model of this program is gone")
        return model

    def _block_with_xla(
        self, arrays: Arrays, tags: Any, indices: Any, steps: Any, start: Any
    ) -> BlockState:
        return self._block(arrays, tags, indices, steps, start, self.checks)

    def _uneven_block(
        self, arrays: Arrays, tags: Any, indices: Any, steps: Any, start: Any
    ) -> BlockState:
        return self._block(arrays, tags, indices, steps, start, is_uneven=True)

    def _block(
        self,
        arrays: Arrays,
        tags: Any,
        indices: Any,
        steps: Any,
        start: Any,
        checks: IndexChecks | None = None,
        is_uneven: bool = False,
    ) -> BlockState:
        """Trace the loop over the steps of a block.

        With checks, an invalid index ends the loop, and all variables are as before the block. An
        uneven batch is used as it is, whatever the indices.
        """
        model = self._live_model()
        is_keras_step = keras_private.has_keras_step(model, "train_step")
        custom = (
            None if is_keras_step else self._traced_step(arrays, None if is_uneven else indices)
        )
        losses = tf.zeros(_length(indices) if self._needs.record_steps else 0)
        first = first_state(start, losses, custom.structured_outputs if custom else {})

        def body(state: BlockState) -> list[BlockState]:
            chosen = indices[state.steps]
            batch = self._batch(arrays, None if is_uneven else chosen)
            with checks.recording() if checks else contextlib.nullcontext():
                logs, loss = self._step(model, batch, state.loss)
            new = state_after(state, loss, tf.reduce_sum(tf.gather(tags, chosen)), self._needs)
            if checks and checks.names:
                may_continue = tf.logical_and(new.continues, tf.logical_not(checks.has_mistake()))
                new = new._replace(continues=may_continue)
            return [new if is_keras_step else new._replace(logs=logs)]

        # A custom step may have more optimizers than the model's.
        own = custom.variables if custom else [variable.value for variable in all_variables(model)]
        with checks.restoring(own) if checks else contextlib.nullcontext():
            (last,) = tf.while_loop(
                lambda state: tf.logical_and(state.steps < steps, state.continues),
                body,
                [first],
                parallel_iterations=1,
            )
        result: BlockState = last
        if is_keras_step:  # it returns the results of the metrics, read once after the loop
            result = last._replace(logs=as_tensors(model.get_metrics_result()))
        return result

    def _step(self, model: keras.Model, batch: Any, loss: Any) -> tuple[Logs, Any]:
        """Trace Keras' training step; return its logs and, if needed, its loss."""
        needs, losses = self._needs, [loss]
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._trainable.restored(model))
            if needs.record_steps or needs.stop_at_nan or needs.stop_when_diverged:
                stack.enter_context(capture_step_loss(model, losses.append))
            if keras_private.has_keras_step(model, "train_step"):
                stack.enter_context(tensorflow_private.read_before_loops(model))
            logs = as_tensors(model.train_step(batch))
        return logs, losses[-1]

    def _batch(self, arrays: Arrays, chosen: Any) -> Any:
        """Return the examples with these indices; all for None, of sizes known at run time."""
        if chosen is None:
            return self._pack(keras.tree.map_structure(_with_dynamic_size, arrays))
        return self._pack(keras.tree.map_structure(lambda array: tf.gather(array, chosen), arrays))

    def _pack(self, arrays: Arrays) -> Any:
        """Return a batch in the form that Keras passes to a step."""
        batch: Arrays = (self._scale_inputs(arrays[0]), *arrays[1:])
        if keras_private.weighs_single_losses(self._live_model()):
            # Keras weighs the losses of single outputs by the static size of the batch. Plain `fit`
            # has no static size, so that all batches weigh the same there.
            batch = keras.tree.map_structure(_with_dynamic_size, batch)
        return batch if self._as_tuples else keras.utils.pack_x_y_sample_weight(*batch)

    def _scale_inputs(self, x: Any) -> Any:
        if self._scale is None:
            return x
        return keras.tree.map_structure(lambda a: tf.cast(a, tf.float32) * self._scale, x)

    def _traced_step(self, arrays: Arrays, indices: Any) -> Any:
        """Return a single step as a concrete function, for its variables and outputs."""

        def step(arrays: Arrays, chosen: Any) -> Logs:
            return self._step(self._live_model(), self._batch(arrays, chosen), tf.constant(0.0))[0]

        return tf.function(step, autograph=False).get_concrete_function(
            keras.tree.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), arrays),
            None if indices is None else tf.TensorSpec(indices.shape[1:], indices.dtype),
        )

    def _evaluation(self, arrays: Arrays, size: int) -> Logs:
        return evaluation_loop(self._live_model(), self._pack, arrays, size)


def _length(array: Any) -> Any:
    return tf.shape(array)[0] if array.shape[0] is None else array.shape[0]


def _with_dynamic_size(array: Any) -> Any:
    return tf.compat.v1.placeholder_with_default(array, (None, *array.shape[1:]))
