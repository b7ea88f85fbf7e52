"""The private API of Keras that we use; `tensorflow/private` has TensorFlow's.

`data_private` uses the part about data; `private_names` lists all names.
"""

import contextlib
import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras

from kerasbatch.engine.private_names import BACKEND, TRAINER, TRAINER_NAME, private


def assert_compiled(model: keras.Model) -> None:
    """Raise Keras' own error for a model that is not compiled."""
    model._assert_compile_called("fit")


def schedule(model: keras.Model) -> Any:
    """Return the learning-rate schedule of a model's optimizer."""
    return model.optimizer._learning_rate


def has_own_train_function(model: keras.Model) -> bool:
    """Return whether a model's class overrides `make_train_function`."""
    return bool(
        type(model).make_train_function is not private(f"{TRAINER_NAME}.make_train_function")
    )


def has_keras_step(model: keras.Model, step: str) -> bool:
    """Return whether `train_step` or `test_step`, and its result, are Keras' own.

    The logs of a step are then the results of the metrics.
    """
    trainer = getattr(importlib.import_module(TRAINER), TRAINER_NAME)
    return step not in vars(model) and all(
        getattr(type(model), name) is getattr(trainer, name)
        for name in (step, "compute_metrics", "get_metrics_result")
    )


def supports_xla(model: keras.Model) -> bool:
    """Return whether Keras expects that XLA can compile a model."""
    return bool(private("model_supports_jit")(model))


def requested_xla(model: keras.Model) -> bool | None:
    """Return the `jit_compile` of a model's `compile`, or None if Keras chose.

    Keras keeps only the outcome of "auto"; an explicit value shows if auto would differ.
    """
    asked = bool(model.jit_compile)
    return asked if asked != bool(model._resolve_auto_jit_compile()) else None


def global_state(name: str, make: Callable[[], Any]) -> Any:
    """Return an object that lasts until `keras.utils.clear_session`, in this thread.

    Args:
        name: its name.
        make: makes it at the first call.
    """
    get, keep = private("get_global_attribute"), private("set_global_attribute")
    if get(name) is None:
        keep(name, make())
    return get(name)


_WITHOUT = threading.RLock()
"""Held while Keras believes that TensorFlow is missing."""


@contextlib.contextmanager
def without_tensorflow() -> Iterator[None]:
    """Keep Keras on JAX from importing TensorFlow, which takes seconds.

    Where it is installed, `set_random_seed`, `get_config` and `save` import it to seed it, or to
    know its types.
    """
    if BACKEND != "jax" or "tensorflow" in sys.modules:
        yield
        return
    module = private("tensorflow")
    with _WITHOUT:
        before, module._available = module._available, False
        try:
            yield
        finally:
            module._available = before


def global_seed() -> keras.Variable | None:
    """Return the state of the generator for layers without a seed; None before its first use."""
    return getattr(private("get_global_attribute")("global_seed_generator"), "state", None)


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return all layers of a model, with nested layers."""
    return list(model._flatten_layers())


def build(model: keras.Model, batch: Any) -> None:
    """Build a model, its loss, its metrics and its optimizer, without a step.

    Args:
        model: a compiled model.
        batch: the input of its training step; the size of its first dimension is free.
    """
    model._symbolic_build(data_batch=keras.tree.map_structure(_of_any_size, batch))


def build_without_optimizer(model: keras.Model, batch: Any) -> None:
    """Build a model, its loss and its metrics like `build`, and not its optimizer."""
    optimizer = model.optimizer
    was_built = optimizer is None or optimizer.built
    try:
        if optimizer is not None:
            optimizer.built = True  # so that Keras leaves it alone
        build(model, batch)
    finally:
        if not was_built:
            optimizer.built = False


def _of_any_size(array: Any) -> Any:
    shape, dtype = (None, *array.shape[1:]), keras.backend.standardize_dtype(array.dtype)
    return keras.KerasTensor(shape, dtype)


def compiled_with(model: keras.Model) -> tuple[Any, Any]:
    """Return the metrics and the loss of a model."""
    return model._compile_metrics, model._compile_loss


def weighs_single_losses(model: keras.Model) -> bool:
    """Return whether the losses of outputs are means weighted by the batch size."""
    return bool(getattr(model._compile_loss, "metrics", None))


def batches_counted(optimizer: keras.optimizers.Optimizer) -> int:
    """Return the number of batches that an optimizer has counted."""
    return int(batch_counter(optimizer))


def batch_counter(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return the variable in which an optimizer counts batches.

    With gradient accumulation, `iterations` counts updates of the weights; the private counter
    counts every batch. A LossScaleOptimizer leaves its own counter at 0; its inner optimizer
    counts.
    """
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return getattr(optimizer, "_iterations", optimizer.iterations)


def profiles_batches(callback: keras.callbacks.TensorBoard) -> bool:
    """Return whether a TensorBoard callback profiles single batches."""
    return int(getattr(callback, "_start_batch", 0)) > 0


def split_for_validation(arrays: Any, share: float) -> tuple[Any, Any]:
    """Split arrays as `validation_split` does."""
    split: tuple[Any, Any] = private("train_validation_split")(arrays, validation_split=share)
    return split


def weights_of_classes(y: Any, class_weight: dict[int, float]) -> Any:
    """Return the weight of every example, as `class_weight` does."""
    return private("class_weight_to_sample_weights")(y, class_weight)
