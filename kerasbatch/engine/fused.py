"""The fused engine: `model.fit` whose epochs run as blocks of many steps.

Keras' `fit` stays in charge of epochs, callbacks, history and validation. For the time of a call
its train function is replaced by one that runs a whole epoch, block after block; between blocks
the callbacks hear of the steps that were taken, with the indices that Keras would have given.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine.feed import Arrays, Feed
from kerasbatch.engine.program import Done, Logs, Program, fits_evenly
from kerasbatch.engine.variables import borrowed, one_item, unchanged
from kerasbatch.shared_types import Array
from kerasbatch.steps import Plan

MAX_BLOCK = 4096
"""Steps that a block holds at the most."""
MAX_BLOCK_EXAMPLES = 2**19
BLOCK_SECONDS = 0.2
"""Seconds that a block should take, so that progress and Ctrl-C stay quick."""
EVALUATION_BATCH = 1000
"""Examples of one step of an evaluation, about; fewer where they are large."""
EVALUATION_BYTES = 2**22


class FusedTraining:
    """One training in blocks.

    Args:
        model: a built, compiled model.
        feed: its examples and their order.
        program: the model's compiled steps.
        arrays: the feed's arrays on the device.
        why: why this engine, and why with or without XLA.
        cuts: steps of the run at which a block must end, ascending.
        record_steps: whether the program keeps the loss of every step.
    """

    name = "fused"

    def __init__(
        self,
        model: keras.Model,
        feed: Feed,
        program: Program,
        arrays: Arrays,
        *,
        why: str,
        cuts: Iterator[int] | None = None,
        record_steps: bool = False,
    ) -> None:
        self.model, self.feed, self.program = model, feed, program
        self.why = why
        self.jit_compile = program.jit_compile
        self.step_losses: list[float] = []
        self._record_steps = record_steps
        self._arrays = arrays
        self._tags = tf.constant(feed.tags)
        self._cuts = cuts or iter(())
        self._cut = next(self._cuts, None)
        self._ledger = self._done = 0
        self._seconds_per_step: float | None = None
        plan = feed.plan
        most = min(MAX_BLOCK, max(1, MAX_BLOCK_EXAMPLES // plan.batch_size))
        self._block = min(most, max(1, plan.examples_per_epoch // plan.batch_size))

    def prepare(self, evaluated: Arrays | None = None) -> float:
        """Compile for the shapes of this training without a step; return the seconds it took."""
        size, partial = self.feed.plan.batch_size, self.feed.plan.last_batch_size
        whole = np.zeros((self._block, size), np.int32)
        seconds = self.program.seconds_to_compile(self._arrays, self._tags, whole)
        if partial != size:
            rest = np.zeros((1, partial), np.int32)
            seconds += self.program.seconds_to_compile(self._arrays, self._tags, rest, partial=True)
        if evaluated is not None:
            start = time.perf_counter()
            self.evaluator(evaluated)()
            seconds += time.perf_counter() - start
        return seconds

    def for_plan(self, plan: Plan) -> "FusedTraining":
        """Return a training of the same model with the same program by another plan."""
        feed = replace(self.feed, plan=plan)
        return FusedTraining(self.model, feed, self.program, self._arrays, why=self.why)

    def saw_the_right_examples(self, epoch: int, steps: int) -> bool | None:
        """Tell whether the steps of the epoch just trained met the examples that they should.

        None where an interrupt fell between a block and the reading of its ledger.
        """
        return self._ledger == self.feed.tag_sum(epoch, steps) if steps == self._done else None

    def fit(
        self, callbacks: Sequence[keras.callbacks.Callback], **options: Any
    ) -> keras.callbacks.History:
        """Train to the end of the plan, or until a callback stops it.

        Args:
            callbacks: Keras callbacks; those for batches hear of the last step of every block.
            **options: `verbose`, `initial_epoch`, and `evaluation` with `validation_freq`, as
                Keras' own `fit` has them; the evaluation is a function returning its logs.
        """
        plan, model = self.feed.plan, self.model
        evaluation = options.pop("evaluation", None)
        verbose = options.pop("verbose", 0)
        self._callbacks = _StepCallbacks(
            list(callbacks),
            add_history=True,
            add_progbar=verbose != 0,
            verbose=verbose,
            epochs=plan.epochs,
            steps=plan.steps_per_epoch,
            model=model,
        )
        with contextlib.ExitStack() as stack:
            whole_epoch = lambda: self._epoch(self._callbacks.epoch)  # noqa: E731  # one line
            stack.enter_context(borrowed(model, "train_function", whole_epoch))
            if evaluation is not None:
                stack.enter_context(borrowed(model, "test_function", evaluation))
                options["validation_data"] = one_item()
            return model.fit(
                one_item(),
                epochs=plan.epochs,
                shuffle=False,
                callbacks=self._callbacks,
                **options,
            )

    def _epoch(self, epoch: int) -> dict[str, Any]:
        """Run one epoch, counted from 0, block by block; return the last logs."""
        plan, order = self.feed.plan, self.feed.order(epoch + 1).astype(np.int32)
        self._ledger = self._done = done = 0
        logs: dict[str, Any] = {}
        planned = 1 if self.model.stop_training else plan.epoch_plan(epoch + 1).steps
        while done < planned and not (done and self.model.stop_training):
            steps = self._next_block(epoch * plan.steps_per_epoch + done, planned - done, done)
            self._callbacks.steps_begin(done)
            taken, logs = self._run(order, done, steps)
            done += taken
            self._callbacks.steps_end(done - 1, logs)
            if taken < steps:
                break  # the loss is not finite, and the program stopped there
        return logs

    def _next_block(self, step: int, left: int, done: int) -> int:
        """Return how many steps to take at once, up to the next cut and the partial batch."""
        while self._cut is not None and self._cut <= step:
            self._cut = next(self._cuts, None)
        whole = self.feed.plan.examples_per_epoch // self.feed.plan.batch_size - done
        most = [left, self._block, whole if whole > 0 else 1]
        if self._cut is not None:
            most.append(self._cut - step)
        if self._seconds_per_step is None:
            most.append(max(1, self._block // 64))  # how long a step takes is not known yet
        else:
            most.append(max(1, int(BLOCK_SECONDS / self._seconds_per_step)))
        return min(most)

    def _run(self, order: Array, done: int, steps: int) -> tuple[int, dict[str, Any]]:
        size = self.feed.plan.batch_size
        chosen = order[done * size : (done + steps) * size]
        start = time.perf_counter()
        if len(chosen) < steps * size:
            result = self.program.train_partial(self._arrays, self._tags, chosen[None], 1)
        else:
            block = np.zeros((self._block, size), np.int32)
            block[:steps] = chosen.reshape(steps, size)
            result = self.program.train(self._arrays, self._tags, block, steps)
        taken = self._count(result)
        if len(chosen) == steps * size:
            seconds = (time.perf_counter() - start) / max(taken, 1)
            self._seconds_per_step = min(seconds, self._seconds_per_step or math.inf)
        return taken, dict(result.logs)

    def _count(self, result: Done) -> int:
        taken = int(result.steps)
        self._ledger = _wrapped(self._ledger + int(result.ledger))
        self._done += taken
        if self._record_steps and result.losses is not None:
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
        on_device, rows = to_device(arrays), size or _evaluation_rows(arrays)
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


def _evaluation_rows(arrays: Arrays) -> int:
    """Choose how many examples to measure at once."""
    leaves = keras.tree.flatten(arrays)
    total = len(leaves[0])
    bytes_of_one = max(1, sum(leaf.nbytes for leaf in leaves) // total)
    return fits_evenly(total, max(1, min(EVALUATION_BATCH, EVALUATION_BYTES // bytes_of_one)))


def to_device(arrays: Arrays) -> Arrays:
    """Move arrays to the device, in their own types."""
    moved: Arrays = keras.tree.map_structure(tf.convert_to_tensor, arrays)
    return moved


def _wrapped(value: int) -> int:
    """Return an integer as a sum of int64 would hold it."""
    return (value + 2**63) % 2**64 - 2**63
