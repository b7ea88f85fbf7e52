"""The weights of the training examples: one of each example, or one of each class."""

import numpy as np

from kerasbatch.array_trees import Arrays
from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec.schema import Spec
from kerasbatch.text import shortened
from kerasbatch.types import Array


def weight_problems(weight: Array, examples: int) -> list[str]:
    """Return the problems of the weights of examples."""
    if weight.shape != (examples,) or weight.dtype.kind not in "biuf":
        shape = f"has type {weight.dtype} and shape {weight.shape}"
        return [f"sample_weight {shape}; must be {examples:,} numbers, one for each example"]
    if not np.isfinite(weight).all() or weight.min() < 0:
        row = int(np.argmin(np.isfinite(weight) & (weight >= 0)))
        return [f"a weight must be a number of 0 or more, and the one in row {row} is not"]
    if not weight.any():
        return ["every weight is 0; nothing would be learned"]
    return []


def training_weights(
    spec: Spec, y: Arrays, weights: Array | None, labels: tuple[str, ...] | None
) -> Array | None:
    """Return the weight of each training example as float32, or None if all are equal.

    Args:
        spec: a single-run spec.
        y: the targets of the training part; class numbers if classes have weights.
        weights: the weights in the data, or None.
        labels: the labels of the classes if they were text, or None.

    Raises:
        SpecError: if a class with a weight does not occur, or both kinds of weights are present.
    """
    if spec.class_weight is None:
        return None if weights is None else weights.astype(np.float32)
    if weights is not None:
        message = "the data hold a sample_weight already; keep one of them"
        raise SpecError.at(("class_weight",), message)
    if isinstance(y, dict | tuple):
        message = "weighs the classes of a single target; give weights of examples, or leave it out"
        raise SpecError.at(("class_weight",), message)
    if y.ndim != 1 or (y.dtype.kind == "f" and not (y == np.round(y)).all()) or y.min() < 0:
        message = "weighs classes 0, 1, 2, ..., and the target holds other values; leave it out"
        raise SpecError.at(("class_weight",), message)
    y = y.astype(np.int64)
    class_weights = np.ones(int(y.max()) + 1)
    if spec.class_weight == "balanced":
        from sklearn.utils.class_weight import compute_class_weight

        classes = np.unique(y)
        class_weights[classes] = compute_class_weight("balanced", classes=classes, y=y)
    else:
        for number, weight in _by_number(spec.class_weight, y, labels).items():
            class_weights[number] = weight
    if not class_weights[y].any():
        raise SpecError.at(("class_weight",), "every weight is 0; nothing would be learned")
    return class_weights[y].astype(np.float32)


def _by_number(
    weights: dict[str, float], y: Array, labels: tuple[str, ...] | None
) -> dict[int, float]:
    """Return the weights by the numbers of the classes."""
    numbers = np.unique(y).tolist()
    names = [labels[number] if labels else str(number) for number in numbers]
    faults = []
    for name in weights:
        if name not in names:
            listing = shortened(", ".join(names), 200)
            message = f"no training example is of class {shortened(name, 60)}; there are {listing}"
            faults.append(Fault(("class_weight", name), message, at_key=True))
    if faults:
        raise SpecError(faults)
    return {numbers[names.index(name)]: weight for name, weight in weights.items()}
