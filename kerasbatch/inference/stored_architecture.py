"""The architecture of a model in a .keras file, for models that no spec describes.

The file may come from a stranger. Without trust, only Keras' own layers and what belongs to them
are made from it, by their names in Keras; nothing else in it is used.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from kerasbatch.errors import Location, SpecError
from kerasbatch.models.refusals import keras_refusals
from kerasbatch.text import shortened

PLACE: Location = ("model",)
MAX_CONFIG_BYTES = 2**26
_CONFIG = "config.json"
_MODELS = ("Functional", "Sequential", "Model")
_PARTS = {
    "keras.initializers": keras.initializers,
    "keras.regularizers": keras.regularizers,
    "keras.constraints": keras.constraints,
}
"""The modules of objects inside layers."""
_UNSAFE_LAYERS = (
    *("Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"),  # they run code
    *("StringLookup", "IntegerLookup", "TextVectorization"),  # they can read files
)
_VALUES = ("__keras_tensor__", "__tuple__", "__slice__")
"""The names of values that Keras writes like objects."""


def stored_architecture(file: Path, *, trusted: bool) -> keras.Model:
    """Return the model of a .keras file with new weights, not compiled.

    Args:
        file: the file.
        trusted: whether classes and code of the file's author may be used.

    Raises:
        SpecError: if the file is damaged, or holds other classes than Keras' own without trust.
    """
    config = _read_config(file)
    for key in ("compile_config", "build_config"):
        config.pop(key, None)
    others = [] if trusted else list(dict.fromkeys(_foreign_names(config)))
    if others:
        names = shortened(", ".join(others), 100)
        message = f"the model was passed from Python, and its {file.name} names {names}, which is "
        advice = "import what registers it with Keras, and add trust=True (--trust)"
        raise SpecError.at(PLACE, f"{message}none of Keras' own layers; {advice}")
    with keras_refusals(PLACE):
        model = keras.saving.deserialize_keras_object(config, safe_mode=not trusted)
    if not isinstance(model, keras.Model):
        raise SpecError.at(PLACE, f"{file.name} holds a {type(model).__name__} and no model")
    return model


def _read_config(file: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(file) as archive:
            if archive.getinfo(_CONFIG).file_size > MAX_CONFIG_BYTES:
                raise ValueError("it is too large")
            config = json.loads(archive.read(_CONFIG))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, RecursionError) as error:
        reason = shortened(str(error), 100)
        raise SpecError.at(
            PLACE, f"{file.name} holds no model that can be read: {reason}"
        ) from None
    if not isinstance(config, dict):
        raise SpecError.at(PLACE, f"{file.name} holds no model that can be read")
    return config


def _foreign_names(config: Any) -> Iterator[str]:
    """Yield the names of classes in a configuration that are not Keras' own."""
    if isinstance(config, list):
        for inner in config:
            yield from _foreign_names(inner)
    if not isinstance(config, Mapping):
        return
    if "class_name" in config and not _is_own(config):
        yield str(config["class_name"])
    for inner in config.values():
        yield from _foreign_names(inner)


def _is_own(config: Mapping[str, Any]) -> bool:
    """Return whether an object is one of Keras' own classes, by its name and its module."""
    name, module = config["class_name"], config.get("module")
    is_text = isinstance(name, str) and isinstance(module, str | None)
    if not is_text or config.get("registered_name") not in (None, name):
        return False
    if name in _VALUES:
        return True
    if name == "DTypePolicy":
        return module == "keras"
    if module in _PARTS:
        return isinstance(getattr(_PARTS[module], name, None), type)
    is_keras = module is None or module.split(".")[0] == "keras"
    return is_keras and (name in _MODELS or _is_safe_layer(name))


def _is_safe_layer(name: str) -> bool:
    """Return whether a layer of Keras runs no code of its arguments and reads no files."""
    layer = getattr(keras.layers, name, None)
    is_layer = isinstance(layer, type) and issubclass(layer, keras.layers.Layer)
    return is_layer and name not in _UNSAFE_LAYERS
