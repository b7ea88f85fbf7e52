"""The estimated costs of XLA: what its compilation takes, and what a compiled step saves."""

import math
from dataclasses import dataclass

import keras

from kerasbatch.engine.lowering.xla_mode import XlaMode
from kerasbatch.engine.training.step_operations import StepOperations


@dataclass(frozen=True)
class XlaCosts:
    """The constants of the estimate, measured on two CPU cores by `benchmarks/zoo.py`.

    Args:
        step: the seconds that XLA saves in every step of any model.
        operation: the same for each operation of a forward pass, with those of its gradient.
        element: the same for the elements of their results, to the power of `efficiency`: without
            XLA, large operations are faster for each element than small ones.
        efficiency: the exponent.
        state: the same for each number of the weights and of the optimizer.
        random_element: what XLA loses for each random number that is not lowered.
        call: the seconds that every call of a compiled step costs.
        compilation: the seconds that XLA's compilation takes longer than TensorFlow's.
        compiled_operation: the same for each operation of the forward pass.
        compiled_convolution: the same for each lowered convolution.
        patch_bytes: the bytes of the patches of a step up to which lowered convolutions are best;
            larger ones outgrow the cache.
    """

    step: float = 1e-4
    operation: float = 1.2e-5
    element: float = 9e-8
    efficiency: float = 0.75
    state: float = 1.2e-9
    random_element: float = 1e-7
    call: float = 3e-4
    compilation: float = 1.5
    compiled_operation: float = 0.03
    compiled_convolution: float = 0.4
    patch_bytes: int = 10_000_000


DEFAULT_COSTS = XlaCosts()


def state_size(model: keras.Model) -> int:
    """Return the numbers in the trained weights of a model and in its optimizer."""
    slots = model.optimizer.variables if model.optimizer is not None else []
    return sum(math.prod(each.shape) for each in [*model.trainable_variables, *slots])


def saved_per_step(
    mode: XlaMode, operations: StepOperations, state: int, costs: XlaCosts = DEFAULT_COSTS
) -> float:
    """Return the seconds that a use of XLA saves in every step.

    Args:
        mode: the use.
        operations: the operations of a forward pass.
        state: the numbers in the weights and the optimizer.
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
    )
    return saved - costs.call if mode == "step" else saved


def compilation(
    mode: XlaMode, operations: StepOperations, costs: XlaCosts = DEFAULT_COSTS
) -> float:
    """Return the seconds that the compilation takes longer than without XLA."""
    if mode == "none":
        return 0.0
    seconds = costs.compilation + operations.traced * costs.compiled_operation
    if mode == "lowered_loop":
        seconds += operations.convolutions * costs.compiled_convolution
    return seconds
