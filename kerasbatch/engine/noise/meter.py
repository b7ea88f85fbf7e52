"""The noise of the gradient of a compiled Keras model, at its present weights.

noise = kerasbatch.gradient_noise(model, x, y)   # noise.noise_scale, noise.low, noise.high
"""

import math
from typing import Any, Literal

import keras
import numpy as np

from kerasbatch.engine import keras_private
from kerasbatch.engine.backend import NoiseProgram, backend
from kerasbatch.engine.blocks import GroupSums
from kerasbatch.engine.device import to_device
from kerasbatch.engine.fit.arrays import gather_training_arrays, non_array_kind
from kerasbatch.engine.model_state import preserve
from kerasbatch.engine.noise.estimate import (
    GradientNoise,
    GradientSums,
    estimate_noise,
    exact_noise,
)
from kerasbatch.engine.noise.totals import GradientTotals
from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.program.cache import ProgramCache
from kerasbatch.engine.settings import DEFAULT_SETTINGS
from kerasbatch.engine.sources.example_stream import scale_inputs
from kerasbatch.engine.trainable_state import TrainableState
from kerasbatch.engine.xla import PlannedSteps, XlaMode
from kerasbatch.errors import SpecError
from kerasbatch.sampling import example_order
from kerasbatch.types import Array

Examples = int | Literal["all"] | None
CHUNK, MAX_EXAMPLES = 2048, 16_384
"""The first and the largest number of examples, if the caller sets none."""
NARROW = 4.0
"""The ratio high / low below which no more examples are added."""
GROUPS, MIN_GROUPS = 32, 8
GROUP_BYTES = 2**28
"""The memory limit for the sums of all groups; a larger model gets fewer groups."""
SMALL_BATCH, LARGE_MODEL = 8, 2_000_000
"""The examples per gradient if single ones cost too much, and the weights of such a model."""
MEAN = "sum_over_batch_size"
"""Keras' name for the mean over the examples of a batch."""
COSTLY = (
    "Conv",
    "DepthwiseConv",
    "SeparableConv",
    "MaxPooling",
    "AveragePooling",
    "LSTM",
    "GRU",
    "SimpleRNN",
    "RNN",
    "Bidirectional",
    "MultiHeadAttention",
    "GroupQueryAttention",
)
"""Prefixes of the names of layers whose gradients are cheaper for several examples at once."""


def gradient_noise(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    examples: Examples = None,
    seed: int = 0,
) -> GradientNoise:
    """Measure the noise scale of the gradient, with an interval.

    The noise scale is B_simple = tr(Sigma) / |G|^2 (McCandlish et al. 2018, arXiv 1812.06162,
    eq. 2.9). Far below it, twice the batch size nearly halves the steps; far above it, it saves
    hardly any. It is a proxy, right to an order of magnitude. It grows during training, often
    tenfold, and does not account for the learning rate.

    Gradients are those of the compiled loss before any clipping or loss scaling, with penalties
    (regularizers), which shift the mean and add no noise. The model runs as in inference:
    BatchNormalization with its running statistics, no Dropout. In training, BatchNormalization
    couples the examples of a batch; a batch of one example would be normalised to 0 and have a
    meaningless gradient. The model, its metrics and its optimizer are unchanged.

    Args:
        model: a compiled model.
        x: arrays of shape (n, ...), or lists or dicts of them.
        y: the same.
        sample_weight: the weights of examples, shape (n,).
        examples: the number of examples, drawn without replacement. `all` computes the exact value
            for these data from single examples. None starts with 2,048 and doubles until high / low
            is below 4, up to 16,384.
        seed: the seed of the draw.

    Returns:
        The noise scale, its interval and its parts, unbiased for the population that the examples
        are drawn from; for `all`, the exact values for these examples.

    Raises:
        SpecError: if the data are wrong or too few, if the model has no loss or has a custom
            train_step, or if a gradient is not finite.
    """
    return noise_meter(model, x, y, sample_weight).measure(examples, seed=seed)


def noise_meter(model: keras.Model, x: Any, y: Any, sample_weight: Any) -> "NoiseMeter":
    """Return a meter for the noise of a model on data; arguments as in `gradient_noise`."""
    if kind := non_array_kind(x, y, sample_weight):
        raise SpecError.at(("x",), f"found {kind}; give arrays")
    keras_private.assert_compiled(model)
    return NoiseMeter(model, gather_training_arrays(x, y, sample_weight))


class NoiseMeter:
    """Measures the noise of one model repeatedly, with one compiled program.

    Args:
        model: a compiled model.
        arrays: (x,), (x, y) or (x, y, sample_weight).
        scale: the factor of bytes in x, or None.

    Raises:
        SpecError: if the noise cannot be measured.
    """

    def __init__(self, model: keras.Model, arrays: Arrays, scale: float | None = None) -> None:
        _check_model(model)
        self._model, self._arrays, self._scale = model, arrays, scale
        self.train_examples: int = len(keras.tree.flatten(arrays)[0])
        first = _first(arrays, scale)
        keras_private.build(model, keras.utils.pack_x_y_sample_weight(*first))
        if not model.trainable_variables:
            raise SpecError.at(("model",), "none of its weights is trained, so there is no noise")
        self._weights = sum(math.prod(v.shape) for v in model.trainable_variables)
        self._mode: XlaMode = self._chosen_mode(first)

    def _chosen_mode(self, first: Arrays) -> XlaMode:
        """Return the use of XLA; single steps cannot be compiled, because there are none."""
        size = self._small_batch(MAX_EXAMPLES)
        steps = PlannedSteps(first, size, MAX_EXAMPLES // size)
        try:
            mode = backend().choose_xla(self._model, steps, None, DEFAULT_SETTINGS).mode
        except ObstacleError:  # one to a training, and not to a measurement
            mode = "none"
        return "none" if mode == "step" else mode

    def measure(self, examples: Examples = None, *, seed: int = 0, draw: int = 1) -> GradientNoise:
        """Measure the noise at the model's present weights.

        Args:
            examples: as in `gradient_noise`.
            seed: the seed of the draw.
            draw: the number of the draw with this seed, from 1.
        """
        if examples == "all" and self.train_examples > 1:
            return exact_noise(
                self._sums(
                    np.arange(self.train_examples),
                    GradientTotals.empty(1, self._groups(self.train_examples)),
                )
            )
        count = _checked_count(examples, self.train_examples)
        size = self._small_batch(count)
        order = example_order(self.train_examples, seed=seed, epoch=draw)[:count]
        end = count if examples is not None else min(CHUNK, count)
        total, done = GradientTotals.empty(size, self._groups(end // size)), 0
        while True:
            noise = estimate_noise(self._sums(order[done:end], total))
            if end == count or noise.high < NARROW * noise.low:
                return noise
            done, end = end, min(2 * end, count)

    def _small_batch(self, count: int) -> int:
        """Return the number of examples per gradient: one if that is cheap."""
        layers = (type(layer).__name__ for layer in keras_private.all_layers(self._model))
        costly = any(name.startswith(COSTLY) for name in layers) or self._weights > LARGE_MODEL
        return SMALL_BATCH if costly and count >= SMALL_BATCH * GROUPS else 1

    def _groups(self, batches: int) -> int:
        max_groups: int = GROUP_BYTES // (4 * max(self._weights, 1))
        return max(1, min(batches, GROUPS, max(MIN_GROUPS, max_groups)))

    def _sums(self, chosen: Array, total: GradientTotals) -> GradientSums:
        """Add the gradients of examples to a total, a chunk at a time."""
        untrained = [*self._model.non_trainable_variables, *self._model.metrics_variables]
        with preserve(untrained):
            for start in range(0, len(chosen), CHUNK):
                chunk = chosen[start : start + CHUNK]
                arrays = keras.tree.map_structure(lambda a, at=chunk: a[at], self._arrays)
                indices, counts = total.layout(len(chunk))
                total.add(*self._run(to_device(arrays), indices, counts), counts)
        return total.sums()

    def _run(self, arrays: Arrays, indices: Array, counts: Array) -> tuple[GroupSums, Array]:
        program = self._program()
        try:
            sums = program.sums(arrays, indices, counts)
        except Exception as error:  # XLA refuses some steps in many ways
            if self._mode == "none" or backend().is_out_of_memory(error):
                raise
        else:
            if program.take_mistake() is None:
                return sums
        # TensorFlow may compute what XLA cannot compile, and refuses an index out of range.
        self._mode = "none"
        return self._program().sums(arrays, indices, counts)

    def _program(self) -> NoiseProgram:
        return _PROGRAMS.get(
            self._model,
            (self._mode, self._scale, TrainableState(self._model)),
            lambda: backend().noise_program(self._model, self._mode, self._scale),
        )


_PROGRAMS = ProgramCache[NoiseProgram]()


def _checked_count(examples: Examples, n: int) -> int:
    """Return the largest number of examples for a measurement."""
    if examples is None and n > 1:
        return min(MAX_EXAMPLES, n)
    if n < 2:
        raise SpecError.at(("examples",), "there is only one example; noise needs at least 2")
    is_number = isinstance(examples, int | np.integer) and not isinstance(examples, bool)
    if not is_number or int(examples or 0) < 2:
        message = f"found {examples!r}; must be a whole number from 2 on, 'all' or None"
        raise SpecError.at(("examples",), message)
    if (count := int(examples or 0)) > n:
        raise SpecError.at(("examples",), f"found {count:,} of {n:,} examples; take no more")
    return count


def _check_model(model: keras.Model) -> None:
    """Raise SpecError for a model without a loss, or one that trains by something else."""
    if not keras_private.has_keras_step(model, "train_step"):
        message = "its train_step is its own, so the noise of its training cannot be measured"
        raise SpecError.at(("model",), f"{message}; that of the compiled loss would differ")
    reductions = {
        str(loss.reduction)
        for loss in keras.tree.flatten(model.loss)
        if getattr(loss, "reduction", MEAN) not in (MEAN, "mean")
    }
    if reductions:
        names = ", ".join(sorted(reductions))
        message = f"its loss is reduced by {names}; noise is defined for means"
        raise SpecError.at(("model",), f"{message} over examples ({MEAN})")
    has_loss = type(model).compute_loss is not keras.Model.compute_loss
    if keras_private.compiled_with(model)[1] is None and not has_loss:
        raise SpecError.at(("model",), "it has no loss; call model.compile(loss=...)")
    if backend().is_distributed(model):
        raise SpecError.at(("model",), "it is distributed over several devices; take it out first")


def _first(arrays: Arrays, scale: float | None) -> Arrays:
    """Return the first example as the model gets it."""
    x, *rest = keras.tree.map_structure(lambda array: array[:1], arrays)
    return (scale_inputs(x, scale), *rest)
