"""The fused engine: a training whose steps run in blocks, many in one call of a program."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras

from kerasbatch.engine.backend import Program
from kerasbatch.engine.options import NO_OPTIONS, Arrays, FitOptions, Validation
from kerasbatch.engine.program.step_counts import StepCounts
from kerasbatch.engine.settings import DEFAULT_SETTINGS, EngineSettings
from kerasbatch.engine.sources.source import StepSource
from kerasbatch.engine.training.block_runner import BlockRunner
from kerasbatch.engine.training.epoch_calls import epoch_calls
from kerasbatch.engine.training.evaluation import ArrayEvaluation
from kerasbatch.engine.training.fit_loop import FitLoop
from kerasbatch.engine.training.validation import ArrayValidator, KerasValidator, Validator
from kerasbatch.steps import Plan


class FusedTraining:
    """One training in blocks.

    Args:
        model: a built, compiled model.
        source: the source of its steps.
        program: the compiled functions of the model.
        why: the reason for this engine, with or without XLA.
        options: the options of `fit`, as far as they are known before; callbacks that record a
            training may be added later.
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
        options: FitOptions = NO_OPTIONS,
        cuts: Iterator[int] | None = None,
        xla_after: int = 0,
        settings: EngineSettings = DEFAULT_SETTINGS,
    ) -> None:
        self.model, self.source, self.program = model, source, program
        self.stream, self.data, self._settings = source.stream, source.name, settings
        self.compile_seconds: float | None = 0.0
        self._runner = BlockRunner(
            model, source, program, why, cuts or iter(()), xla_after, settings
        )
        self._validation = options.validation
        self._held_out = self._evaluation_of(options.validation)
        self._calls = epoch_calls(self._runner, source, options, self._held_out, settings)
        self._runner.shares_xla = self._calls is not None

    @property
    def why(self) -> str:
        """The reason for this engine, with or without XLA."""
        return self._runner.why

    @property
    def jit_compile(self) -> bool:
        """True if steps run with XLA."""
        return self._runner.jit_compile

    @property
    def step_losses(self) -> list[float]:
        """The losses of the steps, if they are recorded."""
        return self._runner.step_losses

    @property
    def diverged_loss(self) -> float | None:
        """The loss of the step that ended the training, or None."""
        return self._runner.diverged_loss

    def compile(self, evaluated: Arrays | None = None) -> None:
        """Compile for the shapes of this training without taking a step; record the seconds."""
        start = time.perf_counter()
        for block in self.source.shapes():
            if self._calls is None or self._calls.needs_blocks or self._runner.uses_xla(block):
                self._runner.compile(block)
        if self._calls:
            self._calls.compile()
        if evaluated is not None:
            evaluation = ArrayEvaluation(self.model, self.program, evaluated, None, self._settings)
            evaluation.compile()
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
        if self.stream is None or not self.stream.identifies_examples:
            return None
        if steps != self._runner.steps_of_epoch:
            return None
        return self._runner.checksum == self.stream.checksum(epoch, steps)

    def counts(self) -> StepCounts:
        """Return Keras' counts after the epoch whose hooks are called, or the present ones."""
        return self._runner.counts or StepCounts.of(self.model)

    def state(self) -> dict[str, Any]:
        """Return the state between two steps, beside that of the model, as plain values."""
        left = self._calls is not None and self._calls.is_left_to_blocks
        return {**self._runner.state(), "is_left_to_blocks": left}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue after the step of a state, which is that of the model too."""
        self._runner.restore(state)
        if self._calls is not None:
            self._calls.is_left_to_blocks = state["is_left_to_blocks"]

    def fit(self, options: FitOptions) -> keras.callbacks.History:
        """Train to the end of the plan, or until a callback stops it.

        Args:
            options: the options of `fit`; batch hooks of callbacks run after the last step of every
                block.
        """
        with contextlib.ExitStack() as stack:
            stack.callback(self.source.close)
            if self._calls:
                stack.callback(self._calls.close)
            loop = FitLoop(
                self.source, self._runner, self._calls, options, self._validator(options)
            )
            return loop.run()

    def evaluator(self, arrays: Arrays) -> Callable[[], dict[str, float]]:
        """Return a function that evaluates the model and preserves its metrics."""
        return ArrayEvaluation(self.model, self.program, arrays, None, self._settings).measure

    def _validator(self, options: FitOptions) -> Validator | None:
        validation = options.validation
        if validation is None:
            return None
        same = validation is self._validation
        evaluation = self._held_out if same else self._evaluation_of(validation)
        if evaluation is None:
            return KerasValidator(self.model, validation)
        return ArrayValidator(self.model, evaluation)

    def _evaluation_of(self, validation: Validation | None) -> ArrayEvaluation | None:
        if validation is None or not validation.is_arrays:
            return None
        size = validation.batch_size
        return ArrayEvaluation(self.model, self.program, validation.data, size, self._settings)
