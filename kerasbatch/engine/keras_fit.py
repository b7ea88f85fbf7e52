"""The parts of Keras' `fit` that the fused engine calls itself."""

from typing import Any

import keras

from kerasbatch.engine import keras_private, keras_public, private_names


def has_keras_metrics(model: keras.Model) -> bool:
    """Return whether Keras' own code resets all metrics of a model."""
    trainer = private_names.private("Trainer")
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
        if hasattr(model, "jax_state_sync"):  # Keras' fit does that, too
            model.jax_state_sync()
            model._jax_state = None
    return dict(logs)


def attach_state(model: keras.Model) -> None:
    """Attach the values to the variables of a model in plain `fit` on JAX, between two steps."""
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()


def initial_epoch(model: keras.Model) -> int:
    """Return the epoch at which BackupAndRestore resumes a training; else 0."""
    return int(model._initial_epoch or 0)
