"""Chooses the use of XLA from the operations of a step: a pure function, never a clock."""

from dataclasses import dataclass

from kerasbatch.engine.program.xla_mode import XlaMode
from kerasbatch.engine.training.step_operations import StepOperations


@dataclass(frozen=True)
class XlaCosts:
    """The constants of the choice, measured on two CPU cores by `benchmarks/zoo.py`.

    Args:
        operation: the seconds that XLA saves for each operation of a forward pass in each step,
            with those of its gradient and its part of the optimizer.
        compilation: the seconds that XLA's compilation takes longer than TensorFlow's.
        compiled_operation: the same for each operation of the forward pass.
        patch_bytes: the bytes of the patches of a step up to which lowered convolutions are best;
            larger ones outgrow the cache.
    """

    operation: float = 9e-6
    compilation: float = 0.4
    compiled_operation: float = 2e-3
    patch_bytes: int = 20_000_000


DEFAULT_COSTS = XlaCosts()


def choose_mode(
    operations: StepOperations,
    size: int,
    steps: int,
    *,
    on_gpu: bool,
    costs: XlaCosts = DEFAULT_COSTS,
) -> tuple[XlaMode, str]:
    """Return the use of XLA for a training, and the reason.

    Args:
        operations: the operations of a forward pass.
        size: the batch size.
        steps: the steps of the training.
        on_gpu: whether the steps run on a GPU, whose convolutions are fast everywhere.
        costs: the constants.
    """
    saved = steps * operations.executed * costs.operation
    spent = costs.compilation + operations.executed * costs.compiled_operation
    if saved < spent:
        return "none", f"without XLA, whose compilation would not pay in {steps:,} steps"
    pays = f"which pays off over {steps:,} steps"
    if on_gpu or not (operations.has_convolutions or operations.has_depthwise):
        return "loop", f"compiled with XLA, {pays}"
    if operations.has_unknown_convolutions:
        return "none", "without XLA, which is slow for convolutions inside a function on a CPU"
    if size == 1:
        return "lowered_loop", f"compiled with XLA, convolutions as matrix products, {pays}"
    if operations.has_depthwise:
        return "none", "without XLA, which is slow for depthwise convolutions on a CPU"
    megabytes = f"{operations.patch_bytes / 1e6:,.0f} MB a step"
    if operations.patch_bytes <= costs.patch_bytes:
        why = f"compiled with XLA, convolutions as matrix products of {megabytes}, {pays}"
        return "lowered_loop", why
    return (
        "step",
        f"every step compiled with XLA, whose convolutions would take {megabytes}, {pays}",
    )
