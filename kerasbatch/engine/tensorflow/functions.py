"""The traced functions of a program: blocks of steps, epochs, evaluations.

Under XLA the batch dimension is static, because a dynamic one costs a third of the speed. Without
XLA it costs nothing, and one function handles batches of any size.

They do not own a model: `bind` lets them train another one of the same structure.
"""

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine.backend import ProgramSettings
from kerasbatch.engine.blocks import BlockKind, BlockState, EpochRows, EpochsState, Logs, MetricsUse
from kerasbatch.engine.model_state import all_variables, bytes_of
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.tensorflow.epoch_loop import epoch_loop
from kerasbatch.engine.tensorflow.evaluation_loop import evaluation_loop
from kerasbatch.engine.tensorflow.index_checks import IndexChecks
from kerasbatch.engine.tensorflow.lowering.xla_mode import lowering_of
from kerasbatch.engine.tensorflow.step_loop import StepLoop
from kerasbatch.engine.tensorflow.traced_function import TracedFunction
from kerasbatch.engine.weak_reference import weak_reference
from kerasbatch.engine.xla import XlaMode

_FLAG = tf.TensorSpec((), tf.bool)
_INDICES = 2
"""The position of the indices or orders among the arguments of a function."""


class ProgramFunctions:
    """The traced functions of one kind of model.

    Args:
        model: a built, compiled model; held by a weak reference, so that a cache keeps no model.
        settings: the use of XLA, and what the steps do.

    Attributes:
        native: the operations that are not lowered for XLA, with the reasons.
        lock: held in every call, because two models in two threads may share the functions.
        size: the bytes of the variables of the first model, which TensorFlow's graphs keep.
    """

    def __init__(self, model: keras.Model, settings: ProgramSettings) -> None:
        mode, scale, needs, as_tuples, trainable = settings
        self.mode: XlaMode = mode
        self.native: list[str] = []
        self.checks = IndexChecks()
        self.lock = threading.RLock()
        self.size = bytes_of(all_variables(model))
        self._user = weak_reference(None)
        self._steps = StepLoop(weakref.ref(model), scale, needs, trainable, as_tuples)
        any_size = frozenset({_INDICES})
        xla = self._traced(self._block_with_xla, jit_compile=mode != "step")
        self._blocks: dict[BlockKind, TracedFunction] = {
            "xla": xla,
            "xla_in_trace": self._traced(lambda *block: xla(*block), trace_inner=xla.trace),
            "one_size": self._traced(self._block),
            "any_size": self._traced(self._block, any_shape=any_size),
            "uneven": self._traced(self._uneven_block, any_shape=any_size),
        }
        self._evaluations: dict[tuple[int, MetricsUse], TracedFunction] = {}
        self._epochs: dict[tuple[int, int, int | None], TracedFunction] = {}

    def block(self, kind: BlockKind) -> TracedFunction:
        """Return a function for blocks of steps."""
        return self._blocks[kind]

    def compiles_in_first_step(self, kind: BlockKind) -> bool:
        """Return whether a function for blocks compiles a step when it is taken."""
        return self.mode == "step" and kind in ("xla", "xla_in_trace")

    def train_epochs(self, examples: int, size: int, held_out_size: int | None) -> TracedFunction:
        """Return the function that trains whole epochs, and may evaluate after each.

        Args:
            examples: the examples of an epoch.
            size: the batch size.
            held_out_size: the examples of one step of the evaluation, or None.
        """
        key = examples, size, held_out_size
        if key not in self._epochs:
            self._epochs[key] = self._traced(
                self._epochs_of(*key),
                any_shape=frozenset({_INDICES}),
                trace_inner=self._trace_inner_of_epochs(*key),
            )
        return self._epochs[key]

    def evaluate(self, size: int, metrics: MetricsUse) -> TracedFunction:
        """Return the function that evaluates the model on arrays.

        Args:
            size: the examples of one step.
            metrics: as in `evaluation_loop`.
        """
        key = size, metrics
        if key not in self._evaluations:
            self._evaluations[key] = self._traced(lambda arrays: self._evaluate(arrays, *key))
        return self._evaluations[key]

    def bind(self, user: object, model: keras.Model) -> None:
        """Train this model from now on; it has the structure of the first one.

        Args:
            user: stands for the model as it was compiled; after another `compile`, it has other
                variables.
            model: the model.
        """
        if self._user() is user:
            return
        self._user, self._steps.model = weakref.ref(user), weakref.ref(model)
        variables = self._variables()
        for function in self._functions():
            function.bind(variables)

    def release_if_unused(self) -> None:
        """Let go of the variables of a model that is gone, until the next `bind`."""
        if not self.lock.acquire(blocking=False):
            return  # another model is about to be bound
        try:
            if self._steps.model() is None:
                self._user = weak_reference(None)
                for function in self._functions():
                    function.release()
        finally:
            self.lock.release()

    @property
    def jit_compile(self) -> bool:
        """True if XLA is used."""
        return self.mode != "none"

    @property
    def can_be_bound(self) -> bool:
        """True if the model's variables are all that its functions use."""
        own = 1 if self.checks.names else 0
        return all(function.unknown_variables <= own for function in self._functions())

    def _functions(self) -> Sequence[TracedFunction]:
        return [*self._blocks.values(), *self._evaluations.values(), *self._epochs.values()]

    def _traced(self, function: Callable[..., Any], **options: Any) -> TracedFunction:
        return TracedFunction(function, self._variables, **options)

    def _variables(self) -> list[tf.Variable]:
        return [variable.value for variable in all_variables(self._steps.live_model())]

    def _block(
        self, arrays: Arrays, tags: Any, indices: Any, steps: Any, start: Any, resets: Any
    ) -> BlockState:
        return self._steps.trace(arrays, tags, indices, steps, start, resets)

    def _block_with_xla(
        self, arrays: Arrays, tags: Any, indices: Any, steps: Any, start: Any, resets: Any
    ) -> BlockState:
        with lowering_of(self.mode) as self.native:
            is_single = self.mode == "step"
            return self._steps.trace(
                arrays, tags, indices, steps, start, resets, self.checks, compiles_steps=is_single
            )

    def _uneven_block(
        self, arrays: Arrays, tags: Any, indices: Any, steps: Any, start: Any, resets: Any
    ) -> BlockState:
        return self._steps.trace(arrays, tags, indices, steps, start, resets, is_uneven=True)

    def _epochs_of(
        self, examples: int, size: int, held_out_size: int | None
    ) -> Callable[..., tuple[EpochsState, EpochRows]]:
        full = self._blocks["xla" if self.jit_compile else "any_size"]

        def epochs(
            arrays: Arrays,
            tags: Any,
            orders: Any,
            first: Any,
            count: Any,
            start: Any,
            held_out: Any,
        ) -> tuple[EpochsState, EpochRows]:
            def take(rows: Any, steps: Any, rule: Any) -> BlockState:
                state: BlockState = full(arrays, tags, rows, steps, rule, tf.constant(True))
                return state

            def take_partial(rows: Any, steps: Any, rule: Any) -> BlockState:
                state: BlockState = self._blocks["any_size"](
                    arrays, tags, rows, steps, rule, tf.constant(False)
                )
                return state

            def evaluate() -> Logs:
                logs: Logs = self.evaluate(held_out_size or 1, "reset")(held_out)
                return logs

            return epoch_loop(
                self._steps.live_model(),
                tf.ensure_shape(orders, (None, examples)),
                first,
                count,
                start,
                size=size,
                take=take,
                take_partial=take_partial,
                evaluate=None if held_out_size is None else evaluate,
            )

        return epochs

    def _trace_inner_of_epochs(
        self, examples: int, size: int, held_out_size: int | None
    ) -> Callable[..., None]:
        """Return what traces the parts of the function for whole epochs."""
        full = self._blocks["xla" if self.jit_compile else "any_size"]
        whole, rest = divmod(examples, size)

        def trace(
            arrays: Arrays, tags: Any, _: Any, first: Any, count: Any, start: Any, held_out: Any
        ) -> None:
            full.trace(arrays, tags, tf.TensorSpec((whole, size), tf.int32), count, start, _FLAG)
            if rest:
                spec = tf.TensorSpec((1, rest), tf.int32)
                self._blocks["any_size"].trace(arrays, tags, spec, count, start, _FLAG)
            if held_out_size is not None:
                self.evaluate(held_out_size, "reset").trace(held_out)

        return trace

    def _evaluate(self, arrays: Arrays, size: int, metrics: MetricsUse) -> Logs:
        return evaluation_loop(self._steps.live_model(), self._steps.pack, arrays, size, metrics)
