"""The names of the private API of Keras and TensorFlow that we use, with their use.

If the installed Keras lacks one, `missing` returns a sentence about it, and the engine leaves the
training to plain `model.fit`.
"""

import importlib
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import keras


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
        library = _LIBRARIES[BACKEND]
        versions = f"Keras {keras.__version__} and {library} {version(library.lower())}"
        return f"{versions} have no {self.module}.{self.name}, needed to {self.use}"


BACKEND = keras.backend.backend()
_LIBRARIES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}
TRAINER = f"keras.src.backend.{BACKEND}.trainer"
TRAINER_NAME = {"tensorflow": "TensorFlowTrainer", "jax": "JAXTrainer"}.get(BACKEND, "TorchTrainer")
_STATE = "keras.src.backend.common.global_state"
_ADAPTERS = "keras.src.trainers.data_adapters"
_COMMON = (
    PrivateName(
        TRAINER, f"{TRAINER_NAME}.make_train_function", "know a model's own train function"
    ),
    PrivateName(TRAINER, f"{TRAINER_NAME}.train_step", "tell Keras' own training step from others"),
    PrivateName(TRAINER, f"{TRAINER_NAME}.test_step", "tell Keras' own test step from others"),
    PrivateName("keras.src.trainers.trainer", "Trainer", "know how metrics are reset"),
    PrivateName("keras.src.trainers.trainer", "model_supports_jit", "ask whether XLA can compile"),
    PrivateName("keras", "Model._resolve_auto_jit_compile", "know whether XLA was asked for"),
    PrivateName("keras", "Model._get_metrics_result_or_logs", "make the logs of an epoch"),
    PrivateName("keras", "Model._should_eval", "validate after the same epochs"),
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
)
_OF_BACKENDS = {
    "tensorflow": (
        PrivateName(TRAINER, "TFEpochIterator", "validate on the same data"),
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
    ),
    "jax": (
        PrivateName(TRAINER, "JAXEpochIterator", "validate on the same data"),
        PrivateName("keras.src.utils.module_utils", "tensorflow", "not import TensorFlow"),
    ),
}
PRIVATE_NAMES = (*_COMMON, *_OF_BACKENDS.get(BACKEND, ()))
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
