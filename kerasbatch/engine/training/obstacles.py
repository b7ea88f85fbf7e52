"""Obstacles to blocks of steps: callbacks that act on every batch."""

import dis
from typing import Any

import keras

from kerasbatch.engine import keras_private

BATCH_HOOKS = tuple(
    f"on_{phase}batch_{edge}" for phase in ("train_", "test_", "") for edge in ("begin", "end")
)
# The batch hooks of these can wait for the end of a block, or are enabled by a frequency.
_HARMLESS = (
    keras.callbacks.Callback,
    keras.callbacks.ProgbarLogger,
    keras.callbacks.TerminateOnNaN,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.BackupAndRestore,
    keras.callbacks.TensorBoard,
)


def needs_every_batch(callback: keras.callbacks.Callback) -> bool:
    """Return whether a callback must be called after every single batch.

    Some callbacks of Keras use batches only if a frequency argument requires it. For
    TerminateOnNaN, the program itself stops after the step whose loss is not finite.
    """
    if getattr(callback, "accepts_blocks", False):
        return False
    harmless = [vars(kind).get(hook) for kind in _HARMLESS for hook in BATCH_HOOKS]
    hooks = [vars(callback).get(hook) or getattr(type(callback), hook) for hook in BATCH_HOOKS]
    return _has_batch_frequency(callback) or any(
        hook not in harmless and not _is_empty(hook) for hook in hooks
    )


def _is_empty(hook: Any) -> bool:
    """Return whether the body of a function is only a docstring or `pass`."""
    code = getattr(hook, "__code__", None)
    if code is None:
        return False
    instructions = list(dis.get_instructions(code))
    names = {instruction.opname for instruction in instructions}
    no_body = names <= {"RESUME", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "NOP"}
    constants = [item.argval for item in instructions if item.opname.endswith("CONST")]
    return no_body and all(constant is None for constant in constants)


def _has_batch_frequency(callback: keras.callbacks.Callback) -> bool:
    kinds = keras.callbacks
    if isinstance(callback, kinds.ModelCheckpoint | kinds.BackupAndRestore):
        return bool(callback.save_freq != "epoch")
    if isinstance(callback, kinds.TensorBoard):
        return callback.update_freq != "epoch" or keras_private.profiles_batches(callback)
    return False
