"""Every private API of Keras that we use; `tensorflow_private` has TensorFlow's.

`data_private` uses the part about data. PRIVATE_NAMES lists all names with their use. If the
installed Keras lacks one, `missing` returns a sentence about it, and the engine leaves the training
to plain `model.fit`.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf


@dataclass(frozen=True)
class PrivateName:
    """A part of Keras or TensorFlow that is not public.

    Args:
        module: its module.
        name: its name in the module, with a dot for a member of a class.
        use: its use, to end the sentence "needed to ...".
    """

    module: str
    name: str
    use: str

    def get(self) -> Any:
        """Return it, or None if the installed version lacks it."""
        try:
            part: Any = importlib.import_module(self.module)
        except ImportError:
            return None
        for name in self.name.split("."):
            part = getattr(part, name, None)
        return part

    @property
    def sentence(self) -> str:
        """The message that it is missing, with its use."""
        versions = f"Keras {keras.__version__} and TensorFlow {tf.__version__}"
        return f"{versions} have no {self.module}.{self.name}, needed to {self.use}"


_TRAINER = "keras.src.backend.tensorflow.trainer"
_STATE = "keras.src.backend.common.global_state"
_ADAPTERS = "keras.src.trainers.data_adapters"
PRIVATE_NAMES = (
    PrivateName(
        _TRAINER, "TensorFlowTrainer.make_train_function", "know a model's own train function"
    ),
    PrivateName(
        _TRAINER, "TensorFlowTrainer.train_step", "tell Keras' own training step from others"
    ),
    PrivateName(_TRAINER, "TensorFlowTrainer.test_step", "tell Keras' own test step from others"),
    PrivateName("keras.src.trainers.trainer", "Trainer", "know how metrics are reset"),
    PrivateName("keras.src.trainers.trainer", "model_supports_jit", "ask whether XLA can compile"),
    PrivateName("keras", "Model._resolve_auto_jit_compile", "know whether XLA was asked for"),
    PrivateName("keras", "Model._get_metrics_result_or_logs", "make the logs of an epoch"),
    PrivateName("keras", "Model._should_eval", "validate after the same epochs"),
    PrivateName(_TRAINER, "TFEpochIterator", "validate on the same data"),
    PrivateName(_STATE, "get_global_attribute", "forget programs in clear_session"),
    PrivateName(_STATE, "set_global_attribute", "forget programs in clear_session"),
    PrivateName("keras", "Model._flatten_layers", "look at the layers inside layers"),
    PrivateName("keras", "Model._symbolic_build", "build a model without a step"),
    PrivateName("keras", "Model._assert_compile_called", "refuse a model that is not compiled"),
    PrivateName(f"{_ADAPTERS}.array_slicing", "train_validation_split", "split as Keras does"),
    PrivateName(_ADAPTERS, "get_data_adapter", "read data as Keras does"),
    PrivateName(_ADAPTERS, "TFDatasetAdapter", "know a tf.data.Dataset among data"),
    PrivateName(_ADAPTERS, "GeneratorDataAdapter", "know a generator among data"),
    PrivateName(
        f"{_ADAPTERS}.data_adapter_utils",
        "class_weight_to_sample_weights",
        "weigh classes as Keras does",
    ),
    PrivateName(
        "tensorflow.python.framework.op_callbacks",
        "add_op_callback",
        "check indices beside the operations that use them",
    ),
    PrivateName(
        "tensorflow.python.framework.op_callbacks",
        "remove_op_callback",
        "check indices beside the operations that use them",
    ),
    PrivateName(
        "tensorflow.python.ops.control_flow_v2_func_graphs",
        "WhileBodyFuncGraph",
        "read weights before loops",
    ),
    PrivateName(
        "tensorflow.python.ops.resource_variable_ops",
        "BaseResourceVariable._read_variable_op",
        "read weights before loops",
    ),
)
_BY_NAME = {part.name: part for part in PRIVATE_NAMES}
_OF_COMPILED = ("_compile_loss", "_compile_metrics", "_initial_epoch")


def missing(model: keras.Model | None = None) -> str | None:
    """Return a sentence about a private API that the installed Keras lacks, or None.

    Args:
        model: a compiled model; some parts belong to the model and not to its class.
    """
    for part in PRIVATE_NAMES:
        if part.get() is None:
            return part.sentence
    for name in () if model is None else _OF_COMPILED:
        if not hasattr(model, name):
            return PrivateName(
                "keras", f"Model.{name}", "know what a model was compiled for"
            ).sentence
    return None


def private(name: str) -> Any:
    """Return a private part by its name in PRIVATE_NAMES."""
    return _BY_NAME[name].get()


def assert_compiled(model: keras.Model) -> None:
    """Raise Keras' own error for a model that is not compiled."""
    model._assert_compile_called("fit")


def schedule(model: keras.Model) -> Any:
    """Return the learning-rate schedule of a model's optimizer."""
    return model.optimizer._learning_rate


def has_own_train_function(model: keras.Model) -> bool:
    """Return whether a model's class overrides `make_train_function`."""
    return bool(
        type(model).make_train_function is not private("TensorFlowTrainer.make_train_function")
    )


def has_keras_step(model: keras.Model, step: str) -> bool:
    """Return whether `train_step` or `test_step`, and its result, are Keras' own.

    The logs of a step are then the results of the metrics.
    """
    trainer = importlib.import_module(_TRAINER).TensorFlowTrainer
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
