"""Many training steps as one compiled program.

A program loops over the rows of a block of indices: gather the batch from data that lie on the
device, call Keras' own `train_step`, repeat. Nothing of Keras' arithmetic is written again. The
batch dimension is static, the number of steps a run-time value in a `while` loop: a dynamic batch
costs a third of the speed, and a `for` over a tensor range compiles anew for every count.

Programs know nothing of epochs, plans or callbacks; `fused` drives them.
"""

import contextlib
import time
import weakref
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.tensorflow.trainer import TensorFlowTrainer

from kerasbatch.engine.feed import Arrays, packed
from kerasbatch.engine.variables import read_before_loops, tapped

Logs = dict[str, tf.Tensor]


@dataclass(frozen=True)
class Done:
    """What a block of steps gave.

    Args:
        steps: the steps that were taken.
        ledger: the sum of the tags of the examples they met, int64.
        logs: what Keras' training step returned last.
        losses: the loss of every step, or None where they are not kept.
    """

    steps: tf.Tensor
    ledger: tf.Tensor
    logs: Logs
    losses: tf.Tensor | None


class Program:
    """The compiled steps of one compiled model, for any data and any batch size.

    Args:
        model: a built, compiled model; held weakly, so that a cache of programs keeps no model.
        jit_compile: whether to compile with XLA.
        scale: what x is multiplied by on its way to the model, or None.
        keep_losses: whether to keep the loss of every step.
        stop_at_nan: whether to stop after the first step whose loss is not finite.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        jit_compile: bool,
        scale: float | None = None,
        keep_losses: bool = False,
        stop_at_nan: bool = False,
    ) -> None:
        self.jit_compile = jit_compile
        self._model = weakref.ref(model)
        self._scale = scale
        self._keep_losses, self._stop_at_nan = keep_losses, stop_at_nan
        self._train = tf.function(self._block, autograph=False, jit_compile=jit_compile)
        # A partial batch comes once an epoch: compiling it with XLA would never pay.
        self._train_once = tf.function(self._block, autograph=False)
        self._evaluate = tf.function(self._evaluation, autograph=False)
        for function in (self._train, self._train_once, self._evaluate):
            # Every model has programs of its own, which TensorFlow would warn of as retracing.
            function._omit_frequent_tracing_warning = True

    def train(self, arrays: Arrays, tags: tf.Tensor, indices: Any, steps: int) -> Done:
        """Take steps over the rows of a block of indices.

        Args:
            arrays: the data on the device.
            tags: a tag for each example, int64.
            indices: the examples of each step, shape (K, batch size), int32.
            steps: how many of the K rows to use; 0 compiles and changes nothing.
        """
        done, ledger, losses, logs = self._train(arrays, tags, indices, tf.constant(steps))
        return Done(done, ledger, logs, losses if self._keep_losses else None)

    def train_partial(self, arrays: Arrays, tags: tf.Tensor, indices: Any, steps: int) -> Done:
        """Take the step of a partial batch; `indices` has shape (1, its size)."""
        done, ledger, losses, logs = self._train_once(arrays, tags, indices, tf.constant(steps))
        return Done(done, ledger, logs, losses if self._keep_losses else None)

    def evaluate(self, arrays: Arrays, size: int) -> Logs:
        """Measure the model on arrays, `size` rows at a time; the metrics keep the sums."""
        logs: Logs = self._evaluate(arrays, size)
        return logs

    def seconds_to_compile(
        self, arrays: Arrays, tags: tf.Tensor, indices: Any, *, partial: bool = False
    ) -> float:
        """Compile for a shape of indices without taking a step; return the seconds it took."""
        start = time.perf_counter()
        (self.train_partial if partial else self.train)(arrays, tags, indices, 0)
        return time.perf_counter() - start

    def _the_model(self) -> keras.Model:
        model = self._model()
        if model is None:
            raise ReferenceError("the model of this program is gone")
        return model

    def _block(self, arrays: Arrays, tags: Any, indices: Any, steps: Any) -> tuple[Any, ...]:
        """Trace the loop over the steps of a block."""
        model = self._the_model()
        by_keras = _by_keras(model, "train_step")

        def body(i: Any, go: Any, ledger: Any, losses: Any, logs: Logs) -> tuple[Any, ...]:
            chosen = indices[i]
            ledger += tf.reduce_sum(tf.gather(tags, chosen))
            seen: list[Any] = []
            tap = tapped(model, seen.append) if self._needs_loss else contextlib.nullcontext()
            with tap, read_before_loops(model) if by_keras else contextlib.nullcontext():
                new_logs = model.train_step(self._batch(arrays, chosen))
            if self._keep_losses:
                losses = tf.tensor_scatter_nd_update(losses, [[i]], [seen[-1]])
            if self._stop_at_nan:
                go = tf.math.is_finite(seen[-1])
            return i + 1, go, ledger, losses, logs if by_keras else _as_tensors(new_logs)

        kept = tf.zeros(indices.shape[0] if self._keep_losses else 0)
        begin = (
            tf.constant(0),
            tf.constant(True),
            tf.constant(0, tf.int64),
            kept,
            {} if by_keras else self._empty_logs(model, arrays, indices),
        )
        i, _, ledger, losses, logs = tf.while_loop(
            lambda i, go, *_: tf.logical_and(i < steps, go), body, begin, parallel_iterations=1
        )
        # Keras' own step returns the results of the metrics; once after the loop is enough.
        return i, ledger, losses, _as_tensors(model.get_metrics_result()) if by_keras else logs

    @property
    def _needs_loss(self) -> bool:
        return self._keep_losses or self._stop_at_nan

    def _batch(self, arrays: Arrays, chosen: Any) -> Any:
        return self._packed(
            keras.tree.map_structure(lambda array: tf.gather(array, chosen), arrays)
        )

    def _packed(self, arrays: Arrays) -> Any:
        """Return some examples as Keras hands them to a step."""
        batch: Arrays = (self._scaled(arrays[0]), *arrays[1:])
        if getattr(self._the_model()._compile_loss, "metrics", None):
            # Keras weighs the losses of single outputs by the batch's static size, which plain
            # `fit` does not have: there, every batch weighs the same.
            batch = keras.tree.map_structure(_of_any_size, batch)
        return packed(batch)

    def _scaled(self, x: Any) -> Any:
        if self._scale is None:
            return x
        return keras.tree.map_structure(lambda a: tf.cast(a, tf.float32) * self._scale, x)

    def _empty_logs(self, model: keras.Model, arrays: Arrays, indices: Any) -> Logs:
        """Return zeros of the shapes that a train_step of the user's own returns."""

        def step(arrays: Arrays, chosen: Any) -> Logs:
            return _as_tensors(model.train_step(self._batch(arrays, chosen)))

        traced = tf.function(step, autograph=False).get_concrete_function(
            keras.tree.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), arrays),
            tf.TensorSpec(indices.shape[1:], indices.dtype),
        )
        return {
            name: tf.zeros(value.shape, value.dtype)
            for name, value in traced.structured_outputs.items()
        }

    def _evaluation(self, arrays: Arrays, size: int) -> Logs:
        """Trace the loop over the batches of an evaluation, then what is left over."""
        model = self._the_model()
        rows = int(keras.tree.flatten(arrays)[0].shape[0])
        whole, rest = divmod(rows, size)

        by_keras = _by_keras(model, "test_step")

        def step(start: Any, length: int) -> Logs:
            cut = keras.tree.map_structure(lambda a: _rows(a, start, length), arrays)
            logs = model.test_step(self._packed(cut))
            return {} if by_keras else _as_tensors(logs)

        def body(i: Any, _: Logs) -> tuple[Any, Logs]:
            return i + 1, step(i * size, size)

        # A step of the user's own shows by its first run what it returns.
        logs = {} if by_keras else step(tf.constant(0), size if whole else rest)
        first = tf.constant(0 if by_keras else 1)
        if whole:
            _, logs = tf.while_loop(
                lambda i, _: i < whole, body, (first, logs), parallel_iterations=1
            )
        if rest and (by_keras or whole):
            logs = step(tf.constant(whole * size), rest)
        return _as_tensors(model.get_metrics_result()) if by_keras else logs


def _of_any_size(array: Any) -> Any:
    return tf.compat.v1.placeholder_with_default(array, (None, *array.shape[1:]))


def _rows(array: Any, start: Any, length: int) -> Any:
    begin = tf.concat([[start], tf.zeros(len(array.shape) - 1, tf.int32)], 0)
    return tf.slice(array, begin, [length, *array.shape[1:]])


def _as_tensors(logs: Any) -> Logs:
    return {name: tf.convert_to_tensor(value) for name, value in logs.items()}


def _by_keras(model: keras.Model, step: str) -> bool:
    """Tell whether a step and its logs are Keras' own: then the logs are those of the metrics."""
    return step not in vars(model) and all(
        getattr(type(model), name) is getattr(TensorFlowTrainer, name)
        for name in (step, "compute_metrics", "get_metrics_result")
    )


def fits_evenly(rows: int, near: int) -> int:
    """Return a batch size for evaluation: a divisor of `rows` near `near`, or `near` itself."""
    for size in sorted(range(max(1, near // 2), 2 * near + 1), key=lambda size: abs(size - near)):
        if rows % size == 0:
            return size
    return min(near, rows)
