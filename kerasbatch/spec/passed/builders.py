"""Functions and classes that build a model, called with as many arguments as they take."""

import inspect
from collections.abc import Callable
from typing import Any


def call_builder(builder: Callable[..., Any], input_shape: Any, classes: Any) -> Any:
    """Call what builds a model: `build()`, `build(input_shape)` or `build(input_shape, classes)`.

    Args:
        builder: a function or a class; arguments with a default are left alone.
        input_shape: the shape of one example, or of each of its inputs by name.
        classes: the number of classes, or None where the target is a number.
    """
    try:
        parameters = inspect.signature(builder).parameters.values()
    except ValueError:  # a function that is not written in Python has no signature
        return builder(input_shape, classes)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    required = [p for p in parameters if p.kind in positional and p.default is p.empty]
    return builder(*(input_shape, classes)[: len(required)])
