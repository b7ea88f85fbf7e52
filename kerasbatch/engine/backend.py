"""The engine's seam: everything that it needs of Keras' backend, which has one home for each.

The homes are `engine/tensorflow/` and `engine/jax/`; `sources/` reads the datasets of tf.data.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, cast, get_args

import keras

from kerasbatch.engine.blocks import (
    Block,
    BlockKind,
    BlockState,
    EpochRows,
    EpochsState,
    GroupSums,
    Logs,
    MetricsUse,
)
from kerasbatch.engine.options import Arrays, Needs
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.trainable_state import TrainableState
from kerasbatch.engine.xla import PlannedSteps, XlaChoice, XlaMode
from kerasbatch.errors import EngineError
from kerasbatch.types import Array
from kerasbatch.types import Backend as BackendName

SUPPORTED = get_args(BackendName)
"""Keras' names of the backends that have a home."""


class ProgramSettings(NamedTuple):
    """The properties of a program beside its model; equal ones, equal programs.

    Args:
        mode: the use of XLA.
        scale: the factor of bytes in x, or None.
        needs: the required abilities.
        as_tuples: as in `StepSource`.
        trainable: the flags of the weights that the steps train.
    """

    mode: XlaMode
    scale: float | None
    needs: Needs
    as_tuples: bool
    trainable: TrainableState


class Program(Protocol):
    """The compiled blocks of steps, epochs and evaluations of one model."""

    @property
    def jit_compile(self) -> bool:
        """True if the program uses XLA."""

    @property
    def native(self) -> list[str]:
        """The operations that are not lowered for XLA, with the reasons."""

    @property
    def trains_epochs(self) -> bool:
        """True if `train_epochs` works."""

    def take_mistake(self) -> str | None:
        """Return the first index that was out of range in words, and forget it; or None."""

    def take(
        self,
        kind: BlockKind,
        block: Block,
        start: Any,
        *,
        steps: int | None = None,
        resets: bool = False,
    ) -> BlockState:
        """Take the steps of a block.

        Args:
            kind: the function that takes them.
            block: the block.
            start: the state of the divergence rule before these steps.
            steps: the number of its steps to take; by default all.
            resets: whether to reset the metrics before, if all of them are Keras' own.
        """

    def train_epochs(
        self,
        arrays: Arrays,
        tags: Any,
        orders: Any,
        first: int,
        count: int,
        start: Any,
        *,
        size: int,
        held_out: Arrays = (),
        held_out_size: int | None = None,
    ) -> tuple[EpochsState, EpochRows]:
        """Train whole epochs, and evaluate after each if there are arrays for it.

        Args:
            arrays: the data on the device.
            tags: a tag for each example, on the device.
            orders: the examples of epochs in their order, shape (rows, n), int32.
            first: the first row to use.
            count: the number of rows to use.
            start: the state of the divergence rule before.
            size: the batch size.
            held_out: the arrays of the evaluation, on the device; empty for none.
            held_out_size: the examples of one step of the evaluation.
        """

    def evaluate(self, arrays: Arrays, size: int, metrics: MetricsUse = "add") -> Logs:
        """Evaluate the model on arrays on the device, `size` examples in a step."""

    def is_evaluation_compiled(self, arrays: Arrays, size: int) -> bool:
        """Return whether an evaluation that keeps the metrics is compiled."""

    def compile(self, kind: BlockKind, block: Block) -> None:
        """Compile for the shapes of a block, unless that is done; all variables stay the same."""


class NoiseProgram(Protocol):
    """The compiled gradients of small batches of one model."""

    def sums(self, arrays: Arrays, indices: Array, counts: Array) -> tuple[GroupSums, Array]:
        """Add up the gradients of small batches, group by group.

        Args:
            arrays: the data on the device.
            indices: the examples of every small batch, shape (groups, batches, small batch).
            counts: the number of batches to use in each group, shape (groups,).

        Returns:
            The sums of gradients, and of their squared norms, shape (groups,).
        """

    def take_mistake(self) -> str | None:
        """Return the first index that was out of range in words, and forget it; or None."""


class WatchedStep(Protocol):
    """The training step of a model for plain `fit`, with an account of it, until `remove`."""

    @property
    def checksum(self) -> int:
        """The sum of the tags of the examples in this epoch, as int64."""

    @property
    def last_loss(self) -> float:
        """The loss of the last step."""

    def compile(self, data: Any) -> None:
        """Compile by taking the first step of `plain_data`, which the caller undoes."""

    def begin_epoch(self) -> None:
        """Begin to sum the tags of an epoch."""

    def remove(self) -> None:
        """Restore the step of the model."""


class Backend(Protocol):
    """The home of one backend."""

    constants: tuple[type, ...]
    """The backend's own types of constants among the attributes of a model."""
    variables: tuple[type, ...]
    """The backend's own types of variables, beside Keras' one."""
    always_compiles: bool
    """Whether there are no programs without XLA."""

    def program(self, model: keras.Model, settings: ProgramSettings) -> Program:
        """Return the program of a built, compiled model."""

    def noise_program(self, model: keras.Model, mode: XlaMode, scale: float | None) -> NoiseProgram:
        """Return the program for the noise of a model, with a factor of bytes in x, or None."""

    def choose_xla(
        self, model: keras.Model, steps: PlannedSteps, asked: bool | None, settings: EngineSettings
    ) -> XlaChoice:
        """Choose the use of XLA.

        Args:
            model: a built, compiled model.
            steps: its steps.
            asked: `jit_compile` of `kerasbatch.fit`; None leaves it to `compile`, and then to us.
            settings: the thresholds of the engine.
        """

    def traced_flags(self, model: keras.Model, size: int | None) -> TrainableState:
        """Return the `trainable` flags with which Keras would train, for a batch size."""

    def build_for_own_step(self, model: keras.Model, batch: Any) -> None:
        """Build what a custom `train_step` uses, for a batch or the spec of one."""

    def try_call(self, function: Callable[[], Any]) -> None:
        """Call a function for its errors alone; it makes no variable, and assigns some."""

    def plain_data(self, stream: Any, epoch: Callable[[], int], *, is_tagged: bool) -> Any:
        """Return the batches of an ExampleStream for plain `fit`.

        Args:
            stream: the stream.
            epoch: returns the current epoch, from 1.
            is_tagged: whether a batch is (tags, arrays), instead of what Keras packs.
        """

    def watched_step(self, model: keras.Model, *, reports_loss: bool) -> WatchedStep:
        """Let plain `fit` take watched steps, whose batches are (tags, arrays)."""

    def validation_iterator(self, model: keras.Model, data: dict[str, Any]) -> Any:
        """Return the iterator that Keras' `fit` keeps for all its validations.

        Args:
            model: a compiled model.
            data: the arguments of its `evaluate` for the data.
        """

    def to_device(self, array: Any) -> Any:
        """Return an array on the device, with an unchanged type."""

    def in_place(self, array: Array) -> Any:
        """Return an aligned array as a tensor over the same memory, if the device can."""

    def tags(self, tags: Array) -> Any:
        """Return the tags of examples, int64, on the device."""

    def has_gpu(self) -> bool:
        """Return whether the device is a GPU."""

    def gpu_capability(self) -> Sequence[int] | None:
        """Return the compute capability of the GPU; None if it is unknown."""

    def runs_eagerly(self) -> bool:
        """Return whether nothing is compiled in this process."""

    def process_settings(self) -> Any:
        """Return the settings of the process that own code may change, to compare them."""

    def is_distributed(self, model: keras.Model) -> bool:
        """Return whether a model trains on several devices."""

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Return whether the device has no room."""


def backend() -> Backend:
    """Return the home of Keras' backend.

    Raises:
        EngineError: if it has none.
    """
    name = keras.backend.backend()
    if name not in SUPPORTED:
        raise EngineError(f"Keras runs on {name}; this needs {' or '.join(SUPPORTED)}")
    return cast("Backend", importlib.import_module(f"kerasbatch.engine.{name}.backend").BACKEND)
