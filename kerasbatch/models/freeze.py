"""Freezes layers of a model: their weights are not trained."""

import fnmatch
from collections import Counter
from collections.abc import Iterator, Sequence

import keras

from kerasbatch.errors import Fault, SpecError
from kerasbatch.models.layer_names import own_name, snake_case
from kerasbatch.text import shortened, suggestion


def freeze(model: keras.Model, patterns: Sequence[str]) -> None:
    """Freeze the layers of a built model whose names fit a pattern, and all inside them.

    A frozen BatchNormalization uses its moving averages, and does not change them, as in Keras. A
    name that Keras made (`dense_7`) is counted anew from the first layer of the model.

    Args:
        model: the model, before it is compiled.
        patterns: names of layers, or patterns such as `conv_*`.

    Raises:
        SpecError: if a pattern fits no layer, or nothing is left to train.
    """
    layers = list(_named(model))
    names = list(dict.fromkeys(name for name, _ in layers))
    faults = []
    for number, pattern in enumerate(patterns):
        chosen = [layer for name, layer in layers if fnmatch.fnmatchcase(name, pattern)]
        if not chosen:
            hint = suggestion(pattern, names) or f"; it has {', '.join(names)}"
            message = f"the model has no layer {pattern}{shortened(hint, 300)}"
            faults.append(Fault(("freeze", number), message))
        for layer in chosen:
            layer.trainable = False
    if not faults and not model.trainable_weights:
        faults.append(Fault(("freeze",), "no weight is left to train; leave a layer out"))
    if faults:
        raise SpecError(faults)


def _named(model: keras.Model) -> Iterator[tuple[str, keras.layers.Layer]]:
    """Yield the layers of a model by their names, those of models inside it after them."""
    counts: Counter[str] = Counter()
    for layer in model.layers:
        yield own_name(layer.name, snake_case(type(layer).__name__), counts), layer
        if isinstance(layer, keras.Model):
            yield from _named(layer)
