"""The step that Keras attempts at the end of data of unknown length.

It finds no batch, but it moves what needs none: the count of steps in the optimizer, the seeds of
dropout, and weights by their decay. The fused engine takes no such step.
"""

import warnings

import keras

from kerasbatch.engine import keras_private

CONSTANT_STEPS = (
    keras.optimizers.SGD,
    keras.optimizers.RMSprop,
    keras.optimizers.Adagrad,
    keras.optimizers.Adadelta,
)
"""The optimizers whose steps do not depend on the number of earlier ones."""
ASSERT = "x.apply(tf.data.experimental.assert_cardinality(N))"


def attempted_step_effect(model: keras.Model) -> str | None:
    """Return what Keras' attempted step changes in a built, compiled model, or None."""
    moved = _moved_state(model)
    if not moved:
        return None
    return f"Keras attempts one more step, which moves {' and '.join(moved)}; here it is not taken"


def warn_of_attempted_steps(effect: str, *, is_dataset: bool, stacklevel: int) -> None:
    """Warn that Keras' attempted steps change the result of a training of several epochs.

    Args:
        effect: what the attempted step changes.
        is_dataset: whether the data are a tf.data.Dataset.
        stacklevel: as in `warnings.warn`, counted from the caller.
    """
    warnings.warn(
        f"x does not say how many batches it has. After each epoch, {effect}, so from the second "
        "on results differ a little from those of model.fit. They are equal if you pass "
        f"steps_per_epoch=N{' or ' + ASSERT if is_dataset else ''}",
        stacklevel=stacklevel + 1,
    )


def _moved_state(model: keras.Model) -> list[str]:
    """Return what a step without a batch moves and later steps depend on."""
    moved, optimizer = list[str](), model.optimizer
    if optimizer is not None and _depends_on_count(optimizer):
        moved.append(f"the count of steps in {type(optimizer).__name__}")
    if any("seed_generator_state" in variable.path for variable in model.variables):
        moved.append("the seeds of random layers")
    if not keras_private.has_keras_step(model, "train_step"):
        moved.append("what the train_step of the model changes without data")
    return moved


def _depends_on_count(optimizer: keras.Optimizer) -> bool:
    """Return whether the steps of an optimizer depend on the number of earlier ones."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return False  # it takes no step without finite gradients
    schedule = keras.optimizers.schedules.LearningRateSchedule
    others = ("weight_decay", "use_ema", "gradient_accumulation_steps")
    has_schedule = isinstance(getattr(optimizer, "_learning_rate", None), schedule)
    has_count = has_schedule or any(getattr(optimizer, name, None) for name in others)
    return has_count or type(optimizer) not in CONSTANT_STEPS
