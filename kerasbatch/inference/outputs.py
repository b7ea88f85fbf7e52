"""The outputs of a saved model as predictions: labels, probabilities, numbers, tables of them."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, softmax

from kerasbatch.array_trees import Arrays
from kerasbatch.errors import SpecError
from kerasbatch.inference.saved_model import ClassOutput, SavedModel
from kerasbatch.models.class_metrics import THRESHOLD
from kerasbatch.models.output_names import output_names
from kerasbatch.types import Array

if TYPE_CHECKING:
    import pandas as pd


def model_outputs(saved: SavedModel, examples: Arrays) -> Array | dict[str, Array]:
    """Return the outputs of the model for encoded examples.

    Outputs are probabilities if there are classes, also for a model that returns logits; else
    numbers in the target's own units. Those of several are as the model returns them, by name.
    """
    predicted = saved.model.predict(examples, verbose=0)
    if isinstance(predicted, dict):
        return {str(name): np.asarray(output) for name, output in predicted.items()}
    if isinstance(predicted, list | tuple):
        names = output_names(saved.model, len(predicted))
        return {name: np.asarray(out) for name, out in zip(names, predicted, strict=True)}
    outputs = np.asarray(predicted)
    if saved.from_logits:
        single = outputs.shape[1:] in ((), (1,))
        outputs = np.asarray(expit(outputs) if single else softmax(outputs, axis=-1))
    return saved.preprocessing.unscale_outputs(outputs)


def predicted_labels(saved: SavedModel, outputs: Array) -> Array:
    """Return the predicted label of each example, or the numbers themselves.

    Labels are text, or int64 if all of them are spelled as whole numbers.

    Args:
        saved: the model.
        outputs: its outputs, shape (n,) or (n, outputs).
    """
    single = outputs.ndim == 1 or outputs.shape[1:] == (1,)
    if saved.classes is None:
        return outputs.reshape(-1) if single else outputs
    numbers = _class_numbers(outputs, THRESHOLD)
    if saved.preprocessing.labels is None:
        return numbers
    return _labels(_names(saved.preprocessing.labels, outputs.shape[-1]), numbers)


def _class_numbers(outputs: Array, threshold: float) -> Array:
    """Return the predicted class of each example; of a single number, 1 above the threshold."""
    if outputs.ndim == 1 or outputs.shape[1:] == (1,):
        return (outputs.reshape(-1) > threshold).astype(np.int64)
    numbers: Array = outputs.argmax(axis=-1)
    return numbers


def _labels(names: Sequence[str], numbers: Array) -> Array:
    """Return the labels of classes, by their numbers."""
    are_whole = all(re.fullmatch(r"0|-?[1-9]\d{0,17}", name) for name in names)
    labels = np.array(names)
    chosen: Array = (labels.astype(np.int64) if are_whole else labels)[numbers]
    return chosen


def _names(labels: Iterable[str], outputs: int) -> list[str]:
    """Return a name for each class, and for outputs beyond the classes."""
    names = list(labels)
    return names + [f"output_{number}" for number in range(len(names), max(outputs, 2))]


def _by_class(prefix: str, names: Sequence[str], wide: Array) -> dict[str, Array]:
    """Return a column for each class; for a single number, that of the second class."""
    shown = names[1:2] if wide.shape[1] == 1 else names
    return {
        f"{prefix}_{name}": column
        for name, column in zip(shown[: wide.shape[1]], wide.T, strict=True)
    }


def prediction_table(saved: SavedModel, examples: Arrays) -> "pd.DataFrame":
    """Return the predictions for encoded examples; of several outputs, by their names."""
    import pandas as pd

    outputs = model_outputs(saved, examples)
    if not isinstance(outputs, dict):
        return _of_single_output(saved, outputs)
    columns: dict[str, Array] = {}
    for name, output in outputs.items():
        wide, classes = output.reshape(len(output), -1), saved.class_outputs.get(name)
        if classes is not None and output.ndim <= 2 and classes.fits(wide.shape[1]):
            added = _of_class_output(name, wide, classes)
        elif wide.shape[1] == 1:
            added = {name: wide[:, 0]}
        else:
            added = {f"{name}_{number}": column for number, column in enumerate(wide.T)}
        if twice := [column for column in added if column in columns]:
            message = f"two outputs give the column {twice[0]}; rename the output {name}"
            raise SpecError.at(("model",), message)
        columns |= added
    return pd.DataFrame(columns)


def _of_class_output(name: str, wide: Array, classes: ClassOutput) -> dict[str, Array]:
    """Return the predicted label, and the numbers of the model by class, of one of the outputs."""
    names = _names(classes.labels, wide.shape[1])
    labels = _labels(names, _class_numbers(wide, classes.threshold))
    return {name: labels} | _by_class(name, names, wide)


def _of_single_output(saved: SavedModel, outputs: Array) -> "pd.DataFrame":
    import pandas as pd

    predicted, wide = predicted_labels(saved, outputs), outputs.reshape(len(outputs), -1)
    if saved.classes is None:
        column_names = [f"prediction_{number}" for number in range(wide.shape[1])]
        return pd.DataFrame(wide, columns=column_names if wide.shape[1] > 1 else ["prediction"])
    if saved.gives_scores:
        return pd.DataFrame({"prediction": predicted})
    labels = saved.preprocessing.labels or map(str, range(saved.classes))
    names = _names(labels, wide.shape[1])
    return pd.DataFrame({"prediction": predicted} | _by_class("probability", names, wide))
