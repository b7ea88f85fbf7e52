"""The configuration of a compiled model, as text: equal texts, equal programs.

A model that was built anew, for another seed, batch size or fold, has the configuration of the one
before: all is equal but the names that Keras numbers, initial weights and the learning rate.
"""

import hashlib
import re
from typing import Any

import keras

from kerasbatch.engine import keras_fit, keras_private, keras_public
from kerasbatch.engine.model_state import MAX_KEPT_BYTES, all_variables, bytes_of
from kerasbatch.engine.program.attributes import Attributes, OwnCodeError

_NUMBERED_TENSOR = re.compile(r"keras_tensor(_\d+)?")
"""The name of the tensor of an input that the user did not name."""


def configuration(model: keras.Model) -> str | None:
    """Return a hash of the configuration, or None if no other model may share its program.

    That is a large model, or one with a part that is not Keras' own.

    Args:
        model: a built, compiled model.
    """
    variables = all_variables(model)
    if bytes_of(variables) > MAX_KEPT_BYTES:
        return None
    steps = (keras_private.has_keras_step(model, step) for step in ("train_step", "test_step"))
    if not all(steps) or not keras_fit.has_keras_metrics(model):
        return None
    attributes = Attributes(variables)
    try:
        parts = attributes.of(model), attributes.of_variables(variables)
    except OwnCodeError:
        return None
    text = repr([*parts, _names(model), keras_public.traced_settings()])
    return hashlib.sha256(text.encode()).hexdigest()


def _names(model: keras.Model) -> list[Any]:
    """Return the names that a user's data, losses or metrics may refer to."""
    inputs = [tensor.name for tensor in getattr(model, "inputs", None) or ()]
    named = [None if _NUMBERED_TENSOR.fullmatch(name) else name for name in inputs]
    outputs = list(getattr(model, "output_names", None) or ())
    return [names if len(names) > 1 else None for names in (named, outputs)]
