"""The key of a compiled model: equal for runs that differ only in variables of the program."""

import json

from kerasbatch.data.run_data import RunData
from kerasbatch.spec.learning_rate import LearningRate
from kerasbatch.spec.schema import Spec, keys_where

COMPILED = keys_where(lambda key: key.compiled)
"""The keys that are built into a compiled program."""


def program_key(spec: Spec, rate: LearningRate, data: RunData) -> str:
    """Return a key that is equal for runs with the same compiled model.

    Seed, learning rate, order and budget, and the numbers of a schedule, are variables or are not
    compiled.

    Args:
        spec: a single-run spec.
        rate: its learning rate, by the rule.
        data: its data.
    """
    plain = spec.plain()
    parts = {name: plain[name] for name in COMPILED if name in plain}
    if rate.value is not None:
        parts["optimizer"].pop("learning_rate", None)
    weighed, units = data.w_train is not None, data.preprocessing["target"]
    schedule = [rate.is_scheduled, rate.decay]
    others = [data.input_shape, data.classes, rate.arguments, schedule, weighed, units]
    others += [data.outputs, data.target_classes]
    return json.dumps([parts, others], sort_keys=True)
