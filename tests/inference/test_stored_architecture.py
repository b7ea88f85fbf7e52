"""A model is made from a file only if it names Keras' own layers."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasbatch.errors import SpecError
from kerasbatch.inference.stored_architecture import stored_architecture


def residual() -> keras.Model:
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(4, "relu", kernel_initializer="he_normal")(inputs)
    added = keras.layers.Add()([inputs, keras.layers.Normalization()(hidden)])
    cells = keras.layers.RNN(keras.layers.GRUCell(3))(keras.layers.Reshape((2, 2))(added))
    return keras.Model(inputs, keras.layers.Concatenate()([cells, added]))


def test_layers_of_keras(tmp_path: Path) -> None:
    """Residual connections, cells and adapted layers, too."""
    model = residual()
    model.save(tmp_path / "model.keras")
    made = stored_architecture(tmp_path / "model.keras", trusted=False)
    made.set_weights(model.get_weights())
    x = np.ones((2, 4), "float32")
    np.testing.assert_allclose(made(x), model(x), rtol=1e-6)


def forged(folder: Path, **changes: Any) -> Path:
    """Return a file in which the configuration of the last layer has other values."""
    residual().save(folder / "good.keras")
    with zipfile.ZipFile(folder / "good.keras") as archive:
        config = json.loads(archive.read("config.json"))
    config["config"]["layers"][-1] |= changes
    with zipfile.ZipFile(folder / "forged.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    return folder / "forged.keras"


FORGED: list[dict[str, Any]] = [
    {"class_name": "Lambda"},
    {"class_name": "TFSMLayer"},
    {"class_name": "StringLookup"},
    {"class_name": "Concatenate", "module": "os"},
    {"class_name": "system", "module": "os"},
    {"class_name": "Concatenate", "registered_name": "evil>Layer"},
    {"class_name": ["Concatenate"]},
    {"class_name": "Concatenate", "module": ["keras.layers"]},
    {"class_name": "DTypePolicy", "module": "evil"},
    {"class_name": "__typespec__", "module": "os", "spec_name": "system"},
    {"class_name": "function", "module": "builtins", "config": "eval"},
    {"class_name": "deserialize", "module": "keras.activations"},
    {"config": {"layer": {"class_name": "Lambda", "config": {}}}},
]


@pytest.mark.parametrize("changes", FORGED, ids=str)
def test_other_names_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    """By a fault, whatever their types are."""
    with pytest.raises(SpecError, match="none of Keras' own layers"):
        stored_architecture(forged(tmp_path, **changes), trusted=False)


def test_no_model(tmp_path: Path) -> None:
    """A file that is no archive, or holds no configuration."""
    file = tmp_path / "model.keras"
    for content in (b"", b"[]"):
        file.write_bytes(content)
        with pytest.raises(SpecError, match="no model that can be read"):
            stored_architecture(file, trusted=False)
