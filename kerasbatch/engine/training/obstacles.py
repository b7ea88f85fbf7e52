"""Which callbacks must hear of every single batch, and cannot wait for the end of a block."""

import dis
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from kerasbatch.engine import keras_private
from kerasbatch.engine.options import Arrays

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


def invalid_index(model: keras.Model, arrays: Arrays) -> str | None:
    """Return what looks like such a mistake, or None.

    Args:
        model: a built, compiled model.
        arrays: (x,), (x, y) or (x, y, sample_weight).
    """
    x, *rest = arrays
    layers = keras_private.all_layers(model)
    tables = [layer for layer in layers if isinstance(layer, keras.layers.Embedding)]
    if tables and not _within(x, min(table.input_dim for table in tables)):
        return "an index beyond the input_dim of an Embedding"
    if rest and any(not _within(y, width) for y, width in _labels(model, rest[0])):
        return "a label beyond the outputs"
    return None


def _labels(model: keras.Model, y: Any) -> Iterator[tuple[Any, int]]:
    """Yield labels that stand for one of the outputs, and how many outputs there are."""
    labels, losses = keras.tree.flatten(y), keras.tree.flatten(model.loss)
    outputs = getattr(model, "outputs", None) or []
    losses = losses * len(labels) if len(losses) == 1 else losses
    if len(labels) == len(losses) == len(outputs):
        for label, loss, output in zip(labels, losses, outputs, strict=True):
            if "sparse" in f"{loss} {type(loss)}".lower():
                yield label, output.shape[-1]


def _within(arrays: Any, end: int) -> bool:
    """Tell whether all whole numbers in arrays are 0 or more and below `end`."""
    kinds = [(each, keras.backend.standardize_dtype(each.dtype)) for each in _leaves(arrays)]
    whole = [np.asarray(each) for each, kind in kinds if "int" in kind]
    return all(array.min() >= 0 and array.max() < end for array in whole)


def _leaves(arrays: Any) -> list[Any]:
    leaves: list[Any] = keras.tree.flatten(arrays)
    return leaves
