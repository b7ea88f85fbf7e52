"""TensorFlow as the backend of the engine."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from kerasbatch.engine import private_names
from kerasbatch.engine.backend import Backend, ProgramSettings
from kerasbatch.engine.device import ALIGNMENT
from kerasbatch.engine.program.cache import ProgramCache
from kerasbatch.engine.program.shared import functions_for
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.tensorflow import private
from kerasbatch.engine.tensorflow.functions import ProgramFunctions
from kerasbatch.engine.tensorflow.noise_program import TensorFlowNoiseProgram
from kerasbatch.engine.tensorflow.own_step import build_for_own_step
from kerasbatch.engine.tensorflow.plain_data import plain_data
from kerasbatch.engine.tensorflow.program import TensorFlowProgram
from kerasbatch.engine.tensorflow.watched_step import WatchedStep
from kerasbatch.engine.tensorflow.xla_choice import choose_xla
from kerasbatch.engine.trainable_state import StepTraces, TrainableState
from kerasbatch.engine.xla import PlannedSteps, XlaChoice, XlaMode
from kerasbatch.types import Array

_TRACES = ProgramCache[StepTraces]()


class TensorFlowBackend:
    """The home of TensorFlow; the methods are those of `Backend`."""

    constants: tuple[type, ...] = (tf.DType, tf.TensorShape)
    variables: tuple[type, ...] = (tf.Variable,)
    always_compiles = False

    def program(self, model: keras.Model, settings: ProgramSettings) -> TensorFlowProgram:
        """Return the program of a built, compiled model."""
        functions = functions_for(model, settings, lambda: ProgramFunctions(model, settings))
        return TensorFlowProgram(model, functions)

    def noise_program(
        self, model: keras.Model, mode: XlaMode, scale: float | None
    ) -> TensorFlowNoiseProgram:
        """Return the program for the noise of a model."""
        return TensorFlowNoiseProgram(model, mode=mode, scale=scale)

    def choose_xla(
        self, model: keras.Model, steps: PlannedSteps, asked: bool | None, settings: EngineSettings
    ) -> XlaChoice:
        """Choose the use of XLA."""
        return choose_xla(model, steps, asked, settings)

    def traced_flags(self, model: keras.Model, size: int | None) -> TrainableState:
        """Return the flags of the traces that Keras would have made since `compile`."""
        return _TRACES.get(model, (), StepTraces).flags(model, size)

    def build_for_own_step(self, model: keras.Model, batch: Any) -> None:
        """Build what a custom `train_step` uses."""
        build_for_own_step(model, batch)

    def try_call(self, function: Callable[[], Any]) -> None:
        """Call a function."""
        function()

    def plain_data(self, stream: Any, epoch: Callable[[], int], *, is_tagged: bool) -> Any:
        """Return the batches of an ExampleStream as a tf.data.Dataset of one pass."""
        return plain_data(stream, epoch, is_tagged=is_tagged)

    def watched_step(self, model: keras.Model, *, reports_loss: bool) -> WatchedStep:
        """Let plain `fit` take watched steps, whose batches are (tags, arrays)."""
        return WatchedStep(model, reports_loss=reports_loss)

    def validation_iterator(self, model: keras.Model, data: dict[str, Any]) -> Any:
        """Return the iterator that Keras' `fit` keeps for all its validations."""
        return private_names.private("TFEpochIterator")(
            **{name: value for name, value in data.items() if name != "steps"},
            steps_per_epoch=data["steps"],
            distribute_strategy=model.distribute_strategy,
            steps_per_execution=model.steps_per_execution,
            shuffle=False,
        )

    def to_device(self, array: Any) -> tf.Tensor:
        """Return an array as a tensor."""
        return tf.convert_to_tensor(array)

    def in_place(self, array: Array) -> tf.Tensor:
        """Return an aligned array as a tensor over the same memory; on a GPU, a copy.

        Types that are not native to NumPy, like bfloat16, are copied too.
        """
        if self.has_gpu() or array.dtype.kind not in "biuf":
            return tf.convert_to_tensor(array)
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())

    def tags(self, tags: Array) -> tf.Tensor:
        """Return the tags of examples, int64, on the device."""
        is_aligned = tags.ctypes.data % ALIGNMENT == 0
        return self.in_place(tags) if is_aligned else tf.constant(tags)

    def has_gpu(self) -> bool:
        """Return whether the device is a GPU."""
        return bool(tf.config.get_visible_devices("GPU"))

    def gpu_capability(self) -> Sequence[int] | None:
        """Return the compute capability of the GPU; None if it is unknown."""
        gpus = tf.config.get_visible_devices("GPU")
        details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        capability: Sequence[int] | None = details.get("compute_capability")
        return capability

    def runs_eagerly(self) -> bool:
        """Return whether nothing is compiled in this process."""
        return bool(tf.config.functions_run_eagerly())

    def process_settings(self) -> Any:
        """Return the settings of TensorFlow that own code may change."""
        return tf.config.functions_run_eagerly(), tf.executing_eagerly()

    def is_distributed(self, model: keras.Model) -> bool:
        """Return whether a model trains on several devices."""
        return private.is_distributed(model)

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Return whether the device has no room."""
        return isinstance(error, MemoryError | tf.errors.ResourceExhaustedError)


BACKEND: Backend = TensorFlowBackend()
