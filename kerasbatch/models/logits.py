"""Losses that take the outputs of a model for logits."""

from typing import Any

import keras

from kerasbatch.models.output_names import output_names
from kerasbatch.spec import keras_registry


def losses_by_output(model: keras.Model, losses: Any) -> Any:
    """Return losses by the names of outputs where they are a list in their order."""
    if isinstance(losses, list | tuple):
        return dict(zip(output_names(model, len(losses)), losses, strict=False))
    return losses


def takes_logits(losses: Any, output: str | None = None) -> bool:
    """Return whether a loss takes the outputs of a model for logits: their sign is the class.

    Args:
        losses: the loss that a model is compiled with, or losses by output.
        output: the name of the output; None for a single one.
    """
    loss = losses.get(output) if isinstance(losses, dict) else losses
    if isinstance(loss, str):
        return keras_registry.has_logits(loss, {})
    if not isinstance(loss, keras.Loss):
        return False
    options = loss.get_config() if type(loss).__module__.startswith("keras") else {}
    return keras_registry.has_logits(type(loss).__name__, options)
