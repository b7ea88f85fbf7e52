"""The initial state of a built model, drawn again for another seed without building it anew.

Keras draws a seed for every random initializer and every random layer from Python's generator, in
the order in which they are made. The values of a new model show which draw belongs to which weight;
a second new model, of another seed, shows whether that is right.
"""

import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasbatch.engine.keras_private import all_layers, schedule
from kerasbatch.engine.model_state import MAX_KEPT_BYTES, all_variables, bytes_of
from kerasbatch.models.rate_schedule import rate_schedule
from kerasbatch.spec.learning_rate import LearningRate
from kerasbatch.types import Array

MAX_SEED = 10**9
"""The largest seed that Keras draws."""
MAX_DRAWS = 1000
"""The number of draws among which that of a weight is looked for."""


@dataclass(frozen=True)
class _Source:
    """The source of the initial value of a variable.

    Args:
        value: the value of the first model.
        draw: the number of the draw that decides it, or None if none does.
        initializer: makes the value from the draw; None for the state of a random layer.
    """

    value: Array
    draw: int | None = None
    initializer: Any = None

    def values(self, seeds: list[int]) -> Any:
        """Return the value for the seeds that Keras would draw."""
        if self.draw is None:
            return self.value
        if self.initializer is None:
            return np.array([seeds[self.draw], 0], self.value.dtype)
        initializer = copy.copy(self.initializer)
        initializer.seed = seeds[self.draw]
        return initializer(self.value.shape, dtype=str(self.value.dtype))


class InitialState:
    """The initial state of models of one configuration.

    Args:
        model: a model that was built for `seed`, compiled, with a built optimizer, and not trained.
        seed: the seed.

    Attributes:
        is_verified: whether a second model has shown that other seeds give the right values.
    """

    def __init__(self, model: keras.Model, seed: int) -> None:
        self._seed, self.is_verified = seed, False
        is_large = bytes_of(all_variables(model)) > MAX_KEPT_BYTES
        self._draws = None if is_large else _draws_until_now(seed)
        if self._draws is None:
            return
        numbers = {value: number for number, value in enumerate(_seeds(seed))}
        self._weights = [
            _source(variable, initializers, numbers)
            for variable, initializers in _weights_with_initializers(model)
        ]
        self._optimizer = [np.asarray(variable) for variable in model.optimizer.variables]

    def knows(self, seed: int) -> bool:
        """Return whether `restore` may be called for a seed."""
        return self._draws is not None and (self.is_verified or seed == self._seed)

    def verify(self, model: keras.Model, seed: int) -> None:
        """Compare the values for a seed with those of a model that was built for it."""
        if seed == self._seed or self._draws is None:
            return
        seeds = list(_seeds(seed))
        weights = [variable for variable, _ in _weights_with_initializers(model)]
        self.is_verified = len(weights) == len(self._weights) and all(
            np.array_equal(variable, source.values(seeds))
            for variable, source in zip(weights, self._weights, strict=True)
        )

    def restore(self, model: keras.Model, seed: int, rate: LearningRate) -> None:
        """Give a model of this configuration the state of a new one.

        Args:
            model: a built, compiled model.
            seed: the seed of its weights; `knows` must be true.
            rate: its learning rate.
        """
        # keras.utils.set_random_seed sets TensorFlow's seed too, which Keras' layers do not use; it
        # clears the caches of all compiled functions, and costs 0.15 s in the next steps.
        random.seed(seed)
        np.random.seed(seed)
        seeds = [random.randint(1, MAX_SEED) for _ in range(self._draws or 0)]  # noqa: S311
        weights = (variable for variable, _ in _weights_with_initializers(model))
        for variable, source in zip(weights, self._weights, strict=True):
            variable.assign(source.value if seed == self._seed else source.values(seeds))
        for variable, value in zip(model.optimizer.variables, self._optimizer, strict=True):
            variable.assign(value)
        _set_rate(model, rate)
        for metric in model.metrics:
            metric.reset_state()


def _set_rate(model: keras.Model, rate: LearningRate) -> None:
    if (planned := rate_schedule(rate)) is not None:
        schedule(model).copy_from(planned)
    elif rate.value is not None:
        model.optimizer.learning_rate = rate.value


def _seeds(seed: int) -> Iterator[int]:
    """Yield the seeds that Keras draws after `keras.utils.set_random_seed`."""
    generator = random.Random(seed)  # noqa: S311
    for _ in range(MAX_DRAWS):
        yield generator.randint(1, MAX_SEED)


def _draws_until_now(seed: int) -> int | None:
    """Return the number of seeds that were drawn since the seed was set, or None if unknown."""
    generator, now = random.Random(seed), random.getstate()  # noqa: S311
    for number in range(MAX_DRAWS):
        if generator.getstate() == now:
            return number
        generator.randint(1, MAX_SEED)
    return None


def _weights_with_initializers(
    model: keras.Model,
) -> Iterator[tuple[keras.Variable, list[keras.Initializer]]]:
    """Yield all weights and states of a model, with the initializers that may have drawn them."""
    layers = all_layers(model)  # an inner one comes after those around it
    owners = {id(variable): layer for layer in layers for variable in layer.variables}
    for variable in model.variables:
        named = vars(owners[id(variable)]).items()
        yield variable, [value for name, value in named if _may_draw(name, value, variable)]


def _may_draw(attribute: str, value: Any, variable: keras.Variable) -> bool:
    """Return whether an attribute of a layer, like `kernel_initializer`, can draw a variable."""
    prefix = attribute.removesuffix("_initializer")
    is_initializer = isinstance(value, keras.Initializer) and prefix != attribute
    # An orthogonal one refuses vectors.
    return is_initializer and (str(variable.name).startswith(prefix) or len(variable.shape) > 1)


def _source(
    variable: keras.Variable, initializers: list[keras.Initializer], numbers: dict[int, int]
) -> _Source:
    value = np.asarray(variable)
    if variable.path.endswith("seed_generator_state"):
        return _Source(value, numbers.get(int(value[0])))
    for initializer in initializers:
        draw = numbers.get(getattr(initializer, "seed", -1))
        if draw is not None and initializer.get_config().get("seed") is None:
            source = _Source(value, draw, initializer)
            if np.array_equal(initializer(value.shape, dtype=variable.dtype), value):
                return source
    return _Source(value)
