"""Trains whole epochs in calls of one compiled function, and returns the results of each."""

import time
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasbatch.engine import keras_fit, keras_private
from kerasbatch.engine.blocks import EpochRows, EpochsState
from kerasbatch.engine.options import Arrays, FitOptions
from kerasbatch.engine.program.step_counts import StepCounts
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.sources.epoch_orders import EpochOrders
from kerasbatch.engine.sources.resident import ResidentSource
from kerasbatch.engine.sources.source import StepSource
from kerasbatch.engine.training.block_runner import BlockRunner
from kerasbatch.engine.training.callback_hooks import hears_epoch_begin, must_hear_epochs
from kerasbatch.engine.training.evaluation import ArrayEvaluation

FEW_STEPS = 64
"""The steps up to which an epoch is one call, even before the time of a step is known."""
MIN_EPOCHS, MIN_LONG_EPOCHS = 100, 200
"""The epochs from which on the function for whole epochs pays: with few steps, and with more."""
MAX_EPOCHS = 1024
"""The largest number of epochs in a call."""


@dataclass(frozen=True)
class HeldOut:
    """The arrays that are evaluated after every epoch of a call.

    Args:
        arrays: x, y and sample weights on the device.
        size: the examples of one step.
    """

    arrays: Arrays
    size: int


@dataclass(frozen=True)
class EpochResult:
    """The results of one epoch.

    Args:
        epoch: the epoch, from 0 as in Keras.
        row: its counts and logs, as arrays.
        ending: the loss of its last step if that ended the training, or None.
    """

    epoch: int
    row: EpochRows
    ending: float | None

    @property
    def steps(self) -> int:
        """The number of its steps."""
        return int(self.row.steps)


class EpochCalls:
    """Calls the function for whole epochs, as many at a time as the plan and the clock allow.

    The clock decides only how many epochs one call trains: the arithmetic is the same.

    Args:
        runner: takes the steps of blocks, and counts all steps.
        source: data on the device.
        held_out: the arrays to evaluate after every epoch, or None.
        settings: the thresholds of the engine.

    Attributes:
        is_left_to_blocks: whether blocks train the rest, because of an invalid index.
    """

    def __init__(
        self,
        runner: BlockRunner,
        source: ResidentSource,
        held_out: HeldOut | None,
        settings: EngineSettings,
    ) -> None:
        self._runner, self._source, self._held_out = runner, source, held_out
        self._settings = settings
        self.is_left_to_blocks = False
        self._seconds: float | None = None
        self._orders: EpochOrders | None = None

    @property
    def validates(self) -> bool:
        """True if the calls validate after every epoch."""
        return self._held_out is not None

    @property
    def needs_blocks(self) -> bool:
        """True if the first epoch is trained in blocks, to know the time of a step."""
        return self._source.stream.plan.steps_per_epoch > FEW_STEPS

    def compile(self) -> None:
        """Compile the function without training an epoch."""
        self._call(np.zeros((1, self._source.stream.plan.examples_per_epoch), np.int32), 0, 0)

    def count(self, epoch: int) -> int:
        """Return the number of epochs for the next call; 0 if blocks must train the next one.

        Args:
            epoch: the next epoch, from 0.
        """
        runner, plan = self._runner, self._source.stream.plan
        taken = epoch * plan.steps_per_epoch
        if self.is_left_to_blocks:
            return 0
        limits = [MAX_EPOCHS, plan.total_steps // plan.steps_per_epoch - epoch]
        if (cut := runner.limits.next_cut(taken)) is not None:
            limits.append((cut - taken) // plan.steps_per_epoch)
        return max(0, min(*limits, self._epochs_in_time()))

    def run(self, epoch: int, count: int) -> list[EpochResult]:
        """Train epochs, and return the results of each, which `record` must count.

        Args:
            epoch: the first epoch, from 0.
            count: the largest number of epochs.
        """
        orders, first = self._orders_at(epoch + 1)
        start = time.perf_counter()
        ended, rows = self._call(orders, first, min(count, len(orders) - first))
        rows = keras.tree.map_structure(np.asarray, rows)
        epochs, ending = int(ended.epochs), None if ended.continues else float(ended.loss)
        self._measured((time.perf_counter() - start) / epochs)
        if ending is not None and self._runner.program.take_mistake():
            epochs, ending = epochs - 1, None  # blocks repeat the epoch with an invalid index
            self.is_left_to_blocks = True
        return [
            EpochResult(
                epoch + number,
                keras.tree.map_structure(lambda array, number=number: array[number], rows),
                ending if number == epochs - 1 else None,
            )
            for number in range(epochs)
        ]

    def record(self, result: EpochResult) -> None:
        """Count the steps of an epoch; then Keras' counts are those after it."""
        runner, row = self._runner, result.row
        runner.begin_epoch()
        runner.count(result.steps, int(row.checksum), row.losses)
        runner.divergence = (float(row.divergence[0]), float(row.divergence[1]))
        runner.counts = StepCounts(int(row.updates), int(row.examples) or None)
        if result.ending is not None:
            runner.end(result.ending)

    def close(self) -> None:
        """End the thread that draws orders."""
        if self._orders is not None:
            self._orders.close()

    def _call(self, orders: Any, first: int, count: int) -> tuple[EpochsState, EpochRows]:
        source, held_out = self._source, self._held_out
        return self._runner.program.train_epochs(
            source.arrays,
            source.tags,
            orders,
            first,
            count,
            self._runner.divergence,
            size=source.stream.plan.batch_size,
            held_out=held_out.arrays if held_out else (),
            held_out_size=held_out.size if held_out else None,
        )

    def _orders_at(self, epoch: int) -> tuple[Any, int]:
        if self._orders is None:
            self._orders = EpochOrders(self._source.stream, epoch, self._source.epochs)
        return self._orders.at(epoch)

    def _measured(self, seconds: float) -> None:
        self._seconds = min(seconds, self._seconds or seconds)

    def _epochs_in_time(self) -> int:
        """Return the epochs that fit into the time of a block."""
        seconds, steps = self._seconds, self._source.stream.plan.steps_per_epoch
        if seconds is None and (per_step := self._runner.limits.seconds_per_step) is not None:
            seconds = per_step * steps
        if seconds is None:
            return 0 if self.needs_blocks else 1
        return int(self._settings.block_seconds / seconds)


def epoch_calls(
    runner: BlockRunner,
    source: StepSource,
    options: FitOptions,
    held_out: ArrayEvaluation | None,
    settings: EngineSettings,
) -> EpochCalls | None:
    """Return the calls of a training, or None if blocks must train it, or are no slower.

    Args:
        runner: takes the steps of blocks.
        source: the source of the steps.
        options: the options of `fit`, as far as they are known.
        held_out: its validation on arrays, or None.
        settings: the thresholds of the engine.
    """
    model = runner.model
    if not runner.program.trains_epochs:
        return None
    is_keras = keras_private.has_keras_step(model, "train_step")
    if not is_keras or not keras_fit.has_keras_metrics(model):
        return None
    if any(map(hears_epoch_begin, options.callbacks)):
        return None
    if not isinstance(source, ResidentSource) or not source.has_short_epochs:
        return None
    epochs, steps = source.epochs - options.initial_epoch, source.stream.plan.steps_per_epoch
    if epochs < (MIN_EPOCHS if steps <= FEW_STEPS else MIN_LONG_EPOCHS):
        return None
    return EpochCalls(runner, source, _held_out(model, options, held_out), settings)


def _held_out(
    model: keras.Model, options: FitOptions, evaluation: ArrayEvaluation | None
) -> HeldOut | None:
    """Return the arrays that the function for whole epochs can evaluate on, or None."""
    if evaluation is None or options.validation is None or options.validation.freq != 1:
        return None
    if options.verbose or any(map(must_hear_epochs, options.callbacks)):
        return None
    if evaluation.resident is None or not keras_private.has_keras_step(model, "test_step"):
        return None
    return HeldOut(evaluation.resident, evaluation.size)
