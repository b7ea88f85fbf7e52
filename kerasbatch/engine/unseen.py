"""Mistakes in the data that plain Keras reports and XLA computes with."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from kerasbatch.engine import keras_private
from kerasbatch.engine.options import Arrays


def unseen_by_xla(model: keras.Model, arrays: Arrays) -> str | None:
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
