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
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from kerasbatch.engine import keras_private, tensorflow_private
from kerasbatch.engine.model_state import capture_step_loss
from kerasbatch.engine.options import Arrays, Needs
from kerasbatch.engine.trainable_state import TrainableState
from kerasbatch.engine.training import divergence
from kerasbatch.engine.training.evaluation_loop import Logs, as_tensors, evaluation_loop

_ANY_INDICES = tf.TensorSpec((None, None), tf.int32)


class BlockState(NamedTuple):
    """The state of the loop over the steps of a block; at its end, the result of the block.

    Args:
        steps: the steps taken, int32.
        continues: whether another step may follow.
        checksum: the sum of the tags of the examples in these steps, int64.
        divergence: the state of the divergence rule.
        loss: the loss of the last step, if it is needed.
        losses: the losses of all steps, if they are recorded, shape (K,).
        logs: the last return value of the training step.
    """

    steps: Any
    continues: Any
    checksum: Any
    divergence: divergence.DivergenceState
    loss: Any
    losses: Any
    logs: Logs


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
        self._train = tf.function(self._block, autograph=False, jit_compile=True)
        self._train_without_xla = tf.function(self._block, autograph=False, reduce_retracing=True)
        self._evaluate = tf.function(self._evaluation, autograph=False)
        for function in (self._train, self._train_without_xla, self._evaluate):
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

    def _block(self, arrays: Arrays, tags: Any, indices: Any, steps: Any, start: Any) -> BlockState:
        """Trace the loop over the steps of a block."""
        model, needs = self._live_model(), self._needs
        is_keras_step = keras_private.has_keras_step(model, "train_step")

        def body(state: BlockState) -> list[BlockState]:
            chosen = indices[state.steps]
            logs, loss = self._step(model, self._batch(arrays, chosen), state.loss)
            losses, rule, continues = state.losses, state.divergence, state.continues
            if needs.record_steps:
                losses = tf.tensor_scatter_nd_update(losses, [[state.steps]], [loss])
            if needs.stop_when_diverged:
                rule = divergence.next_state(rule, loss)
            if needs.stop_at_nan or needs.stop_when_diverged:
                continues = divergence.may_continue(rule, loss)
            state = BlockState(
                steps=state.steps + 1,
                continues=continues,
                checksum=state.checksum + tf.reduce_sum(tf.gather(tags, chosen)),
                divergence=rule,
                loss=loss,
                losses=losses,
                logs=state.logs if is_keras_step else logs,
            )
            return [state]

        first = BlockState(
            steps=tf.constant(0),
            continues=tf.constant(True),
            checksum=tf.constant(0, tf.int64),
            divergence=start,
            loss=tf.constant(0.0),
            losses=tf.zeros(_length(indices) if needs.record_steps else 0),
            logs={} if is_keras_step else self._empty_logs(model, arrays, indices),
        )
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

    def _empty_logs(self, model: keras.Model, arrays: Arrays, indices: Any) -> Logs:
        """Return zeros in the shapes that a custom train_step returns."""

        def step(arrays: Arrays, chosen: Any) -> Logs:
            return self._step(model, self._batch(arrays, chosen), tf.constant(0.0))[0]

        traced = tf.function(step, autograph=False).get_concrete_function(
            keras.tree.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), arrays),
            tf.TensorSpec(indices.shape[1:], indices.dtype),
        )
        empty: Logs = keras.tree.map_structure(
            lambda value: tf.zeros(value.shape, value.dtype), traced.structured_outputs
        )
        return empty

    def _evaluation(self, arrays: Arrays, size: int) -> Logs:
        return evaluation_loop(self._live_model(), self._pack, arrays, size)


def _length(array: Any) -> Any:
    return tf.shape(array)[0] if array.shape[0] is None else array.shape[0]


def _with_dynamic_size(array: Any) -> Any:
    return tf.compat.v1.placeholder_with_default(array, (None, *array.shape[1:]))
