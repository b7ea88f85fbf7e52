"""The problems of labels with a loss and the shape of an output, in words."""

import numpy as np

from kerasbatch.spec.keras_registry import LabelKind
from kerasbatch.types import Array


def label_problem(loss: str, kind: LabelKind, output: tuple[int, ...], y: Array) -> str | None:
    """Return why labels do not fit a loss, with what to write; None if they do.

    Args:
        loss: the name of the loss.
        kind: the kind of labels that it compares.
        output: the shape of the output for one example.
        y: the labels.
    """
    if kind == "any":
        return None  # what it compares is known to its author alone
    if kind == "index":
        return _index_problem(loss, output, y)
    if kind == "binary" and y.ndim == 1:
        return _binary_problem(loss, output, y)
    if y.ndim == 1 and kind == "one_hot":
        message = f"{loss} needs a column per class, and the labels are class numbers"
        return f"{message}; write sparse_categorical_crossentropy"
    if tuple(y.shape[1:]) not in (output, output[:-1] if output[-1:] == (1,) else output):
        return (
            f"the model gives {_values(output)} for an example and the target is "
            f"{_values(tuple(y.shape[1:]))}; {loss} compares them one by one, so end the model "
            f"with Dense: {{units: {y.shape[1] if y.ndim > 1 else 1}}}"
        )
    return None


def _index_problem(loss: str, output: tuple[int, ...], y: Array) -> str | None:
    if y.dtype.kind not in "iu":
        message = f"{loss} needs class numbers 0, 1, 2, ..., and the target holds other numbers"
        return f"{message}; write mse for a regression"
    classes, low, high = output[-1] if output else 1, int(y.min()), int(y.max())
    if low < 0:
        return f"labels go from {low}; count from 0"
    if high < classes:
        return None
    return (
        f"the labels go from {low} to {high}, and the model has {classes} outputs for classes "
        f"0 to {classes - 1}; end the model with Dense: {{units: {high + 1}, activation: "
        f"softmax}}"
    )


def _binary_problem(loss: str, output: tuple[int, ...], y: Array) -> str | None:
    if not np.isin(y, (0, 1)).all():
        message = f"{loss} needs labels 0 and 1, and the target holds others"
        return f"{message}; write sparse_categorical_crossentropy"
    if output in ((), (1,)):
        return None
    return (
        f"{loss} compares one output with labels 0 and 1, and the model gives "
        f"{_values(output)}; write sparse_categorical_crossentropy, or end the model with "
        f"Dense: {{units: 1, activation: sigmoid}}"
    )


def _values(shape: tuple[int, ...]) -> str:
    if shape in ((), (1,)):
        return "one number"
    return f"{' x '.join(map(str, shape))} numbers"
