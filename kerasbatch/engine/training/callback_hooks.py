"""The hooks of callbacks: which of them a training in blocks, or of many epochs, must call."""

import dis
from collections.abc import Iterable
from typing import Any

import keras

from kerasbatch.engine import keras_private, keras_public

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
_EPOCH_HOOKS = ("on_epoch_begin", "on_epoch_end", "on_test_begin", "on_test_end", *BATCH_HOOKS)
# The hooks of these read nothing but their arguments, so that they can be called later. For
# TerminateOnNaN, the program itself stops after the step whose loss is not finite.
_LATE = (keras.callbacks.Callback, keras.callbacks.History, keras.callbacks.TerminateOnNaN)


def needs_every_batch(callback: keras.callbacks.Callback) -> bool:
    """Return whether a callback must be called after every single batch.

    Some callbacks of Keras use batches only if a frequency argument requires it. For
    TerminateOnNaN, the program itself stops after the step whose loss is not finite.
    """
    if getattr(callback, "accepts_blocks", False):
        return False
    return _has_batch_frequency(callback) or _has_other_hooks(callback, BATCH_HOOKS, _HARMLESS)


def must_hear_epochs(callback: keras.callbacks.Callback) -> bool:
    """Return whether a callback must be called after an epoch before the next one is trained."""
    if getattr(callback, "accepts_epochs", False):
        return False
    return _has_other_hooks(callback, _EPOCH_HOOKS, _LATE)


def hears_epoch_begin(callback: keras.callbacks.Callback) -> bool:
    """Return whether a user's callback is called before an epoch, and may look at the metrics."""
    if getattr(callback, "accepts_epochs", False):
        return False
    hook = vars(callback).get("on_epoch_begin") or type(callback).on_epoch_begin
    return not keras_public.is_of_keras(hook) and not _is_empty(hook)


def has_batch_hooks(callbacks: Iterable[keras.callbacks.Callback]) -> bool:
    """Return whether a callback has hooks for training batches."""
    hooks = [hook for hook in BATCH_HOOKS if "test" not in hook]
    return any(_has_other_hooks(callback, hooks, _LATE[:1]) for callback in callbacks)


def _has_other_hooks(
    callback: keras.callbacks.Callback, names: Iterable[str], kinds: Iterable[type]
) -> bool:
    """Return whether a callback has hooks that are not those of other classes, and not empty."""
    known = [vars(kind).get(name) for kind in kinds for name in names]
    hooks = [vars(callback).get(name) or getattr(type(callback), name) for name in names]
    return any(hook not in known and not _is_empty(hook) for hook in hooks)


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
