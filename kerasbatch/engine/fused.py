"""The fused engine: `model.fit` whose epochs run as blocks of many steps.

Keras' `fit` stays in charge of epochs, callbacks, history and validation. For the time of a call
its train function is replaced by one that runs a whole epoch, block after block; between blocks
the callbacks hear of the steps that were taken, with the indices that Keras would have given.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine import divergence
from kerasbatch.engine.evaluation import rows_at_once
from kerasbatch.engine.feed import Feed
from kerasbatch.engine.options import Arrays, FitOptions
from kerasbatch.engine.program import Done, Logs, Program
from kerasbatch.engine.variables import borrowed, one_item, unchanged
from kerasbatch.shared_types import Array
from kerasbatch.steps import Plan

MAX_BLOCK = 4096
"""Steps that a block holds at the most."""
MAX_BLOCK_EXAMPLES = 2**19
ALIGNMENT = 64
"""Bytes to whose multiples TensorFlow aligns its tensors."""
BLOCK_SECONDS = 0.2
"""Seconds that a block should take, so that progress and Ctrl-C stay quick."""


class FusedTraining:
    """One training in blocks.

    Args:
        model: a built, compiled model.
        feed: its examples and their order.
        program: the model's compiled steps.
        arrays: the feed's arrays on the device.
        why: why this engine, and why with or without XLA.
        cuts: steps of the run at which a block must end, ascending.
    """

    name = "fused"
    obstacle = None

    def __init__(
        self,
        model: keras.Model,
        feed: Feed,
        program: Program,
        arrays: Arrays,
        *,
        why: str,
        cuts: Iterator[int] | None = None,
    ) -> None:
        self.model, self.feed, self.program = model, feed, program
        self.why = why
        self.jit_compile = program.jit_compile
        self.step_losses: list[float] = []
        self.diverged_loss: float | None = None
        self.compile_seconds: float | None = 0.0
        self._arrays = arrays
        self._tags = tf.constant(feed.tags)
        self._cuts = cuts or iter(())
        self._cut = next(self._cuts, None)
        self._watched: divergence.State = tuple(map(tf.constant, divergence.UNWATCHED))
        self._ledger = self._done = 0
        self._seconds_per_step: float | None = None
        most = min(MAX_BLOCK, max(1, MAX_BLOCK_EXAMPLES // feed.plan.batch_size))
        self._block = min(most, max(1, feed.plan.whole_batches))

    def compile(self, evaluated: Arrays | None = None) -> None:
        """Compile for the shapes of this training without a step, and note the seconds."""
        start = time.perf_counter()
        size, partial = self.feed.plan.batch_size, self.feed.plan.last_batch_size
        whole = np.zeros((self._block, size), np.int32)
        self.program.compile(self._arrays, self._tags, whole, partial=False)
        if partial != size:
            rest = np.zeros((1, partial), np.int32)
            self.program.compile(self._arrays, self._tags, rest, partial=True)
        if evaluated is not None:
            self.evaluator(evaluated)()
        self.compile_seconds = time.perf_counter() - start

    def for_plan(self, plan: Plan) -> "FusedTraining":
        """Return a training of the same model with the same program by another plan."""
        feed = replace(self.feed, plan=plan)
        return FusedTraining(self.model, feed, self.program, self._arrays, why=self.why)

    def saw_the_right_examples(self, epoch: int, steps: int) -> bool | None:
        """Tell whether the steps of the epoch just trained met the examples that they should.

        None where an interrupt fell between a block and the reading of its ledger.
        """
        return self._ledger == self.feed.tag_sum(epoch, steps) if steps == self._done else None

    def fit(self, options: FitOptions) -> keras.callbacks.History:
        """Train to the end of the plan, or until a callback stops it.

        Args:
            options: callbacks for batches hear of the last step of every block.
        """
        feed, model, validation = self.feed, self.model, options.validation
        self._callbacks = _StepCallbacks(
            list(options.callbacks),
            add_history=True,
            add_progbar=options.verbose != 0,
            verbose=options.verbose,
            epochs=feed.epochs,
            steps=feed.steps_per_epoch or feed.plan.steps_per_epoch,
            model=model,
        )
        given: dict[str, Any] = {}
        with contextlib.ExitStack() as stack:
            whole_epoch = lambda: self._epoch(self._callbacks.epoch + 1)  # noqa: E731  # one line
            stack.enter_context(borrowed(model, "train_function", whole_epoch))
            if validation is not None and validation.is_arrays:
                measure = self.measurer(validation.data, validation.batch_size)
                stack.enter_context(borrowed(model, "test_function", measure))
                given = {"validation_data": one_item(), "validation_freq": validation.freq}
            elif validation is not None:
                given = validation.as_keras()
            return model.fit(
                one_item(),
                epochs=feed.epochs,
                initial_epoch=options.initial_epoch,
                shuffle=False,
                callbacks=self._callbacks,
                **given,
            )

    def _epoch(self, epoch: int) -> Logs:
        """Run one epoch, counted from 1, block by block; return the last logs."""
        number, first = self.feed.start(epoch)
        order = self.feed.order(number).astype(np.int32)
        self._ledger = self._done = done = 0
        logs: Logs = {}
        planned = 1 if self.model.stop_training else self.feed.steps(epoch)
        while done < planned and not (done and self.model.stop_training):
            steps = self._next_block(number, first + done, planned - done)
            self._callbacks.steps_begin(done)
            result = self._run(order, first + done, steps)
            done, logs = self._done, dict(result.logs)
            if not result.goes_on:
                self.diverged_loss = float(result.last_loss)
                self.model.stop_training = True
            self._callbacks.steps_end(done - 1, logs)
            if not result.goes_on:
                break
        return logs

    def _next_block(self, number: int, batch: int, left: int) -> int:
        """Return how many steps to take at once, up to the next cut and the partial batch.

        Args:
            number: the pass over the data, from 1.
            batch: the batch of that pass to begin with, from 0.
            left: the steps that are left of the epoch.
        """
        plan = self.feed.plan
        step = plan.step_after(number - 1, batch) - 1
        while self._cut is not None and self._cut <= step:
            self._cut = next(self._cuts, None)
        whole = plan.whole_batches - batch
        most = [left, self._block, whole if whole > 0 else 1]
        if self._cut is not None:
            most.append(self._cut - step)
        if self._seconds_per_step is None:
            most.append(max(1, self._block // 64))  # how long a step takes is not known yet
        else:
            most.append(max(1, int(BLOCK_SECONDS / self._seconds_per_step)))
        return min(most)

    def _run(self, order: Array, batch: int, steps: int) -> Done:
        size = self.feed.plan.batch_size
        chosen = order[self.feed.plan.batches(batch, steps)]
        start = time.perf_counter()
        if len(chosen) < steps * size:
            result = self.program.train_partial(
                self._arrays, self._tags, chosen[None], self._watched
            )
        else:
            block = np.zeros((self._block, size), np.int32)
            block[:steps] = chosen.reshape(steps, size)
            result = self.program.train(self._arrays, self._tags, block, steps, self._watched)
        taken = self._count(result)
        if len(chosen) == steps * size:
            seconds = (time.perf_counter() - start) / max(taken, 1)
            self._seconds_per_step = min(seconds, self._seconds_per_step or math.inf)
        return result

    def _count(self, result: Done) -> int:
        taken = int(result.steps)
        self._ledger = _wrapped(self._ledger + int(result.ledger))
        self._done += taken
        self._watched = result.watched
        self.step_losses += result.losses.numpy()[:taken].tolist()
        return taken

    def evaluator(self, arrays: Arrays) -> Callable[[], dict[str, float]]:
        """Return a function that measures the model and leaves its metrics as they were."""
        measure = self.measurer(arrays)

        def evaluate() -> dict[str, float]:
            with unchanged(self.model.metrics_variables):
                self.model.reset_metrics()
                return {name: float(value) for name, value in measure().items()}

        return evaluate

    def measurer(self, arrays: Arrays, size: int | None = None) -> Callable[[], Logs]:
        """Return a function that runs Keras' test step over arrays and returns the last logs.

        Args:
            arrays: x, y and sample weights.
            size: examples of one step; None chooses.
        """
        on_device, rows = to_device(arrays), size or rows_at_once(arrays)
        return lambda: self.program.evaluate(on_device, rows)


class _StepCallbacks(keras.callbacks.CallbackList):
    """Callbacks that hear of steps. What `fit` itself says of its one item per epoch is not one."""

    epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        pass

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        pass

    def steps_begin(self, batch: int) -> None:
        super().on_train_batch_begin(batch)

    def steps_end(self, batch: int, logs: Any) -> None:
        super().on_train_batch_end(batch, logs)


def to_device(arrays: Arrays) -> Arrays:
    """Move arrays to the device, in their own types."""
    moved: Arrays = keras.tree.map_structure(_to_device, arrays)
    return moved


def _to_device(array: Any) -> tf.Tensor:
    """Return an array as a tensor, without a copy where it is mapped from a file.

    Processes that map the same file share its pages then. TensorFlow computes on aligned memory.
    """
    is_file = isinstance(array, np.memmap) and array.flags.c_contiguous and array.size
    if (
        is_file
        and array.ctypes.data % ALIGNMENT == 0
        and not tf.config.list_physical_devices("GPU")
    ):
        return tf.experimental.dlpack.from_dlpack(np.asarray(array).__dlpack__())
    return tf.convert_to_tensor(array)


def _wrapped(value: int) -> int:
    """Return an integer as a sum of int64 would hold it."""
    return (value + 2**63) % 2**64 - 2**63
