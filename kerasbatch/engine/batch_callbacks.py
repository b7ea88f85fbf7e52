"""Which callbacks must hear of every single batch, and cannot wait for the end of a block."""

import dis
from typing import Any

import keras

from kerasbatch.engine import keras_private

BATCH_HOOKS = tuple(
    f"on_{phase}batch_{edge}" for phase in ("train_", "test_", "") for edge in ("begin", "end")
)
# What these do at a batch can wait for the last one of a block, or is asked for by a frequency.
_QUIET = (
    keras.callbacks.Callback,
    keras.callbacks.ProgbarLogger,
    keras.callbacks.TerminateOnNaN,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.BackupAndRestore,
    keras.callbacks.TensorBoard,
)


def needs_every_batch(callback: keras.callbacks.Callback) -> bool:
    """Tell whether a callback has something to do after every single batch.

    Some of Keras' own look at batches only if their frequency says so. For TerminateOnNaN the
    program itself stops after the step whose loss is not finite.
    """
    if getattr(callback, "hears_blocks", False):
        return False
    harmless = [vars(kind).get(hook) for kind in _QUIET for hook in BATCH_HOOKS]
    hooks = [vars(callback).get(hook) or getattr(type(callback), hook) for hook in BATCH_HOOKS]
    return _asks_by_frequency(callback) or any(
        hook not in harmless and not _does_nothing(hook) for hook in hooks
    )


def _does_nothing(hook: Any) -> bool:
    """Tell whether a function has no body but a docstring or `pass`."""
    code = getattr(hook, "__code__", None)
    if code is None:
        return False
    done = list(dis.get_instructions(code))
    names = {instruction.opname for instruction in done}
    empty = names <= {"RESUME", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "NOP"}
    return empty and all(each.argval is None for each in done if each.opname.endswith("CONST"))


def _asks_by_frequency(callback: keras.callbacks.Callback) -> bool:
    kinds = keras.callbacks
    if isinstance(callback, kinds.ModelCheckpoint | kinds.BackupAndRestore):
        return bool(callback.save_freq != "epoch")
    if isinstance(callback, kinds.TensorBoard):
        return callback.update_freq != "epoch" or keras_private.profiles_batches(callback)
    return False
