"""The examples, the batch size and the spec of a `fit` that is recorded."""

import hashlib
from typing import Any

import keras

from kerasbatch.engine.fit.arguments import FitArguments
from kerasbatch.engine.fit.arrays import makes_batches
from kerasbatch.engine.keras_private import split_for_validation
from kerasbatch.errors import SpecError
from kerasbatch.spec.reader import checked_spec
from kerasbatch.spec.schema import COMPILE_PARTS, Spec

KERAS_BATCH_SIZE = 32


def training_examples(arguments: FitArguments) -> int:
    """Return the number of examples of an epoch.

    Raises:
        SpecError: if the data are no arrays, or an epoch is not a whole pass.
    """
    if makes_batches(arguments.x):
        message = "records arrays; for datasets, write a spec with data: {dataset: ...}"
        raise SpecError.at(("results",), message)
    for name in ("steps_per_epoch", "initial_epoch"):
        if getattr(arguments, name):
            raise SpecError.at(("results",), f"records whole trainings; leave {name} out")
    train = [arguments.x, arguments.y]
    if arguments.validation_data is None and arguments.validation_split:
        train, _ = split_for_validation(train, arguments.validation_split)
    return len(keras.tree.flatten(train[0])[0])


def numeric_batch_size(written: Any, examples: int) -> int:
    """Return the batch size of `fit` as a number; Keras takes 32 by default."""
    if written == "full":
        return examples
    return min(KERAS_BATCH_SIZE if written is None else int(written), examples)


def spec_of_fit(experiment: str, model: keras.Model, content: str, **keys: Any) -> Spec:
    """Return a spec that says what was trained; its data and its model are not kept."""
    weights = [(variable.name, tuple(variable.shape)) for variable in model.weights]
    layers = [type(layer).__name__ for layer in model.layers]
    built = hashlib.sha256(repr([layers, weights]).encode()).hexdigest()
    count = f"{model.count_params():,} weights" if model.built else "a new model"
    note = f"{count}; trained by kerasbatch.fit, and not kept here"
    for key in COMPILE_PARTS:
        part = getattr(model, key)
        config = part.get_config() if hasattr(part, "get_config") else str(part)
        short = hashlib.sha256(repr(config).encode()).hexdigest()[:8]
        keys[key] = {"object": f"{type(part).__name__}-{short}"}
    keys["name"] = experiment
    keys["data"] = {"object": f"arrays-{content[:8]}", "note": note}
    keys["model"] = {"object": f"{type(model).__name__}-{built[:8]}", "note": note}
    return checked_spec(keys)


def rate_of(model: keras.Model) -> float | None:
    """Return the learning rate of a model's optimizer, or None for a schedule."""
    rate = model.optimizer.get_config().get("learning_rate")
    return float(rate) if isinstance(rate, int | float) else None
