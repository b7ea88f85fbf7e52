"""The program of a model on JAX: its compiled blocks of steps and evaluations."""

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any, NoReturn

import jax.numpy as jnp
import keras

from kerasbatch.engine.blocks import Block, BlockKind, BlockState, Logs, MetricsUse
from kerasbatch.engine.divergence import INITIAL
from kerasbatch.engine.jax.checksums import as_int64
from kerasbatch.engine.jax.functions import ProgramFunctions
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.weak_reference import live_model


class JaxProgram:
    """Calls compiled functions for a model; models of the same structure may share them.

    Args:
        model: a built, compiled model; held by a weak reference, so that a cache keeps no model.
        functions: the functions.
    """

    jit_compile = True
    trains_epochs = False

    def __init__(self, model: keras.Model, functions: ProgramFunctions) -> None:
        self._model, self._functions = weakref.ref(model), functions

    @property
    def native(self) -> list[str]:
        """None: nothing is lowered."""
        return []

    def take_mistake(self) -> str | None:
        """Return None: indices are not checked."""
        return None

    def take(
        self,
        kind: BlockKind,
        block: Block,
        start: Any,
        *,
        steps: int | None = None,
        resets: bool = False,
    ) -> BlockState:
        """Take the steps of a block; arguments as in `Program`."""
        count = block.steps if steps is None else steps
        with self._bound() as functions:
            ledger = functions.take(*_arguments(block, count, start, resets))
        return BlockState(
            steps=ledger.steps,
            continues=bool(ledger.continues),
            checksum=as_int64(ledger.checksum),
            divergence=ledger.divergence,
            loss=ledger.loss,
            losses=ledger.losses,
            logs=ledger.logs,
        )

    def train_epochs(self, *arguments: Any, **options: Any) -> NoReturn:
        """Raise: blocks train all epochs."""
        raise NotImplementedError("no function trains whole epochs on JAX")

    def evaluate(self, arrays: Arrays, size: int, metrics: MetricsUse = "add") -> Logs:
        """Evaluate the model on arrays on the device, `size` examples in a step."""
        with self._bound() as functions:
            return functions.evaluate(arrays, size, metrics)

    def is_evaluation_compiled(self, arrays: Arrays, size: int) -> bool:
        """Return whether an evaluation that keeps the metrics is compiled."""
        with self._bound() as functions:
            return functions.is_evaluation_compiled(arrays, size, "keep")

    def compile(self, kind: BlockKind, block: Block) -> None:
        """Compile for the shapes of a block, unless that is done; all variables stay the same."""
        with self._bound() as functions:
            functions.compile(*_arguments(block, 0, INITIAL, False))

    @contextlib.contextmanager
    def _bound(self) -> Iterator[ProgramFunctions]:
        """Yield the functions, bound to the model, for the calls of this thread alone."""
        model = live_model(self._model)
        with self._functions.lock:
            self._functions.bind(self, model)
            yield self._functions


def _arguments(block: Block, steps: int, start: Any, resets: bool) -> tuple[Any, ...]:
    rule = jnp.float32(start[0]), jnp.float32(start[1])
    return block.arrays, block.tags, block.indices, jnp.int32(steps), rule, jnp.bool_(resets)
