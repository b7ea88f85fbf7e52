"""A kept model for other programs: with its preprocessing inside, in three formats."""

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasbatch.array_trees import are_several, mapped_shape
from kerasbatch.data.encoding.preprocessing import Preprocessing
from kerasbatch.errors import SpecError
from kerasbatch.inference.saved_model import SavedModel
from kerasbatch.models.refusals import keras_refusals
from kerasbatch.types import ModelFormat

_ENDINGS: dict[ModelFormat, str] = {"keras": ".keras", "savedmodel": "", "onnx": ".onnx"}
_UNSUPPORTED = {
    "dates": "dates, whose parts are read by kerasbatch predict alone",
    "window": "a series in time, whose windows are made by kerasbatch predict alone",
    "text": "texts, whose words are numbered by kerasbatch predict alone",
    "orders": "ordered words, which are numbered by kerasbatch predict alone",
}


def serving_model(saved: SavedModel) -> keras.Model:
    """Return a model that takes raw examples, and returns what `kerasbatch predict` writes.

    Images are bytes of 0 to 255. A table is a mapping of columns to arrays of shape (n, 1), those
    of words of strings. Outputs are probabilities, or numbers in the units of the target.

    Args:
        saved: a kept model.

    Raises:
        SpecError: if the preprocessing of the training cannot be a part of a model.
    """
    preprocessing = saved.preprocessing
    for name, reason in _UNSUPPORTED.items():
        if getattr(preprocessing, name):
            raise SpecError.at((), f"this model was trained on {reason}")
    if saved.scale is not None and are_several(saved.input_shape):
        message = "this model has several inputs, of which kerasbatch predict alone scales images"
        raise SpecError.at((), message)
    with keras_refusals(()):
        if preprocessing.columns is not None:
            inputs, examples = _table(preprocessing)
        else:
            inputs, examples = _arrays(saved)
        return keras.Model(inputs, _outputs(saved, saved.model(examples)))


def export_model(saved: SavedModel, kind: ModelFormat, path: Path) -> None:
    """Write a model with its preprocessing inside.

    Args:
        saved: a kept model.
        kind: `keras`, `savedmodel` (a directory) or `onnx`.
        path: the file or directory to write.

    Raises:
        SpecError: if the preprocessing cannot be a part of it, the name of the file has another
            ending, or a library for the format is missing.
    """
    ending = _ENDINGS[kind]
    if ending and path.suffix != ending:
        raise SpecError.at((), f"{path.name} must end in {ending}")
    if path.exists():
        raise SpecError.at((), f"{path} is there already; name another one")
    if kind == "onnx" and saved.preprocessing.words:
        message = "ONNX cannot look up the words of a column; export it as savedmodel or keras"
        raise SpecError.at((), message)
    model = serving_model(saved)
    if kind == "keras":
        with keras_refusals(()):
            model.save(path)
        return
    if kind == "onnx":
        _check_onnx_library()
        # Keras exports a model to ONNX only if it has been called.
        model(keras.tree.map_structure(_one_example, model.input))
    with keras_refusals(()), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of tf2onnx, about names of NumPy
        model.export(path, format="onnx" if kind == "onnx" else "tf_saved_model", verbose=False)


def _one_example(tensor: Any) -> Any:
    """Return a batch of one example of zeros for an input of a model."""
    shape = [1 if length is None else length for length in tensor.shape[1:]]
    return keras.ops.zeros((1, *shape), tensor.dtype)


def _check_onnx_library() -> None:
    if importlib.util.find_spec("tf2onnx") is None:
        raise SpecError.at((), "onnx needs tf2onnx; pip install 'kerasbatch[onnx]'")


def _table(preprocessing: Preprocessing) -> tuple[dict[str, Any], Any]:
    """Return an input for each column of a table, and the encoded examples."""
    inputs = {
        name: keras.Input((1,), name=name, dtype="string" if name in preprocessing.words else None)
        for name in preprocessing.columns or ()
    }
    numbers = [inputs[name] for name in inputs if name not in preprocessing.words]
    parts = [_scaled(preprocessing, _joined(numbers))] if numbers else []
    for name, words in preprocessing.words.items():
        lookup = keras.layers.StringLookup(vocabulary=list(words), output_mode="one_hot")
        parts.append(lookup(inputs[name])[:, 1:])  # the first column is that of other words
    return inputs, _joined(parts)


def _joined(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)


def _scaled(preprocessing: Preprocessing, numbers: Any) -> Any:
    """Return columns of numbers, missing ones filled in, standardized."""
    if preprocessing.fill:
        fill = np.array(preprocessing.fill, np.float32)
        numbers = keras.ops.where(keras.ops.isnan(numbers), fill, numbers)
    if preprocessing.standard is None:
        return numbers
    mean = np.array(preprocessing.standard.mean)
    deviation = np.array(preprocessing.standard.deviation)
    return keras.layers.Normalization(mean=mean, variance=deviation**2)(numbers)


def _arrays(saved: SavedModel) -> tuple[Any, Any]:
    """Return the inputs of arrays, and the examples as the model gets them."""
    dtype = "uint8" if saved.scale is not None else None
    inputs = mapped_shape(lambda shape: keras.Input(shape, dtype=dtype), saved.input_shape)
    if are_several(saved.input_shape):
        return inputs, inputs
    examples = _scaled(saved.preprocessing, inputs)
    return inputs, examples if saved.scale is None else keras.layers.Rescaling(saved.scale)(inputs)


def _outputs(saved: SavedModel, outputs: Any) -> Any:
    """Return probabilities for logits, and numbers in the units of the target."""
    if saved.from_logits and not saved.gives_scores:
        single = tuple(outputs.shape[1:]) in ((), (1,))
        outputs = keras.layers.Activation("sigmoid" if single else "softmax")(outputs)
    units = saved.preprocessing.target
    if units is None:
        return outputs
    return keras.layers.Rescaling(list(units.deviation), list(units.mean))(outputs)
