"""The loop over the epochs of a fused training, which calls callbacks as Keras' `fit` does."""

import contextlib
from typing import Any

import keras

from kerasbatch.engine import keras_fit
from kerasbatch.engine.blocks import Logs
from kerasbatch.engine.deferred_interrupts import deferred_interrupts
from kerasbatch.engine.options import FitOptions
from kerasbatch.engine.sources.source import StepSource, skip_steps
from kerasbatch.engine.training.block_runner import BlockRunner
from kerasbatch.engine.training.callback_hooks import (
    has_batch_hooks,
    hears_epoch_begin,
    must_hear_epochs,
)
from kerasbatch.engine.training.epoch_calls import EpochCalls, EpochResult
from kerasbatch.engine.training.validation import Validator


class FitLoop:
    """The epochs of one `fit`.

    Args:
        source: the source of the steps.
        runner: takes the steps of blocks.
        calls: trains whole epochs in one call, or None.
        options: the options of `fit`; batch hooks of callbacks run after the last step of every
            block.
        validator: validates after an epoch, or None.
    """

    def __init__(
        self,
        source: StepSource,
        runner: BlockRunner,
        calls: EpochCalls | None,
        options: FitOptions,
        validator: Validator | None,
    ) -> None:
        self._source, self._runner, self._calls = source, runner, calls
        self._model, self._validator = runner.model, validator
        self._initial_epoch, self._initial_steps = options.initial_epoch, options.initial_steps
        self._freq = options.validation.freq if options.validation else 1
        self._callbacks = keras.callbacks.CallbackList(
            list(options.callbacks),
            add_history=True,
            add_progbar=options.verbose != 0,
            verbose=options.verbose,
            epochs=source.epochs,
            steps=source.steps_per_epoch,
            model=self._model,
        )
        hooks = self._callbacks.callbacks
        listens, hears_begin = any(map(must_hear_epochs, hooks)), any(map(hears_epoch_begin, hooks))
        validates = calls is not None and calls.validates
        if hears_begin or (validates and listens):
            self._calls = None
        self._many_at_once = not listens and (validator is None or validates)
        self._resets_early = hears_begin or not keras_fit.has_keras_metrics(self._model)
        runner.resets_metrics = not self._resets_early
        self._has_batch_hooks = has_batch_hooks(hooks)

    def run(self) -> keras.callbacks.History:
        """Train to the end of the plan, or until a callback stops it."""
        model, logs = self._model, None
        model.stop_training = False
        self._callbacks.on_train_begin()
        # BackupAndRestore sets the first epoch when the training begins.
        epoch = keras_fit.initial_epoch(model) or self._initial_epoch
        while epoch < self._source.epochs:
            epoch, logs = self._advance(epoch)
            if model.stop_training:
                break
        if model.optimizer is not None and self._source.epochs > 0:
            model.optimizer.finalize_variable_values(model.trainable_weights)
        self._callbacks.on_train_end(logs)
        return model.history

    def _advance(self, epoch: int) -> tuple[int, Logs | None]:
        """Train one or more epochs; return the next one, and the logs of the last one."""
        count = self._epochs_of_call(epoch)
        if self._calls is None or not count:
            self._begin_epoch(epoch)
            return epoch + 1, self._epoch_by_blocks(epoch)
        if self._many_at_once:
            return self._epochs_in_one_call(self._calls, epoch, count)
        self._begin_epoch(epoch)
        return epoch + 1, self._epoch_in_one_call(self._calls, epoch)

    def _epochs_of_call(self, epoch: int) -> int:
        """Return the number of epochs for one call; 0 if blocks must train the next one."""
        if self._calls is None or self._model.stop_training or self._steps_before(epoch):
            return 0
        return self._calls.count(epoch)

    def _steps_before(self, epoch: int) -> int:
        """Return the steps of an epoch that were taken before this training."""
        return self._initial_steps if epoch == self._initial_epoch else 0

    def _begin_epoch(self, epoch: int) -> None:
        if self._resets_early:
            self._model.reset_metrics()
        self._callbacks.on_epoch_begin(epoch)

    def _epochs_in_one_call(
        self, calls: EpochCalls, epoch: int, count: int
    ) -> tuple[int, Logs | None]:
        """Train epochs of which no callback needs to hear before the next one is trained."""
        logs: Logs | None = None
        with deferred_interrupts() as deferred:
            deferred(self._callbacks.on_epoch_begin, epoch)
            for result in calls.run(epoch, count):
                if logs is not None:
                    deferred(self._callbacks.on_epoch_begin, epoch)
                calls.record(result)
                deferred(self._call_batch_hooks, result)
                logs = {**result.row.logs, **_with_prefix(result.row.held_out)}
                deferred(self._callbacks.on_epoch_end, epoch, logs)
                epoch += 1
            self._runner.counts = None
        if logs is None:  # blocks raise the error of an invalid index
            return epoch + 1, self._epoch_by_blocks(epoch)
        return epoch, logs

    def _epoch_in_one_call(self, calls: EpochCalls, epoch: int) -> Logs:
        with deferred_interrupts() as deferred:
            results = calls.run(epoch, 1)
            for result in results:
                calls.record(result)
                self._runner.counts = None
                deferred(self._call_batch_hooks, result)
        if not results:
            return self._epoch_by_blocks(epoch)
        return self._end_epoch(epoch, results[0].row.logs)

    def _call_batch_hooks(self, result: EpochResult) -> None:
        if self._has_batch_hooks:
            self._callbacks.on_train_batch_begin(0)
            self._callbacks.on_train_batch_end(result.steps - 1, result.row.logs)

    def _epoch_by_blocks(self, epoch: int) -> Logs:
        max_steps = 1 if self._model.stop_training else None  # as in Keras
        logs = self._take_blocks(epoch + 1, max_steps)
        if not logs:
            self._model.reset_metrics()
        return self._end_epoch(epoch, keras_fit.epoch_logs(self._model, "train_step", logs))

    def _take_blocks(self, epoch: int, max_steps: int | None) -> Logs:
        """Run one epoch, counted from 1, block by block; return the last logs."""
        runner, model = self._runner, self._model
        logs: Logs = {}
        before = self._steps_before(epoch - 1)
        if not before:
            runner.begin_epoch()
        with contextlib.closing(self._source.begin(epoch)) as steps:
            skip_steps(steps, before)
            while not (runner.steps_of_epoch and model.stop_training):
                limit = max_steps or runner.limits.max_steps(steps.taken(), runner.taken)
                block = steps.next(limit)
                if block is None:
                    break
                self._begin_steps()
                logs = dict(runner.run(block, self._between_steps).logs)
                self._end_steps(logs)
                if max_steps or runner.diverged_loss is not None:
                    break
        return logs

    def _between_steps(self, logs: Any) -> None:
        self._end_steps(dict(logs))
        self._begin_steps()

    def _begin_steps(self) -> None:
        if self._has_batch_hooks:
            self._callbacks.on_train_batch_begin(self._runner.steps_of_epoch)

    def _end_steps(self, logs: Logs) -> None:
        if self._has_batch_hooks:
            self._callbacks.on_train_batch_end(self._runner.steps_of_epoch - 1, logs)

    def _end_epoch(self, epoch: int, logs: Logs) -> Logs:
        """Validate, and call the hooks at the end of an epoch."""
        logs = dict(logs)
        if self._validator and keras_fit.is_due(self._model, epoch, self._freq):
            logs |= _with_prefix(self._validator(self._callbacks))
        self._callbacks.on_epoch_end(epoch, logs)
        return logs


def _with_prefix(held_out: Logs) -> Logs:
    return {f"val_{name}": value for name, value in held_out.items()}
