"""The fused engine: `model.fit` whose epochs run as blocks of many steps.

Keras' `fit` remains in charge of epochs, callbacks, history and validation. During the call, its
train function is replaced by one that runs a complete epoch, block after block. After each block,
the batch hooks of the callbacks are called with the index that Keras would have passed.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine.index_ranges import UncheckedError
from kerasbatch.engine.model_state import (
    one_item_dataset,
    override_function,
    preserve,
    short_error,
)
from kerasbatch.engine.options import Arrays, FitOptions
from kerasbatch.engine.settings import DEFAULT_SETTINGS, EngineSettings
from kerasbatch.engine.sources.source import Block, StepSource
from kerasbatch.engine.training import divergence
from kerasbatch.engine.training.block_limits import BlockLimits
from kerasbatch.engine.training.block_state import BlockState
from kerasbatch.engine.training.evaluation import measurer
from kerasbatch.engine.training.evaluation_loop import Logs
from kerasbatch.engine.training.program import Program
from kerasbatch.engine.training.step_callbacks import StepCallbacks
from kerasbatch.errors import EngineError
from kerasbatch.steps import Plan


class FusedTraining:
    """One training in blocks.

    Args:
        model: a built, compiled model.
        source: the source of its steps.
        program: the compiled steps of the model.
        why: the reason for this engine, with or without XLA.
        cuts: the steps of the run at which a block must end, ascending.
        xla_after: the number of steps without XLA before it compiles.
        settings: the thresholds of the engine.
    """

    name = "fused"
    obstacle = None

    def __init__(
        self,
        model: keras.Model,
        source: StepSource,
        program: Program,
        *,
        why: str,
        cuts: Iterator[int] | None = None,
        xla_after: int = 0,
        settings: EngineSettings = DEFAULT_SETTINGS,
    ) -> None:
        self.model, self.source, self.program = model, source, program
        self.stream, self.data = source.stream, source.name
        self.why, self._settings = why, settings
        self.jit_compile = program.jit_compile
        self.step_losses: list[float] = []
        self.diverged_loss: float | None = None
        self.compile_seconds: float | None = 0.0
        self._xla_after = xla_after  # 0 once XLA has compiled
        self._taken = 0
        self._limits = BlockLimits(source, cuts or iter(()), xla_after, settings)
        self._divergence = divergence.initial_state()
        self._checksum = self._done = 0

    def compile(self, evaluated: Arrays | None = None) -> None:
        """Compile for the shapes of this training without taking a step; record the seconds."""
        start = time.perf_counter()
        for block in self.source.shapes():
            without_xla = self._runs_without_xla(block)
            compile_ = self.program.compile_without_xla if without_xla else self.program.compile
            compile_(block.arrays, block.tags, block.indices)
        if evaluated is not None:
            self.evaluator(evaluated)()
        self.compile_seconds = time.perf_counter() - start

    def for_plan(self, plan: Plan) -> "FusedTraining":
        """Return a training of the same model and program with another plan."""
        return FusedTraining(
            self.model,
            self.source.for_plan(plan),
            self.program,
            why=self.why,
            settings=self._settings,
        )

    def examples_match(self, epoch: int, steps: int) -> bool | None:
        """Return whether the steps of the last epoch saw the planned examples.

        None if an interrupt came between a block and the reading of its checksum.
        """
        if self.stream is None or steps != self._done:
            return None
        return self._checksum == self.stream.checksum(epoch, steps)

    def fit(self, options: FitOptions) -> keras.callbacks.History:
        """Train to the end of the plan, or until a callback stops it.

        Args:
            options: the options of `fit`; batch hooks of callbacks run after the last step of every
                block.
        """
        source, model, validation = self.source, self.model, options.validation
        self._callbacks = StepCallbacks(
            list(options.callbacks),
            add_history=True,
            add_progbar=options.verbose != 0,
            verbose=options.verbose,
            epochs=source.epochs,
            steps=source.steps_per_epoch,
            model=model,
        )
        validation_arguments: dict[str, Any] = {}
        with contextlib.ExitStack() as stack:
            stack.callback(source.close)
            train_epoch = lambda: self._epoch(self._callbacks.epoch + 1)  # noqa: E731  # one line
            stack.enter_context(override_function(model, "train_function", train_epoch))
            if validation is not None and validation.is_arrays:
                measure = measurer(
                    self.program, validation.data, validation.batch_size, self._settings
                )
                stack.enter_context(override_function(model, "test_function", measure))
                validation_arguments = {
                    "validation_data": one_item_dataset(),
                    "validation_freq": validation.freq,
                }
            elif validation is not None:
                validation_arguments = validation.as_keras()
            return model.fit(
                one_item_dataset(),
                epochs=source.epochs,
                initial_epoch=options.initial_epoch,
                shuffle=False,
                callbacks=self._callbacks,
                **validation_arguments,
            )

    def _epoch(self, epoch: int) -> Logs:
        """Run one epoch, counted from 1, block by block; return the last logs."""
        self._checksum = self._done = 0
        logs: Logs = {}
        stopped, model = bool(self.model.stop_training), self.model
        with contextlib.closing(self.source.begin(epoch)) as steps:
            while not (self._done and model.stop_training):
                block = steps.next(
                    1 if stopped else self._limits.max_steps(steps.taken(), self._taken)
                )
                if block is None:
                    break
                self._callbacks.steps_begin(self._done)
                result = self._run(block)
                logs = dict(result.logs)
                if not result.continues:
                    self.diverged_loss = float(result.loss)
                    model.stop_training = True
                self._callbacks.steps_end(self._done - 1, logs)
                if stopped or not result.continues:
                    break
        return logs or dict(self.model.get_metrics_result())

    def _run(self, block: Block) -> BlockState:
        start = time.perf_counter()
        if 0 < self._xla_after <= self._taken and block.has_usual_size:
            self._compile_late(block)
        result = self._take(self._program_for(block), block, block.steps)
        if not result.continues and (mistake := self.program.checks.take_mistake()):
            result = self._take_again(block, int(result.steps) - 1, mistake)
        taken = self._count(result)
        if block.has_usual_size:
            self._limits.measured((time.perf_counter() - start) / max(taken, 1))
        return result

    def _program_for(self, block: Block) -> Callable[..., BlockState]:
        if block.is_uneven:
            return self.program.train_uneven
        return (
            self.program.train_without_xla if self._runs_without_xla(block) else self.program.train
        )

    def _take(self, train: Callable[..., BlockState], block: Block, steps: int) -> BlockState:
        return train(block.arrays, block.tags, block.indices, steps, self._divergence)

    def _take_again(self, block: Block, row: int, mistake: str) -> BlockState:
        """Take the steps before an invalid index again, then that one without XLA.

        Keras or TensorFlow then raises its own error. If it raises none on a CPU, whose kernels
        check indices, the step is valid (its result may be unused), and XLA is not used any more.

        Raises:
            EngineError: if nothing else says what is wrong.
        """
        if row:
            done = self._take(self.program.train, block, row)
            self._count(done)
            self._callbacks.steps_end(self._done - 1, dict(done.logs))
            self._callbacks.steps_begin(self._done)
        single = replace(block, indices=block.indices[row : row + 1], steps=1)
        result = self._take(self.program.train_without_xla, single, 1)
        if tf.config.list_logical_devices("GPU"):
            raise EngineError(f"{mistake}; this step was the last one")
        self.jit_compile = False
        self.why += f"; without XLA from step {self._taken + 1:,} on, because {mistake}"
        return result

    def _runs_without_xla(self, block: Block) -> bool:
        """Return whether a block uses the program without XLA, for batches of any size."""
        has_xla = self.jit_compile and not self._xla_after
        return not block.has_usual_size or not has_xla

    def _compile_late(self, block: Block) -> None:
        """Compile with XLA in the middle of a training; continue without XLA if that fails."""
        self._xla_after = 0
        try:
            self.program.compile(block.arrays, block.tags, block.indices)
        except UncheckedError as unchecked:
            self.jit_compile = False
            self.why += f"; but then without XLA, which {unchecked.reason}"
        except Exception as error:
            self.jit_compile = False
            self.why += f"; XLA could not compile it ({short_error(error)})"

    def _count(self, result: BlockState) -> int:
        taken = int(result.steps)
        self._checksum = _wrap_int64(self._checksum + int(result.checksum))
        self._done += taken
        self._taken += taken
        self._divergence = result.divergence
        self.step_losses += result.losses.numpy()[:taken].tolist()
        return taken

    def evaluator(self, arrays: Arrays) -> Callable[[], dict[str, float]]:
        """Return a function that evaluates the model and preserves its metrics."""
        measure = measurer(self.program, arrays, None, self._settings)

        def evaluate() -> dict[str, float]:
            with preserve(self.model.metrics_variables):
                self.model.reset_metrics()
                return {name: float(value) for name, value in measure().items()}

        return evaluate


def _wrap_int64(value: int) -> int:
    """Return an integer wrapped around to int64."""
    return (value + 2**63) % 2**64 - 2**63
