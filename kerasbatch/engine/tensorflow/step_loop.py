"""The traced loop over the steps of a block.

It gathers each batch from data on the device and calls Keras' own `train_step`. None of Keras'
arithmetic is reimplemented. The number of steps is a run-time value in a `while` loop, because a
`for` over a tensor range compiles again for every count.
"""

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine import keras_fit, keras_private
from kerasbatch.engine.blocks import BlockState, Logs
from kerasbatch.engine.model_state import all_variables, capture_step_loss, preserve
from kerasbatch.engine.options import Arrays, Needs
from kerasbatch.engine.tensorflow import private as tensorflow_private
from kerasbatch.engine.tensorflow.block_state import first_state, state_after
from kerasbatch.engine.tensorflow.evaluation_loop import as_tensors
from kerasbatch.engine.tensorflow.index_checks import IndexChecks
from kerasbatch.engine.trainable_state import TrainableState
from kerasbatch.engine.weak_reference import live_model


@dataclass
class StepLoop:
    """Traces steps of a compiled model, for any data and any batch size.

    Args:
        model: a weak reference to the model.
        scale: the factor of bytes in x, or None.
        needs: the required abilities.
        trainable: the flags of the weights that the steps train.
        as_tuples: as in `StepSource`.
    """

    model: Callable[[], keras.Model | None]
    scale: float | None
    needs: Needs
    trainable: TrainableState
    as_tuples: bool = False

    def live_model(self) -> keras.Model:
        """Return the model.

        Raises:
            ReferenceError: if it is gone.
        """
        return live_model(self.model)

    def trace(
        self,
        arrays: Arrays,
        tags: Any,
        indices: Any,
        steps: Any,
        start: Any,
        resets: Any,
        checks: IndexChecks | None = None,
        is_uneven: bool = False,
        compiles_steps: bool = False,
    ) -> BlockState:
        """Trace the loop over the steps of a block.

        With checks, an invalid index ends the loop, and all variables are as before its first step.
        An uneven batch is used as it is, whatever the indices. XLA can compile every step instead
        of the whole loop. The metrics are reset before the first step where `resets` is true and
        all of them are Keras' own.
        """
        model = self.live_model()
        if keras_fit.has_keras_metrics(model):
            _reset_metrics(model, resets)
        is_keras_step = keras_private.has_keras_step(model, "train_step")
        custom = (
            None
            if is_keras_step
            else self._traced_step(arrays, None if is_uneven else indices, checks, compiles_steps)
        )
        step = functools.partial(self._step, checks=checks)
        if compiles_steps:
            step = tf.function(step, autograph=False, jit_compile=True)
        losses = tf.zeros(_length(indices) if self.needs.record_steps else 0)
        first = first_state(start, losses, custom.structured_outputs[0] if custom else {})

        def body(state: BlockState) -> list[BlockState]:
            chosen = indices[state.steps]
            if custom:
                logs, loss = custom(arrays, chosen)
            else:
                logs, loss = step(self._gathered(arrays, None if is_uneven else chosen))
            new = state_after(state, loss, tf.reduce_sum(tf.gather(tags, chosen)), self.needs)
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

    def pack(self, arrays: Arrays) -> Any:
        """Return a batch in the form that Keras passes to a step."""
        batch: Arrays = (self._scale_inputs(arrays[0]), *arrays[1:])
        if keras_private.weighs_single_losses(self.live_model()):
            # Keras weighs the losses of single outputs by the static size of the batch. Plain `fit`
            # has no static size, so that all batches weigh the same there.
            batch = keras.tree.map_structure(_with_dynamic_size, batch)
        return batch if self.as_tuples else keras.utils.pack_x_y_sample_weight(*batch)

    def _step(self, gathered: Arrays, checks: IndexChecks | None) -> tuple[Logs, Any]:
        """Trace Keras' training step; return its logs and, if needed, its loss."""
        model, needs, losses = self.live_model(), self.needs, [tf.constant(0.0)]
        batch = self.pack(gathered)
        with contextlib.ExitStack() as stack:
            if checks:
                stack.enter_context(checks.recording())
            stack.enter_context(self.trainable.restored(model))
            if needs.record_steps or needs.stop_at_nan or needs.stop_when_diverged:
                stack.enter_context(capture_step_loss(model, losses.append))
            if keras_private.has_keras_step(model, "train_step"):
                stack.enter_context(tensorflow_private.read_before_loops(model))
            logs = as_tensors(model.train_step(batch))
        return logs, losses[-1]

    def _gathered(self, arrays: Arrays, chosen: Any) -> Any:
        """Return the examples with these indices; all for None, of sizes known at run time."""
        if chosen is None:
            return keras.tree.map_structure(_with_dynamic_size, arrays)
        return keras.tree.map_structure(lambda array: tf.gather(array, chosen), arrays)

    def _scale_inputs(self, x: Any) -> Any:
        if self.scale is None:
            return x
        return keras.tree.map_structure(lambda array: scaled_bytes(array, self.scale), x)

    def _traced_step(
        self, arrays: Arrays, indices: Any, checks: IndexChecks | None, is_compiled: bool
    ) -> Any:
        """Return a custom step as a concrete function, with its variables and outputs."""

        def step(arrays: Arrays, chosen: Any) -> tuple[Logs, Any]:
            return self._step(self._gathered(arrays, None if indices is None else chosen), checks)

        function = tf.function(step, autograph=False, jit_compile=is_compiled or None)
        return function.get_concrete_function(
            keras.tree.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), arrays),
            tf.TensorSpec(None if indices is None else indices.shape[1:], tf.int32),
        )


def _reset_metrics(model: keras.Model, resets: Any) -> None:
    """Trace a reset of the metrics where a tensor is true; a branch would be slower."""
    variables = model.metrics_variables
    with tf.init_scope(), preserve(variables):
        model.reset_metrics()
        values = [np.asarray(variable) for variable in variables]
    for variable, value in zip(variables, values, strict=True):
        variable.assign(tf.where(resets, value, variable))


def _length(array: Any) -> Any:
    return tf.shape(array)[0] if array.shape[0] is None else array.shape[0]


def _with_dynamic_size(array: Any) -> Any:
    return tf.compat.v1.placeholder_with_default(array, (None, *array.shape[1:]))


def scaled_bytes(array: tf.Tensor, scale: float) -> tf.Tensor:
    """Return a tensor of bytes times a factor as float32; any other tensor unchanged."""
    return tf.cast(array, tf.float32) * scale if array.dtype == tf.uint8 else array
