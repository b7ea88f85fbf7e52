"""Obstacles to blocks of steps: callbacks that act on every batch; indices that XLA ignores."""

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


def invalid_index(model: keras.Model, arrays: Arrays) -> str | None:
    """Return a description of an index that is out of range, or None.

    XLA computes with such an index instead of raising an error.

    Args:
        model: a built, compiled model.
        arrays: (x,), (x, y) or (x, y, sample_weight).
    """
    x, *rest = arrays
    layers = keras_private.all_layers(model)
    tables = [layer for layer in layers if isinstance(layer, keras.layers.Embedding)]
    if tables and not _in_range(x, min(table.input_dim for table in tables)):
        return "an index beyond the input_dim of an Embedding"
    if rest and any(not _in_range(y, width) for y, width in _labels(model, rest[0])):
        return "a label beyond the outputs"
    return None


def _labels(model: keras.Model, y: Any) -> Iterator[tuple[Any, int]]:
    """Yield the arrays of class indices, each with its number of classes."""
    labels, losses = keras.tree.flatten(y), keras.tree.flatten(model.loss)
    outputs = getattr(model, "outputs", None) or []
    losses = losses * len(labels) if len(losses) == 1 else losses
    if len(labels) == len(losses) == len(outputs):
        for label, loss, output in zip(labels, losses, outputs, strict=True):
            if "sparse" in f"{loss} {type(loss)}".lower():
                yield label, output.shape[-1]


def _in_range(arrays: Any, end: int) -> bool:
    """Return whether all integers in arrays are 0 or more and below `end`."""
    leaves = _leaves(arrays)
    dtypes = [keras.backend.standardize_dtype(leaf.dtype) for leaf in leaves]
    integers = [
        np.asarray(leaf) for leaf, dtype in zip(leaves, dtypes, strict=True) if "int" in dtype
    ]
    return all(array.min() >= 0 and array.max() < end for array in integers)


def _leaves(arrays: Any) -> list[Any]:
    leaves: list[Any] = keras.tree.flatten(arrays)
    return leaves
