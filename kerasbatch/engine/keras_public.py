"""Questions about Keras that need nothing private: whose code it is, and its global settings."""

import inspect
from typing import Any

import keras


def is_of_keras(part: Any) -> bool:
    """Return whether a class, a function or an object's class is in a module of Keras."""
    has_module = inspect.isroutine(part) or isinstance(part, type)
    module = getattr(part if has_module else type(part), "__module__", None)
    return str(module).partition(".")[0] == "keras"


def limit_of_fits() -> str | None:
    """Return the name of a global setting of Keras that cuts every `fit`, or None."""
    names = "max_epochs", "max_steps_per_epoch"
    return next((n for n in names if getattr(keras.config, n, lambda: None)()), None)


def traced_settings() -> tuple[Any, ...]:
    """Return Keras' global settings that end up in traced functions."""
    config = keras.config
    return config.epsilon(), config.floatx(), config.is_flash_attention_enabled()
