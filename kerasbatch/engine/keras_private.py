"""What of Keras and TensorFlow is not public and used all the same; no other module names it.

Every part is listed with what it is used for. Where the installed Keras has one no more,
`missing` says so in a sentence, and the engine leaves the training to plain `model.fit`.
"""

import contextlib
import importlib
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf


@dataclass(frozen=True)
class PrivateName:
    """A part of Keras or TensorFlow that is not public.

    Args:
        module: where it is.
        name: its name there, with a dot where it belongs to a class.
        use: what is done with it, to end the sentence "needed to ...".
    """

    module: str
    name: str
    use: str

    def get(self) -> Any:
        """Return it, or None where the installed version has it no more."""
        try:
            found: Any = importlib.import_module(self.module)
        except ImportError:
            return None
        for name in self.name.split("."):
            found = getattr(found, name, None)
        return found

    @property
    def sentence(self) -> str:
        """Say that it is gone, and what for it was needed."""
        versions = f"Keras {keras.__version__} and TensorFlow {tf.__version__}"
        return f"{versions} have no {self.module}.{self.name}, needed to {self.use}"


_TRAINER = "keras.src.backend.tensorflow.trainer"
_ADAPTERS = "keras.src.trainers.data_adapters"
PRIVATE_NAMES = (
    PrivateName(
        _TRAINER, "TensorFlowTrainer.make_train_function", "know a model's own train function"
    ),
    PrivateName(
        _TRAINER, "TensorFlowTrainer.train_step", "tell Keras' own training step from others"
    ),
    PrivateName(_TRAINER, "TensorFlowTrainer.test_step", "tell Keras' own test step from others"),
    PrivateName("keras.src.trainers.trainer", "model_supports_jit", "ask whether XLA can compile"),
    PrivateName("keras", "Model._resolve_auto_jit_compile", "know whether XLA was asked for"),
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
_READING = threading.RLock()
"""Held while variables read otherwise: models in two threads may share layers."""


def missing(model: keras.Model | None = None) -> str | None:
    """Return what the installed Keras has no more, in a sentence, or None.

    Args:
        model: a compiled model; some parts belong to it and not to its class.
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


def _get(name: str) -> Any:
    return _BY_NAME[name].get()


def assert_compiled(model: keras.Model) -> None:
    """Raise Keras' own error for a model that is not compiled."""
    model._assert_compile_called("fit")


def schedule(model: keras.Model) -> Any:
    """Return the object that a model's optimizer asks for its learning rate."""
    return model.optimizer._learning_rate


def has_own_train_function(model: keras.Model) -> bool:
    """Tell whether a model's class makes its train function itself."""
    return bool(
        type(model).make_train_function is not _get("TensorFlowTrainer.make_train_function")
    )


def has_keras_step(model: keras.Model, step: str) -> bool:
    """Tell whether `train_step` or `test_step`, and what it returns, are Keras' own.

    Then the logs of a step are the results of the metrics.
    """
    trainer = importlib.import_module(_TRAINER).TensorFlowTrainer
    return step not in vars(model) and all(
        getattr(type(model), name) is getattr(trainer, name)
        for name in (step, "compute_metrics", "get_metrics_result")
    )


def supports_xla(model: keras.Model) -> bool:
    """Tell whether Keras thinks that XLA can compile a model."""
    return bool(_get("model_supports_jit")(model))


def asked_for_xla(model: keras.Model) -> bool | None:
    """Tell whether `compile` was called with or without `jit_compile`; None where Keras chose.

    Keras keeps the outcome of "auto" only; an explicit value shows where auto would say otherwise.
    """
    asked = bool(model.jit_compile)
    return asked if asked != bool(model._resolve_auto_jit_compile()) else None


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return a model's layers, those inside layers too."""
    return list(model._flatten_layers())


def build(model: keras.Model, batch: Any) -> None:
    """Build a model, its loss, its metrics and its optimizer, without a step.

    Args:
        model: a compiled model.
        batch: what its training step gets; its first dimension is taken for any.
    """
    model._symbolic_build(data_batch=keras.tree.map_structure(_of_any_size, batch))


def _of_any_size(array: Any) -> Any:
    shape, dtype = (None, *array.shape[1:]), keras.backend.standardize_dtype(array.dtype)
    return keras.KerasTensor(shape, dtype)


def compiled_with(model: keras.Model) -> tuple[Any, Any]:
    """Return the objects by which a model measures: its metrics and its loss."""
    return model._compile_metrics, model._compile_loss


def weighs_single_losses(model: keras.Model) -> bool:
    """Tell whether the losses of single outputs are means weighted by the batch's size."""
    return bool(getattr(model._compile_loss, "metrics", None))


def initial_epoch(model: keras.Model) -> int:
    """Return the epoch at which a callback, BackupAndRestore, takes a training up; else 0."""
    return int(model._initial_epoch or 0)


def batches_counted(optimizer: keras.optimizers.Optimizer) -> int:
    """Return an optimizer's own count of batches.

    With gradient accumulation, `iterations` counts changes of the weights; the counter behind it
    counts every batch. An optimizer that scales the loss leaves its own counter at 0; the one
    inside it counts.
    """
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return int(getattr(optimizer, "_iterations", optimizer.iterations))


def is_distributed(model: keras.Model) -> bool:
    """Tell whether a model trains on several devices."""
    return tf.distribute.has_strategy() or getattr(model, "_distribute_strategy", None) is not None


def profiles_batches(callback: keras.callbacks.TensorBoard) -> bool:
    """Tell whether a TensorBoard callback looks at single batches to profile them."""
    return int(getattr(callback, "_start_batch", 0)) > 0


def split_for_validation(arrays: Any, share: float) -> tuple[Any, Any]:
    """Split arrays as `validation_split` does."""
    split: tuple[Any, Any] = _get("train_validation_split")(arrays, validation_split=share)
    return split


def adapter(x: Any, *, steps: int | None, shuffle: bool, class_weight: Any) -> Any:
    """Return Keras' own reader of data that are no arrays."""
    return _get("get_data_adapter")(
        x, steps_per_epoch=steps, shuffle=shuffle, class_weight=class_weight
    )


def is_of_dataset(adapter: Any) -> bool:
    """Tell whether an adapter reads a tf.data.Dataset."""
    return isinstance(adapter, _get("TFDatasetAdapter"))


def stated_batch_size(dataset: tf.data.Dataset) -> int | None:
    """Return the size that the last `batch` of a dataset was called with; None where none is found.

    A hint: what comes after it may change it.
    """
    step: Any = dataset
    while step is not None:
        size = getattr(step, "_batch_size", None)
        if size is not None:
            return int(size)
        step = getattr(step, "_input_dataset", None)
    return None


def first_batches(adapter: Any) -> list[Any]:
    """Return the first batches of a generator, one or two; none of other data.

    Keras has taken them out of the generator already, and puts them back in front.
    """
    if not isinstance(adapter, _get("GeneratorDataAdapter")):
        return []
    return list(adapter._first_batches)


def put_back(adapter: Any, generator: Any) -> Any:
    """Return a generator with the batches that its adapter took out; other data as they are."""
    if not isinstance(adapter, _get("GeneratorDataAdapter")):
        return generator
    return (batch for batch in itertools.chain(adapter._first_batches, generator))


def weights_of_classes(y: Any, class_weight: dict[int, float]) -> Any:
    """Return the weight of every example, as `class_weight` does."""
    return _get("class_weight_to_sample_weights")(y, class_weight)


def silence_retracing(function: Any) -> None:
    """Let TensorFlow not warn that a function is traced often: every model has its own."""
    function._omit_frequent_tracing_warning = True


@contextlib.contextmanager
def read_before_loops(model: keras.Model) -> Iterator[None]:
    """Let loops inside a traced step use weights that were read before the loop began.

    A recurrent layer reads its weights anew for every time step, and the gradient of its loop
    stacks up all that was read inside: under XLA, a copy of the weights for every time step. An
    LSTM(64) at batch 16 spends a third of its time on them. Keras' own step writes no weights in
    such a loop; a step that does must not be traced in here.
    """
    step = tf.compat.v1.get_default_graph()
    weights = [weight.value for weight in model.trainable_variables]
    with _READING:
        for weight in weights:
            weight._read_variable_op = _outside_of_loops(weight._read_variable_op, step)
        try:
            yield
        finally:
            for weight in weights:
                del weight._read_variable_op


def _outside_of_loops(read: Callable[..., Any], step: tf.Graph) -> Callable[..., Any]:
    body = _get("WhileBodyFuncGraph")

    def read_outside(*arguments: Any, **options: Any) -> Any:
        graph = tf.compat.v1.get_default_graph()
        while isinstance(graph, body) and graph is not step:
            graph = graph.outer_graph
        with graph.as_default() if graph is step else contextlib.nullcontext():
            return read(*arguments, **options)

    return read_outside
