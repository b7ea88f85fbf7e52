"""Takes the steps of a training in blocks, and counts them."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from kerasbatch.engine import divergence
from kerasbatch.engine.backend import Program, backend
from kerasbatch.engine.blocks import Block, BlockKind, BlockState
from kerasbatch.engine.model_state import short_error
from kerasbatch.engine.program.step_counts import StepCounts
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.sources.source import StepSource
from kerasbatch.engine.training.block_limits import BlockLimits
from kerasbatch.engine.xla import NotLoweredError, UncheckedError
from kerasbatch.errors import EngineError


class BlockRunner:
    """Takes steps by the functions of a program.

    Args:
        model: a built, compiled model.
        source: the source of the steps.
        program: the compiled functions of the model.
        why: the reason for this engine, with or without XLA.
        cuts: the steps of the run at which a block must end, ascending.
        xla_after: the number of steps without XLA before it compiles.
        settings: the thresholds of the engine.

    Attributes:
        step_losses: the losses of the steps, if they are recorded.
        diverged_loss: the loss of the step that ended the training, or None.
        checksum: the sum of the tags of the examples of this epoch.
        steps_of_epoch: the steps of this epoch so far.
        resets_metrics: whether the first step of an epoch resets the metrics.
        shares_xla: whether `program.train_epochs` is used too.
        counts: Keras' counts after this epoch, if the model has trained later ones since.
    """

    def __init__(
        self,
        model: keras.Model,
        source: StepSource,
        program: Program,
        why: str,
        cuts: Iterator[int],
        xla_after: int,
        settings: EngineSettings,
    ) -> None:
        self.model, self.program, self.why = model, program, why
        self.jit_compile = program.jit_compile
        self.step_losses: list[float] = []
        self.diverged_loss: float | None = None
        self.limits = BlockLimits(source, cuts, xla_after, settings)
        self.divergence = divergence.INITIAL
        self.checksum = self.steps_of_epoch = self.taken = 0
        self.counts: StepCounts | None = None
        self.resets_metrics, self.shares_xla = True, False
        self._xla_after = xla_after  # 0 once XLA has compiled

    def add_reason(self, reason: str) -> None:
        """Add to the reason for this engine what it does not say yet."""
        if reason not in self.why:
            self.why += f"; {reason}"

    def begin_epoch(self) -> None:
        """Begin to count the steps of an epoch, of which the first resets the metrics."""
        self.checksum = self.steps_of_epoch = 0

    def state(self) -> dict[str, Any]:
        """Return the state between two steps, beside that of the model, as plain values."""
        return {
            "step_losses": np.array(self.step_losses, np.float64),
            "divergence": tuple(float(part) for part in self.divergence),
            "checksum": self.checksum,
            "steps_of_epoch": self.steps_of_epoch,
            "taken": self.taken,
            "jit_compile": self.jit_compile,
            "why": self.why,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue after the step of a state."""
        self.step_losses[:] = state["step_losses"].tolist()
        self.divergence = state["divergence"]
        self.checksum, self.steps_of_epoch = state["checksum"], state["steps_of_epoch"]
        self.taken, self.why = state["taken"], state["why"]
        self.jit_compile = self.jit_compile and state["jit_compile"]

    def uses_xla(self, block: Block) -> bool:
        """Return whether a block is taken with XLA."""
        return self._kind(block) in ("xla", "xla_in_trace")

    def compile(self, block: Block) -> None:
        """Compile for the shapes of a block, unless that is done."""
        self.program.compile(self._kind(block), block)
        if native := self.program.native:
            self.add_reason(f"TensorFlow's own {', '.join(dict.fromkeys(native))}")

    def run(self, block: Block, on_steps: Callable[[Any], None]) -> BlockState:
        """Take the steps of a block.

        Args:
            block: the block.
            on_steps: called with the logs after some of its steps, if it must be taken in parts.
        """
        start = time.perf_counter()
        if 0 < self._xla_after <= self.taken and block.has_usual_size:
            self._compile_late(block)
        result = self._take(self._kind(block), block)
        if not result.continues and (mistake := self.program.take_mistake()):
            result = self._take_again(block, int(result.steps) - 1, mistake, on_steps)
        taken = self._count(result)
        if not result.continues:
            self.end(float(result.loss))
        if block.has_usual_size:
            self.limits.measured((time.perf_counter() - start) / max(taken, 1))
        return result

    def end(self, loss: float) -> None:
        """End the training by a step with this loss."""
        self.diverged_loss = loss
        self.model.stop_training = True

    def count(self, steps: int, checksum: int, losses: Any) -> None:
        """Count steps of this epoch.

        Args:
            steps: the number of steps.
            checksum: the sum of the tags of their examples.
            losses: the losses of at least these steps, if they are recorded.
        """
        self.checksum = _wrap_int64(self.checksum + checksum)
        self.steps_of_epoch += steps
        self.taken += steps
        self.step_losses += losses[:steps].tolist()

    def _kind(self, block: Block) -> BlockKind:
        if block.is_uneven:
            return "uneven"
        if not block.has_usual_size or not self.jit_compile or self._xla_after:
            return "any_size"
        return "xla_in_trace" if self.shares_xla else "xla"

    def _take(self, kind: BlockKind, block: Block, steps: int | None = None) -> BlockState:
        resets = self.resets_metrics and self.steps_of_epoch == 0
        return self.program.take(kind, block, self.divergence, steps=steps, resets=resets)

    def _take_again(
        self, block: Block, row: int, mistake: str, on_steps: Callable[[Any], None]
    ) -> BlockState:
        """Take the steps before an invalid index again, then that one without XLA.

        Keras or TensorFlow then raises its own error. If it raises none on a CPU, whose kernels
        check indices, the step is valid (its result may be unused), and XLA is not used any more.

        Raises:
            EngineError: if nothing else says what is wrong.
        """
        if row:
            done = self._take(self._kind(block), block, row)
            self._count(done)
            on_steps(done.logs)
        single = replace(block, indices=block.indices[row : row + 1], steps=1)
        result = self._take("one_size", single)
        if backend().has_gpu():
            raise EngineError(f"{mistake}; this step was the last one")
        self.jit_compile = False
        self.why += f"; without XLA from step {self.taken + 1:,} on, because {mistake}"
        return result

    def _compile_late(self, block: Block) -> None:
        """Compile with XLA in the middle of a training; continue without XLA if that fails."""
        self._xla_after = 0
        try:
            self.compile(block)
        except NotLoweredError as native:
            self.jit_compile = False
            self.why += f"; but then without XLA, because of {native.reason}"
        except UncheckedError as unchecked:
            self.jit_compile = False
            self.why += f"; but then without XLA, which {unchecked.reason}"
        except Exception as error:
            self.jit_compile = False
            self.why += f"; XLA could not compile it ({short_error(error)})"

    def _count(self, result: BlockState) -> int:
        taken = int(result.steps)
        self.count(taken, int(result.checksum), np.asarray(result.losses))
        self.divergence = result.divergence
        return taken


def _wrap_int64(value: int) -> int:
    """Return an integer wrapped around to int64."""
    return (value + 2**63) % 2**64 - 2**63
