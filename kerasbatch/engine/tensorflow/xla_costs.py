"""The estimated costs of XLA: what its compilation takes, and what a compiled step saves."""

import math
from dataclasses import dataclass

import keras

from kerasbatch.engine.keras_private import all_layers
from kerasbatch.engine.tensorflow.step_operations import StepOperations
from kerasbatch.engine.xla import XlaMode


@dataclass(frozen=True)
class ConvolutionCosts:
    """The constants of convolutions, which depend on the library of those that are not lowered.

    Args:
        saved: the seconds that each lowered convolution saves in a step, with its gradients.
        patch_bytes: the bytes of the patches of a step up to which lowered ones are best; larger
            ones outgrow the cache.
        compiles_steps: whether a compiled step is best beyond: the convolutions of XLA are slower
            than those of oneDNN, and as fast as TensorFlow's without it.
    """

    saved: float
    patch_bytes: int
    compiles_steps: bool


WITH_ONEDNN = ConvolutionCosts(saved=2.8e-4, patch_bytes=10_000_000, compiles_steps=False)
WITHOUT_ONEDNN = ConvolutionCosts(saved=1.8e-4, patch_bytes=18_000_000, compiles_steps=True)


@dataclass(frozen=True)
class XlaCosts:
    """The constants of the estimate, measured on two CPU cores by `benchmarks/zoo.py`.

    Args:
        convolutions: the constants of convolutions.
        step: the seconds that XLA saves in every step of any model.
        operation: the same for each operation of a forward pass, with those of its gradient.
        element: the same for the elements of their results, to the power of `efficiency`: without
            XLA, large operations are faster for each element than small ones.
        efficiency: the exponent.
        state: the same for each number of the weights and of the optimizer.
        embedding: the part of this for the numbers of an Embedding, of which a step reads few.
        random_element: what XLA loses for each random number that is not lowered.
        lowered_random_element: the same for each one that is.
        call: the seconds that every call of a compiled step costs.
        compilation: the seconds that XLA's compilation takes longer than TensorFlow's.
        compiled_operation: the same for each operation of the forward pass.
        compiled_convolution: the same for each lowered convolution.
        compiled_random_call: the same for each draw of lowered random numbers.
    """

    convolutions: ConvolutionCosts
    step: float = 1.3e-4
    operation: float = 4e-6
    element: float = 2.7e-8
    efficiency: float = 0.75
    state: float = 5e-10
    embedding: float = 0.2
    random_element: float = 1e-7
    lowered_random_element: float = 1e-8
    call: float = 3.6e-4
    compilation: float = 0.67
    compiled_operation: float = 0.008
    compiled_convolution: float = 0.44
    compiled_random_call: float = 0.13


def costs_with(*, onednn: bool) -> XlaCosts:
    """Return the constants for a TensorFlow that uses oneDNN, or not."""
    return XlaCosts(WITH_ONEDNN if onednn else WITHOUT_ONEDNN)


def state_size(model: keras.Model, costs: XlaCosts) -> float:
    """Return the numbers in the trained weights of a model and in its optimizer.

    Args:
        model: a built, compiled model.
        costs: the constants, which count a part of the numbers of an Embedding.
    """
    slots = model.optimizer.variables if model.optimizer is not None else []
    trained = sum(math.prod(weight.shape) for weight in model.trainable_variables)
    numbers = trained + sum(math.prod(slot.shape) for slot in slots)
    rows = sum(
        math.prod(layer.embeddings.shape)
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.Embedding) and layer.built and layer.trainable
    )
    copies = numbers / trained if trained else 0.0
    return float(numbers - (1 - costs.embedding) * rows * copies)


def saved_per_step(
    mode: XlaMode, operations: StepOperations, state: float, costs: XlaCosts
) -> float:
    """Return the seconds that a use of XLA saves in every step.

    Args:
        mode: the use.
        operations: the operations of a forward pass.
        state: the result of `state_size`.
        costs: the constants.
    """
    if mode == "none":
        return 0.0
    elements: float = operations.elements**costs.efficiency
    saved = (
        costs.step
        + operations.executed * costs.operation
        + elements * costs.element
        + state * costs.state
        - operations.random_elements * costs.random_element
        - operations.lowered_random_elements * costs.lowered_random_element
    )
    if mode == "lowered_loop":
        saved += operations.convolutions * costs.convolutions.saved
    return saved - costs.call if mode == "step" else saved


def compilation(mode: XlaMode, operations: StepOperations, costs: XlaCosts) -> float:
    """Return the seconds that the compilation takes longer than without XLA."""
    if mode == "none":
        return 0.0
    seconds = (
        costs.compilation
        + operations.traced * costs.compiled_operation
        + operations.lowered_random_calls * costs.compiled_random_call
    )
    if mode == "lowered_loop":
        seconds += operations.convolutions * costs.compiled_convolution
    return seconds
