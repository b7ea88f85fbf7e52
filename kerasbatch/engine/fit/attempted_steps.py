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


def warn_of_attempted_steps(model: keras.Model, *, is_dataset: bool, stacklevel: int) -> None:
    """Warn if Keras' attempted steps change the result of a training of several epochs.

    Args:
        model: a built, compiled model.
        is_dataset: whether the data are a tf.data.Dataset.
        stacklevel: as in `warnings.warn`, counted from the caller.
    """
    moved = _moved_state(model)
    if not moved:
        return
    warnings.warn(
        "x does not say how many batches it has. After each epoch, Keras attempts one more step, "
        f"which moves {' and '.join(moved)}; here it is not taken, so from the second epoch on "
        "results differ a little from those of model.fit. They are equal if you pass "
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
