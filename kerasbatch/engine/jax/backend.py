"""JAX as the backend of the engine."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras

from kerasbatch.engine import keras_private, private_names
from kerasbatch.engine.backend import Backend, ProgramSettings
from kerasbatch.engine.jax.checksums import halves
from kerasbatch.engine.jax.functions import ProgramFunctions
from kerasbatch.engine.jax.noise_program import JaxNoiseProgram
from kerasbatch.engine.jax.plain_data import OrderedBatches
from kerasbatch.engine.jax.program import JaxProgram
from kerasbatch.engine.jax.watched_step import WatchedStep
from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.program.shared import functions_for
from kerasbatch.engine.settings import EngineSettings
from kerasbatch.engine.trainable_state import TrainableState
from kerasbatch.engine.xla import PlannedSteps, XlaChoice, XlaMode
from kerasbatch.types import Array


class JaxBackend:
    """The home of JAX; the methods are those of `Backend`."""

    constants: tuple[type, ...] = ()
    variables: tuple[type, ...] = ()
    always_compiles = True

    def program(self, model: keras.Model, settings: ProgramSettings) -> JaxProgram:
        """Return the program of a built, compiled model."""
        functions = functions_for(model, settings, lambda: ProgramFunctions(model, settings))
        return JaxProgram(model, functions)

    def noise_program(
        self, model: keras.Model, mode: XlaMode, scale: float | None
    ) -> JaxNoiseProgram:
        """Return the program for the noise of a model."""
        return JaxNoiseProgram(model, scale)

    def choose_xla(
        self, model: keras.Model, steps: PlannedSteps, asked: bool | None, settings: EngineSettings
    ) -> XlaChoice:
        """Choose to compile the loop over the steps, or each step where its program refuses.

        Raises:
            ObstacleError: if nothing may be compiled.
        """
        requested = keras_private.requested_xla(model) if asked is None else asked
        if requested is False:
            raise ObstacleError("JAX compiles steps with XLA, and jit_compile is False")
        if requested is None and not keras_private.supports_xla(model):
            raise ObstacleError("a layer does not support XLA")
        return XlaChoice(settings.xla_mode or "lowered_loop", "compiled with XLA")

    def traced_flags(self, model: keras.Model, size: int | None) -> TrainableState:
        """Return the present flags: Keras on JAX traces again when they change."""
        return TrainableState(model)

    def build_for_own_step(self, model: keras.Model, batch: Any) -> None:
        """Build the model and its optimizer, as Keras does on JAX before any step."""
        keras_private.build(model, batch)
        if model.optimizer is not None and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)

    def try_call(self, function: Callable[[], Any]) -> None:
        """Trace a function: each operation alone would be compiled, which takes long."""

        def traced() -> None:
            function()

        with keras.StatelessScope():
            jax.eval_shape(traced)

    def plain_data(self, stream: Any, epoch: Callable[[], int], *, is_tagged: bool) -> Any:
        """Return the batches of an ExampleStream as a PyDataset."""
        return OrderedBatches(stream, epoch, is_tagged=is_tagged)

    def watched_step(self, model: keras.Model, *, reports_loss: bool) -> WatchedStep:
        """Let plain `fit` take watched steps, whose batches are (tags, arrays)."""
        return WatchedStep(model, reports_loss=reports_loss)

    def validation_iterator(self, model: keras.Model, data: dict[str, Any]) -> Any:
        """Return the iterator that Keras' `fit` keeps for all its validations."""
        return private_names.private("JAXEpochIterator")(
            **{name: value for name, value in data.items() if name != "steps"},
            steps_per_epoch=data["steps"],
            steps_per_execution=model.steps_per_execution,
            shuffle=False,
        )

    def to_device(self, array: Any) -> jax.Array:
        """Return an array on the device; JAX makes 64-bit numbers 32-bit ones by default."""
        return jnp.asarray(array)

    def in_place(self, array: Array) -> jax.Array:
        """Return an aligned array as one of JAX over the same memory; on a GPU, a copy."""
        is_shared = array.dtype.kind in "iuf" and array.dtype.itemsize <= 4
        if jax.default_backend() != "cpu" or not is_shared:
            return jnp.array(array)
        shared: jax.Array = jnp.from_dlpack(array)
        return shared

    def tags(self, tags: Array) -> jax.Array:
        """Return the halves of the tags of examples on the device, uint32 of shape (n, 2)."""
        on_device: jax.Array = halves(tags)
        return on_device

    def has_gpu(self) -> bool:
        """Return whether the device is a GPU."""
        return jax.default_backend() == "gpu"

    def gpu_capability(self) -> Sequence[int] | None:
        """Return the compute capability of the GPU; None if it is unknown."""
        text = str(getattr(jax.devices()[0], "compute_capability", ""))
        parts = text.split(".")
        return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else None

    def runs_eagerly(self) -> bool:
        """Return whether nothing is compiled in this process."""
        return bool(jax.config.values["jax_disable_jit"])

    def process_settings(self) -> Any:
        """Return the settings of JAX that own code may change, and that other runs depend on."""
        names = "jax_disable_jit", "jax_enable_x64", "jax_default_matmul_precision"
        return tuple(jax.config.values[name] for name in names)

    def is_distributed(self, model: keras.Model) -> bool:
        """Return whether a model trains on several devices."""
        return keras.distribution.distribution() is not None

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Return whether the device has no room."""
        is_full = isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(
            error
        )
        return isinstance(error, MemoryError) or is_full


BACKEND: Backend = JaxBackend()
