"""Chooses the use of XLA for a training: a pure function of its step, never a clock."""

import math

import keras
import tensorflow as tf

from kerasbatch.engine import keras_private
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.tensorflow import private as tensorflow_private
from kerasbatch.engine.tensorflow.step_operations import StepOperations, step_operations
from kerasbatch.engine.tensorflow.xla_costs import (
    XlaCosts,
    compilation,
    costs_with,
    saved_per_step,
    state_size,
)
from kerasbatch.engine.xla import PlannedSteps, XlaChoice, XlaMode


def choose_xla(
    model: keras.Model, steps: PlannedSteps, asked: bool | None, settings: EngineSettings
) -> XlaChoice:
    """Choose the use of XLA.

    Args:
        model: a built, compiled model.
        steps: its steps.
        asked: `jit_compile` of `kerasbatch.fit`; None leaves it to `compile`, and then to us.
        settings: the thresholds of the engine.
    """
    requested = keras_private.requested_xla(model) if asked is None else asked
    by = "as jit_compile says" if asked is None else "as asked for"
    if requested is False:
        return XlaChoice("none", f"without XLA, {by}")
    if requested is None and not keras_private.supports_xla(model):
        return XlaChoice("none", "without XLA, which a layer does not support")
    threshold = settings.xla_steps
    any_length = settings.any_length and threshold is None
    least = settings.least_xla_steps if threshold is None else threshold
    least = 0 if any_length else least
    if requested is None and steps.count is not None and steps.count < least:
        return _not_paying(steps.count)
    operations = step_operations(model, steps.inputs, steps.size)
    if isinstance(operations, str):
        return _unread(requested, by, operations)
    costs = costs_with(onednn=tensorflow_private.uses_onednn())
    has_gpu = bool(tf.config.list_logical_devices("GPU"))
    mode, detail = best_mode(operations, costs, has_gpu=has_gpu)
    if settings.xla_mode:
        mode, detail = settings.xla_mode, ""
    if requested:
        return _requested(mode, detail, by, operations)
    if mode == "none":
        return XlaChoice("none", f"without XLA{detail}")
    after = threshold
    if after is None:
        state = state_size(model, costs)
        after = steps_to_pay(mode, operations, state, costs, steps.share)
    if any_length and after is not None:
        return XlaChoice(mode, f"compiled with XLA{detail}, as for a training of any length")
    return _where_it_pays(mode, detail, after, steps.count)


def best_mode(
    operations: StepOperations, costs: XlaCosts, *, has_gpu: bool = False
) -> tuple[XlaMode, str]:
    """Return the fastest use of XLA for a step, and its reason in words.

    Args:
        operations: the operations of a forward pass.
        costs: the constants.
        has_gpu: whether there is a GPU, where XLA uses the libraries of the device.
    """
    if has_gpu:
        return "loop", ""
    if "pools" in operations.native:
        return "none", ", which is slow for the gradient of TensorFlow's own pools on a CPU"
    if not operations.convolves:
        return "loop", ""
    patches, megabytes = operations.patch_bytes, "unknown"
    if "convolutions" in operations.native:
        reason = "because a layer calls TensorFlow's convolutions itself"
    elif patches is None:
        reason = "because the sizes of convolutions are unknown beforehand"
    else:
        megabytes = f"{max(patches / 1e6, 0.1):,.1f} MB a step"
        if patches <= costs.convolutions.patch_bytes:
            return "lowered_loop", f", convolutions as matrix products with patches of {megabytes}"
        reason = f"because the patches of convolutions would take {megabytes}"
    if operations.is_depthwise:
        return "none", f", which is slow for depthwise convolutions on a CPU, {reason}"
    if not costs.convolutions.compiles_steps:
        return "none", f", whose convolutions are slower than those of oneDNN, {reason}"
    return "step", f", step by step, {reason}"


def steps_to_pay(
    mode: XlaMode,
    operations: StepOperations,
    state: float,
    costs: XlaCosts,
    share: float = 1.0,
) -> int | None:
    """Return the number of steps from which on XLA pays, or None if it never does.

    Args:
        mode: the use of XLA.
        operations: the operations of a forward pass.
        state: the result of `state_size`.
        costs: the constants.
        share: the share of the gain that remains.
    """
    saved = share * saved_per_step(mode, operations, state, costs)
    if saved <= 0:
        return None
    return math.ceil(compilation(mode, operations, costs) / saved)


def _where_it_pays(mode: XlaMode, detail: str, after: int | None, count: int | None) -> XlaChoice:
    if after is None:
        return XlaChoice("none", "without XLA, which would not be faster")
    if count is None:
        unknown = f"after {after:,} steps, for nobody knows how many will come"
        return XlaChoice(mode, f"compiled with XLA{detail} {unknown}", after)
    if count < after:
        return _not_paying(count)
    return XlaChoice(mode, f"compiled with XLA{detail}, which pays off over {count:,} steps")


def _not_paying(count: int) -> XlaChoice:
    return XlaChoice("none", f"without XLA, whose compilation would not pay in {count:,} steps")


def _requested(mode: XlaMode, detail: str, by: str, operations: StepOperations) -> XlaChoice:
    """Return the choice where the user wants XLA, even if it is slow."""
    if mode != "none":
        return XlaChoice(mode, f"with XLA{detail}, {by}")
    return XlaChoice("step" if operations.convolves else "loop", f"with XLA, {by}")


def _unread(requested: bool | None, by: str, error: str) -> XlaChoice:
    """Return the choice for a step that cannot be read."""
    if requested:
        return XlaChoice("step", f"with XLA, step by step, {by}")
    return XlaChoice("none", f"without XLA, because its step cannot be read beforehand ({error})")
