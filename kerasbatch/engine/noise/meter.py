"""The noise of the gradient of a compiled Keras model, at its present weights.

noise = kerasbatch.gradient_noise(model, x, y)
noise.noise_scale, noise.low, noise.high     # in examples
"""

import math
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from kerasbatch.engine import keras_private, tensorflow_private
from kerasbatch.engine.device import to_device
from kerasbatch.engine.fit.arrays import gather_training_arrays, non_array_kind
from kerasbatch.engine.model_state import preserve
from kerasbatch.engine.noise.estimate import (
    GradientNoise,
    GradientSums,
    estimate_noise,
    exact_noise,
)
from kerasbatch.engine.noise.program import GroupSums, NoiseProgram
from kerasbatch.engine.noise.totals import GradientTotals
from kerasbatch.engine.options import Arrays
from kerasbatch.engine.program_cache import ProgramCache
from kerasbatch.engine.settings import DEFAULT_SETTINGS
from kerasbatch.engine.sources.example_stream import scale_inputs
from kerasbatch.engine.training.choose import SLOW_UNDER_XLA, choose_xla
from kerasbatch.errors import SpecError
from kerasbatch.sampling import example_order
from kerasbatch.types import Array

Examples = int | Literal["all"] | None
CHUNK, MOST = 2048, 16_384
"""Examples to begin with where nobody says how many, and to end with at the most."""
NARROW = 4.0
"""high / low below which more examples are not asked for."""
GROUPS, LEAST_GROUPS = 32, 8
GROUP_BYTES = 2**28
"""Memory that the sums of all groups may take; then there are fewer groups."""
SMALL_BATCH, LARGE_MODEL = 8, 2_000_000
"""Examples of one gradient where single ones cost too much, and from how many weights on."""
MEAN = "sum_over_batch_size"
"""Keras' name for the mean over the examples of a batch."""
COSTLY = (
    *SLOW_UNDER_XLA,
    "LSTM",
    "GRU",
    "SimpleRNN",
    "RNN",
    "Bidirectional",
    "ConvLSTM",
    "MultiHeadAttention",
    "GroupQueryAttention",
)
"""Layers, by how their names begin, whose gradients cost less for several examples at once."""


def gradient_noise(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    examples: Examples = None,
    seed: int = 0,
) -> GradientNoise:
    """Measure how much the gradients of single examples differ: the noise scale, with an interval.

    The noise scale is B_simple = tr(Sigma) / |G|^2 (McCandlish et al. 2018, arXiv 1812.06162,
    eq. 2.9): at batches far below it, twice the batch nearly halves the steps; far above, it hardly
    saves any. It is a proxy: right to an order of magnitude, it grows during training, often
    tenfold, and says nothing of the learning rate.

    Gradients are those of the compiled loss, with penalties (regularizers), which move the mean and
    add no noise; before any clipping or scaling of the loss. The model computes as in inference:
    BatchNormalization with its running statistics, no Dropout. In training, BatchNormalization ties
    the examples of a batch together; a batch of one example would be normalised to nothing, and its
    gradient would say nothing. The model, its metrics and its optimizer stay as they are.

    Args:
        model: a compiled model.
        x: arrays of shape (n, ...), or lists or dicts of them.
        y: the same.
        sample_weight: the weights of examples, shape (n,).
        examples: how many to look at, drawn without replacement; `all` is exact for these data,
            example by example; None doubles from 2,048 until high / low is below 4, and stops at
            16,384.
        seed: the seed of what is drawn.

    Returns:
        The noise scale, its interval and its parts, unbiased for the population that the examples
        are drawn from; for `all`, those of these very examples.

    Raises:
        SpecError: if the data are wrong or too few, the model has no loss or a train_step of its
            own, or a gradient is not finite.
    """
    return noise_meter(model, x, y, sample_weight).measure(examples, seed=seed)


def noise_meter(model: keras.Model, x: Any, y: Any, sample_weight: Any) -> "NoiseMeter":
    """Return what measures the noise of a model on some data; arguments as in `gradient_noise`."""
    if kind := non_array_kind(x, y, sample_weight):
        raise SpecError.at(("x",), f"found {kind}; give arrays")
    keras_private.assert_compiled(model)
    return NoiseMeter(model, gather_training_arrays(x, y, sample_weight))


class NoiseMeter:
    """Measures the noise of one model again and again, with one compiled program.

    Args:
        model: a compiled model.
        arrays: (x,), (x, y) or (x, y, sample_weight).
        scale: what x is multiplied by on its way to the model, or None.

    Raises:
        SpecError: if its noise cannot be measured.
    """

    def __init__(self, model: keras.Model, arrays: Arrays, scale: float | None = None) -> None:
        _refuse(model)
        self._model, self._arrays, self._scale = model, arrays, scale
        self.train_examples: int = len(keras.tree.flatten(arrays)[0])
        _build(model, arrays, scale)
        if not model.trainable_variables:
            raise SpecError.at(("model",), "none of its weights is trained, so there is no noise")
        self._weights = sum(math.prod(v.shape) for v in model.trainable_variables)
        self._jit = choose_xla(model, arrays, MOST, DEFAULT_SETTINGS.xla_steps)[0]

    def measure(self, examples: Examples = None, *, seed: int = 0, draw: int = 1) -> GradientNoise:
        """Measure the noise at the model's present weights.

        Args:
            examples: as in `gradient_noise`.
            seed: the seed of what is drawn.
            draw: which draw of that seed, from 1.
        """
        if examples == "all" and self.train_examples > 1:
            return exact_noise(
                self._sums(
                    np.arange(self.train_examples),
                    GradientTotals.empty(1, self._groups(self.train_examples)),
                )
            )
        wanted = _wanted(examples, self.train_examples)
        size = self._small_batch(wanted)
        order = example_order(self.train_examples, seed=seed, epoch=draw)[:wanted]
        end = wanted if examples is not None else min(CHUNK, wanted)
        total, done = GradientTotals.empty(size, self._groups(end // size)), 0
        while True:
            found = estimate_noise(self._sums(order[done:end], total))
            if end == wanted or found.high < NARROW * found.low:
                return found
            done, end = end, min(2 * end, wanted)

    def _small_batch(self, wanted: int) -> int:
        """Return how many examples a gradient is taken of: one, where that is cheap."""
        layers = (type(layer).__name__ for layer in keras_private.all_layers(self._model))
        costly = any(name.startswith(COSTLY) for name in layers) or self._weights > LARGE_MODEL
        return SMALL_BATCH if costly and wanted >= SMALL_BATCH * GROUPS else 1

    def _groups(self, batches: int) -> int:
        fit: int = GROUP_BYTES // (4 * max(self._weights, 1))
        return max(1, min(batches, GROUPS, max(LEAST_GROUPS, fit)))

    def _sums(self, chosen: Array, total: GradientTotals) -> GradientSums:
        """Add the gradients of some examples to a total, a chunk at a time."""
        tracked = [*self._model.non_trainable_variables, *self._model.metrics_variables]
        with preserve(tracked):
            for start in range(0, len(chosen), CHUNK):
                piece = chosen[start : start + CHUNK]
                arrays = keras.tree.map_structure(lambda a, at=piece: a[at], self._arrays)
                indices, counts = total.layout(len(piece))
                total.add(*self._run(to_device(arrays), indices, counts), counts)
        return total.sums()

    def _run(self, arrays: Arrays, indices: Array, counts: Array) -> tuple[GroupSums, Array]:
        try:
            return self._program().sums(arrays, indices, counts)
        except (tf.errors.OpError, ValueError, TypeError):
            if not self._jit:
                raise
            self._jit = False  # what XLA cannot compile, TensorFlow may compute
            return self._program().sums(arrays, indices, counts)

    def _program(self) -> NoiseProgram:
        return _PROGRAMS.get(
            self._model,
            (self._jit, self._scale),
            lambda: NoiseProgram(self._model, jit_compile=self._jit, scale=self._scale),
        )


_PROGRAMS = ProgramCache[NoiseProgram]()


def _wanted(examples: Examples, n: int) -> int:
    """Return how many examples to look at, at the most."""
    if examples is None and n > 1:
        return min(MOST, n)
    if n < 2:
        raise SpecError.at(("examples",), "there is only one example; noise needs at least 2")
    is_number = isinstance(examples, int | np.integer) and not isinstance(examples, bool)
    if not is_number or int(examples or 0) < 2:
        message = f"found {examples!r}; must be a whole number from 2 on, 'all' or None"
        raise SpecError.at(("examples",), message)
    if (wanted := int(examples or 0)) > n:
        raise SpecError.at(("examples",), f"found {wanted:,} of {n:,} examples; take no more")
    return wanted


def _refuse(model: keras.Model) -> None:
    """Complain of a model whose loss is not what it trains by, or that has none."""
    if not keras_private.has_keras_step(model, "train_step"):
        message = "its train_step is its own, so the noise of its training cannot be told"
        raise SpecError.at(("model",), f"{message}; that of the compiled loss is another")
    odd = {
        str(loss.reduction)
        for loss in keras.tree.flatten(model.loss)
        if getattr(loss, "reduction", MEAN) not in (MEAN, "mean")
    }
    if odd:
        message = f"its loss is reduced by {', '.join(sorted(odd))}; noise is told of means"
        raise SpecError.at(("model",), f"{message} over examples ({MEAN})")
    own = type(model).compute_loss is not keras.Model.compute_loss
    if keras_private.compiled_with(model)[1] is None and not own:
        raise SpecError.at(("model",), "it has no loss; call model.compile(loss=...)")
    if tensorflow_private.is_distributed(model):
        raise SpecError.at(("model",), "it is distributed over several devices; take it out first")


def _build(model: keras.Model, arrays: Arrays, scale: float | None) -> None:
    """Give a model its weights, and its loss and metrics theirs, where they have none yet."""
    x, *rest = keras.tree.map_structure(lambda array: array[:1], arrays)
    batch = (scale_inputs(x, scale), *rest)
    keras_private.build(model, keras.utils.pack_x_y_sample_weight(*batch))
