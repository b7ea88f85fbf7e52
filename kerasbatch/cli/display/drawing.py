"""Epochs drawn as rows of boxes, one box per step."""

from collections.abc import Callable
from typing import Any

from rich.text import Text

from kerasbatch.sampling import example_order
from kerasbatch.steps import Plan
from kerasbatch.text import counted
from kerasbatch.types import Sampling

MAX_INDEXED_EXAMPLES = 40
"""The largest number of examples whose positions are drawn in their batches."""
MAX_DRAWN_EPOCHS = 5


def draw_epochs(plan: Plan, *, seed: int, sampling: Sampling, width: int) -> Text:
    """Draw the epochs as rows of boxes, one box per step.

    With few examples a box holds the positions of its examples; otherwise it is a block, lighter
    for the smaller last batch.
    """
    drawing = Text()
    shown = min(plan.epochs, MAX_DRAWN_EPOCHS)
    for epoch in range(1, shown + 1):
        steps = plan.epoch_plan(epoch).steps
        head = f"epoch {epoch}  "
        if plan.train_examples <= MAX_INDEXED_EXAMPLES:
            order = example_order(plan.train_examples, seed=seed, epoch=epoch, sampling=sampling)
            body = _boxes(plan, steps, lambda batch, order=order: order[batch])  # type: ignore[misc]  # binds this epoch's order
        else:
            body = _blocks(plan, steps, width - len(head))
        drawing.append(head, style="bold").append_text(body).append("\n")
    if plan.epochs > shown:
        drawing.append(f"... and {counted(plan.epochs - shown, 'more epoch')}\n", style="dim")
    drawing.append(_legend(plan), style="dim")
    return drawing


def _boxes(plan: Plan, steps: int, positions: Callable[[slice], Any]) -> Text:
    body = Text()
    for step in range(steps):
        batch = positions(plan.batches(step, 1))
        body.append("[" + " ".join(str(index) for index in batch) + "]", style=_color(step))
        body.append(" ")
    return body


def _blocks(plan: Plan, steps: int, width: int) -> Text:
    note = f" {counted(steps, 'step')}"
    room = max(width - len(note) - 2, 8)
    partial = plan.last_batch_size < plan.batch_size and steps == plan.steps_per_epoch
    last = "▒" if partial else "█"
    if steps <= room:
        return Text("█" * (steps - 1) + last + note)
    return Text("█" * (room - 2) + "…" + last + note)


def _color(step: int) -> str:
    return "cyan" if step % 2 == 0 else "magenta"


def _legend(plan: Plan) -> str:
    unit = "a box" if plan.train_examples <= MAX_INDEXED_EXAMPLES else "a block"
    legend = (
        f"{unit} is a step: one update of the weights, from {counted(plan.batch_size, 'example')}"
    )
    if plan.last_batch_size < plan.batch_size:
        legend += f" (the last of an epoch: from {plan.last_batch_size:,})"
    if plan.partial_batch == "drop" and plan.examples_per_epoch < plan.train_examples:
        dropped = plan.train_examples - plan.examples_per_epoch
        legend += f"; {dropped:,} examples of each epoch are left out"
    return legend
