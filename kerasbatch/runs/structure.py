"""What is built into the compiled programs of a run, and what a variable can change."""

import json

from kerasbatch.spec.keys import Spec
from kerasbatch.spec.learning_rate import LearningRate

_BUILT_IN = ("model", "loss", "metrics", "precision", "optimizer")


def describe(
    spec: Spec, rate: LearningRate, input_shape: tuple[int, ...], classes: int | None
) -> str:
    """Return the same text for runs that can train the same compiled model.

    Seed, learning rate, length of a warm-up, order and budget are variables, or never compiled.

    Args:
        spec: a single-run spec.
        rate: its learning rate, by the rule.
        input_shape: the shape of one example.
        classes: the number of classes, or None where the target is a number.
    """
    plain = spec.plain()
    parts = [plain[part] for part in _BUILT_IN]
    if rate.value is not None:
        parts[-1].pop("learning_rate", None)
    others = [input_shape, classes, rate.arguments, rate.warmup_steps > 0]
    return json.dumps([parts, others], sort_keys=True)
