"""How much each training example counts: by its own weight, or by its class."""

import numpy as np

from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec.schema import Spec
from kerasbatch.text import shortened
from kerasbatch.types import Array


def weight_problems(weight: Array, examples: int) -> list[str]:
    """Return what is wrong with the weights of examples."""
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
    spec: Spec, y: Array, given: Array | None, labels: tuple[str, ...] | None
) -> Array | None:
    """Return the weight of each training example as float32, or None where all count alike.

    Args:
        spec: a single-run spec.
        y: the targets of the training part; class numbers where classes are weighed.
        given: the weights that came with the examples, or None.
        labels: the labels of the classes where they were text, or None.

    Raises:
        SpecError: if a class is weighed that does not occur, or both kinds of weights are given.
    """
    if spec.class_weight is None:
        return None if given is None else given.astype(np.float32)
    if given is not None:
        message = "the data hold a sample_weight already; keep one of them"
        raise SpecError.at(("class_weight",), message)
    if y.ndim != 1 or (y.dtype.kind == "f" and not (y == np.round(y)).all()) or y.min() < 0:
        message = "weighs classes 0, 1, 2, ..., and the target holds other values; leave it out"
        raise SpecError.at(("class_weight",), message)
    y = y.astype(np.int64)
    of_class = np.ones(int(y.max()) + 1)
    if spec.class_weight == "balanced":
        from sklearn.utils.class_weight import compute_class_weight

        occur = np.unique(y)
        of_class[occur] = compute_class_weight("balanced", classes=occur, y=y)
    else:
        for number, weight in _by_number(spec.class_weight, y, labels).items():
            of_class[number] = weight
    if not of_class[y].any():
        raise SpecError.at(("class_weight",), "every weight is 0; nothing would be learned")
    return of_class[y].astype(np.float32)


def _by_number(
    given: dict[str, float], y: Array, labels: tuple[str, ...] | None
) -> dict[int, float]:
    """Return the weights by the numbers of the classes."""
    occur = np.unique(y).tolist()
    names = [labels[number] if labels else str(number) for number in occur]
    faults = []
    for name in given:
        if name not in names:
            listing = shortened(", ".join(names), 200)
            message = f"no training example is of class {shortened(name, 60)}; there are {listing}"
            faults.append(Fault(("class_weight", name), message, at_key=True))
    if faults:
        raise SpecError(faults)
    return {occur[names.index(name)]: weight for name, weight in given.items()}
