"""The compiled functions of a program: blocks of steps and evaluations.

They do not own a model: `bind` lets them train another one of the same structure, whose values are
their arguments.
"""

import threading
import weakref
from collections.abc import Callable
from typing import Any

import jax
import keras

from kerasbatch.engine.backend import ProgramSettings
from kerasbatch.engine.blocks import Logs, MetricsUse
from kerasbatch.engine.deferred_interrupts import deferred_signals
from kerasbatch.engine.jax.evaluation_loop import evaluation_loop
from kerasbatch.engine.jax.model_arrays import ModelArrays, OwnedArrays, values_of
from kerasbatch.engine.jax.slow_operations import slow_operation
from kerasbatch.engine.jax.step_loop import Ledger, StepLoop
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.weak_reference import weak_reference
from kerasbatch.engine.xla import NotLoweredError

Compiled = Callable[..., Any]


class ProgramFunctions:
    """The compiled functions of one kind of model.

    Args:
        model: a built, compiled model; held by a weak reference, so that a cache keeps no model.
        settings: what the steps do. In the mode `step`, Python loops over compiled steps.

    Attributes:
        lock: held in every call, because two models in two threads may share the functions.
        size: the bytes that the functions keep of a model: none.
    """

    size = 0
    can_be_bound = True

    def __init__(self, model: keras.Model, settings: ProgramSettings) -> None:
        self.settings = settings
        self.lock = threading.RLock()
        self._model, self._owned = weakref.ref(model), OwnedArrays()
        self._steps = StepLoop(lambda: self._model(), settings)
        self._block = jax.jit(self._steps.block, donate_argnums=0)
        self._begin = jax.jit(self._steps.begin, donate_argnums=0)
        self._step = jax.jit(self._steps.step, donate_argnums=(0, 1))
        self._end = jax.jit(self._steps.end)
        self._evaluations: dict[tuple[int, MetricsUse], Compiled] = {}
        self._is_compiled: set[Any] = set()
        self._user = weak_reference(None)

    def bind(self, user: object, model: keras.Model) -> None:
        """Train this model from now on; it has the structure of the first one."""
        if self._user() is not user:
            self._user, self._model = weakref.ref(user), weakref.ref(model)
            self._owned.release()

    def release_if_unused(self) -> None:
        """Hold no array of a model that is gone."""
        if not self.lock.acquire(blocking=False):
            return  # another model is about to be bound
        try:
            if self._model() is None:
                self._owned.release()
        finally:
            self.lock.release()

    def take(self, *block: Any) -> Ledger:
        """Take the steps of a block: the arguments of `StepLoop.block` after the model."""
        model = self._steps.live_model()
        # A signal between the call and the assignment would leave the model without values.
        with deferred_signals():
            values = self._owned.read(model)
            if self.settings.mode == "step":
                ledger = self._step_by_step(model, values, *block)
            else:
                values, ledger = self._block(values, *block)
                self._owned.write(model, values)
        return Ledger(*jax.device_get(ledger))

    def compile(self, *block: Any) -> None:
        """Compile for blocks of this layout, unless that is done.

        Raises:
            NotLoweredError: if a loop holds an operation that is very slow there.
        """
        layout = _layout(block)
        if layout in self._is_compiled:
            return
        if self.settings.mode == "lowered_loop":
            self._check_operations(block)
        if self.settings.mode == "step":
            self._compile_step(block)
        else:
            self.take(*block)
        self._is_compiled.add(layout)

    def evaluate(self, arrays: Arrays, size: int, metrics: MetricsUse) -> Logs:
        """Evaluate the model; arguments as in `evaluation_loop`."""
        key = size, metrics
        if key not in self._evaluations:
            self._evaluations[key] = jax.jit(
                lambda values, arrays: evaluation_loop(self._steps, values, arrays, *key)
            )
        model = self._steps.live_model()
        values = values_of(model)._replace(optimizer=[])
        after, logs = self._evaluations[key](values, arrays)
        _assign(model, after, metrics)
        self._is_compiled.add((key, _layout(arrays)))
        return dict(jax.device_get(logs))

    def is_evaluation_compiled(self, arrays: Arrays, size: int, metrics: MetricsUse) -> bool:
        """Return whether an evaluation compiles nothing."""
        return ((size, metrics), _layout(arrays)) in self._is_compiled

    def _step_by_step(
        self,
        model: keras.Model | None,
        values: ModelArrays,
        arrays: Arrays,
        tags: Any,
        indices: Any,
        steps: int,
        start: Any,
        resets: Any,
    ) -> Ledger:
        """Take the steps of a block in calls of a compiled step; assign the values to a model."""
        needs = self.settings.needs
        may_stop = needs.stop_at_nan or needs.stop_when_diverged
        values, ledger = self._begin(values, arrays, indices, start, resets)
        try:
            for _ in range(int(steps)):
                values, ledger = self._step(values, ledger, arrays, tags, indices)
                if may_stop and not ledger.continues:
                    break
            return Ledger(*self._end(values, ledger))
        finally:
            if model is not None:
                self._owned.write(model, values)

    def _check_operations(self, block: tuple[Any, ...]) -> None:
        values = values_of(self._steps.live_model())
        if slow := slow_operation(self._block.trace(values, *block).jaxpr):
            raise NotLoweredError(slow)

    def _compile_step(self, block: tuple[Any, ...]) -> None:
        """Compile a step by taking one of copied values."""
        arrays, tags, indices, _, start, resets = block
        values = OwnedArrays().read(self._steps.live_model())
        self._step_by_step(None, values, arrays, tags, indices, 1, start, resets)


def _assign(model: keras.Model, values: ModelArrays, metrics: MetricsUse) -> None:
    """Assign what an evaluation may have changed."""
    groups = [(model.non_trainable_variables, values.non_trainable)]
    if metrics != "keep":
        groups.append((model.metrics_variables, values.metrics))
    for variables, arrays in groups:
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def _layout(arguments: Any) -> Any:
    """Return the structure, shapes and types of arguments, hashable."""
    leaves, structure = jax.tree.flatten(arguments)
    return structure, tuple((jax.numpy.shape(leaf), jax.numpy.result_type(leaf)) for leaf in leaves)
