"""The names of the outputs of a model."""

import keras


def output_names(model: keras.Model, count: int) -> list[str]:
    """Return the names of several outputs in their order; their numbers if they have none.

    Args:
        model: the model; one of an own subclass may name no outputs.
        count: the number of its outputs.
    """
    # Keras takes the keys for losses and metrics, and gives the names of the layers.
    if isinstance(structure := getattr(model, "_outputs_struct", None), dict):
        return [str(key) for key in sorted(structure)]
    return list(getattr(model, "output_names", None) or map(str, range(count)))
