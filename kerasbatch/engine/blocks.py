"""The arguments and results of a program: blocks of steps, whole epochs, evaluations."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from kerasbatch.engine.divergence import DivergenceState
from kerasbatch.engine.options import Arrays
from kerasbatch.types import Array

Logs = dict[str, Any]
"""Tensors by the names of metrics; nested if the step returns them nested."""

GroupSums = list[Array]
"""The sum of gradients of each group; one array of shape (groups, ...) per weight."""

MetricsUse = Literal["add", "reset", "keep"]
"""An evaluation adds to the metrics, resets them before, or keeps their values for later."""

BlockKind = Literal["xla", "xla_in_trace", "one_size", "any_size", "uneven"]
"""A function for blocks of steps.

xla: with XLA, for batches of one size.
xla_in_trace: the same, sharing what XLA compiles with whole epochs; a call takes 0.3 ms longer.
one_size: without XLA, for batches of one size, in the order of operations that Keras has there.
any_size: without XLA, for batches of any size.
uneven: one step on a batch whose arrays have different lengths.
"""


@dataclass(frozen=True)
class Block:
    """The steps of one call of a program.

    Args:
        arrays: data on the device, of one length.
        tags: a tag for each of their examples, int64.
        indices: the examples of each step, shape (K, batch size), int32; rows beyond `steps` are
            not used, so that K is always the same.
        steps: the number of steps.
        has_usual_size: whether the batch size is the usual one, and not that of a partial batch.
        is_uneven: whether the data are one batch, of arrays of different lengths or empty ones.
    """

    arrays: Arrays
    tags: Any
    indices: Array
    steps: int
    has_usual_size: bool
    is_uneven: bool = False


class BlockState(NamedTuple):
    """The state of the loop over the steps of a block; at its end, the result of the block.

    Args:
        steps: the steps taken, int32.
        continues: whether another step may follow.
        checksum: the sum of the tags of the examples in these steps, int64.
        divergence: the state of the divergence rule.
        loss: the loss of the last step, if it is needed.
        losses: the losses of all steps, if they are recorded, shape (K,).
        logs: the last return value of the training step.
    """

    steps: Any
    continues: Any
    checksum: Any
    divergence: DivergenceState
    loss: Any
    losses: Any
    logs: Logs


class EpochRows(NamedTuple):
    """The results of epochs, each of shape (E, ...).

    Args:
        logs: the logs of the training.
        held_out: those of the evaluation; empty without one.
        steps: the steps taken.
        checksum: the sum of the tags of the examples in these steps, int64.
        updates: the optimizer's counter of batches after the epoch.
        examples: the rows that the loss metric has averaged over.
        divergence: the state of the divergence rule after the epoch.
        losses: the losses of the steps, if they are recorded, shape (E, K).
    """

    logs: Logs
    held_out: Logs
    steps: Any
    checksum: Any
    updates: Any
    examples: Any
    divergence: DivergenceState
    losses: Any


class EpochsState(NamedTuple):
    """The end of a call.

    Args:
        epochs: the number of epochs; the last one is incomplete if `continues` is false.
        continues: whether another step may follow.
        divergence: the state of the divergence rule.
        loss: the loss of the last step, if it is needed.
    """

    epochs: Any
    continues: Any
    divergence: DivergenceState
    loss: Any
