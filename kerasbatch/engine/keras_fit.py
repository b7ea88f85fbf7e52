"""The parts of Keras' `fit` that the fused engine calls itself."""

from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine import keras_private, keras_public


def has_keras_metrics(model: keras.Model) -> bool:
    """Return whether Keras' own code resets all metrics of a model."""
    trainer = keras_private.private("Trainer")
    is_keras = all(
        getattr(type(model), name) is getattr(trainer, name)
        for name in ("reset_metrics", "metrics")
    )
    return is_keras and all(map(_is_reset_by_keras, model.metrics))


def _is_reset_by_keras(metric: keras.Metric) -> bool:
    inner = getattr(metric, "metrics", ())  # those of a compiled loss or of compiled metrics
    own = keras_public.is_of_keras(type(metric).reset_state)
    return own and "reset_state" not in vars(metric) and all(map(_is_reset_by_keras, inner))


def epoch_logs(model: keras.Model, step: str, logs: Any) -> dict[str, Any]:
    """Return the logs of an epoch or of an evaluation from those of its last step.

    Args:
        model: a compiled model.
        step: `train_step` or `test_step`.
        logs: the logs of the last step.
    """
    if logs and keras_private.has_keras_step(model, step):
        return dict(logs)
    return dict(model._get_metrics_result_or_logs(logs))


def is_due(model: keras.Model, epoch: int, freq: Any) -> bool:
    """Return whether `validation_freq` wants a validation after an epoch (from 0)."""
    return bool(model._should_eval(epoch, freq))


def validation_iterator(model: keras.Model, data: dict[str, Any]) -> Any:
    """Return the iterator that Keras' `fit` keeps for all its validations.

    Args:
        model: a compiled model.
        data: the arguments of its `evaluate` for the data.
    """
    steps = data["steps"]
    return keras_private.private("TFEpochIterator")(
        **{name: value for name, value in data.items() if name != "steps"},
        steps_per_epoch=steps,
        distribute_strategy=model.distribute_strategy,
        steps_per_execution=model.steps_per_execution,
        shuffle=False,
    )


def evaluate(
    model: keras.Model, data: dict[str, Any], iterator: Any, callbacks: keras.callbacks.CallbackList
) -> dict[str, Any]:
    """Evaluate a model as Keras' `fit` does.

    Args:
        model: a compiled model.
        data: the arguments of its `evaluate` for the data.
        iterator: their iterator.
        callbacks: the callbacks of the training.
    """
    model._eval_epoch_iterator = iterator
    try:
        logs = model.evaluate(
            **data, callbacks=callbacks, return_dict=True, _use_cached_eval_dataset=True
        )
    finally:
        del model._eval_epoch_iterator
    return dict(logs)


def step_counts(model: keras.Model) -> tuple[Any, Any]:
    """Return Keras' own counts as tensors: of batches, and of rows in the mean loss; int64.

    The first is `batches_counted`. A count that the model does not keep is 0.
    """
    batches = 0 if model.optimizer is None else keras_private.batch_counter(model.optimizer)
    tracker = next((metric for metric in model.metrics if metric.name == "loss"), None)
    rows = tf.round(tf.convert_to_tensor(getattr(tracker, "count", 0.0)))
    return tf.cast(tf.convert_to_tensor(batches), tf.int64), tf.cast(rows, tf.int64)


def initial_epoch(model: keras.Model) -> int:
    """Return the epoch at which BackupAndRestore resumes a training; else 0."""
    return int(model._initial_epoch or 0)
