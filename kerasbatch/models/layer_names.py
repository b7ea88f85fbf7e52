"""The names of layers, which do not depend on the models that were made before."""

import re
from collections import Counter


def snake_case(name: str) -> str:
    """Return the name that Keras gives to layers of a class: Conv2DTranspose, conv2d_transpose."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def own_name(name: str, base: str, counts: Counter[str]) -> str:
    """Return the name of a layer, one that Keras made counted anew.

    Args:
        name: its name.
        base: the name of its class, such as `dense`.
        counts: the layers so far that Keras named, by class; this one is added.
    """
    if not re.fullmatch(rf"{re.escape(base)}(_\d+)?", name):
        return name
    counts[base] += 1
    return base if counts[base] == 1 else f"{base}_{counts[base] - 1}"
