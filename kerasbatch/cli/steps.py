"""The command `steps`: calculate the steps of a training."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kerasbatch.cli import options
from kerasbatch.cli.terminal import open_console

if TYPE_CHECKING:
    from kerasbatch.steps import Plan


def steps(
    n: Annotated[int, typer.Argument(metavar="N", help="Number of training examples.")],
    epochs: Annotated[
        int, typer.Argument(metavar="EPOCHS", help="Number of passes over the examples.")
    ],
    batch_size: Annotated[
        str, typer.Argument(metavar="BATCH_SIZE", help="Examples per step, or full.")
    ],
    drop: Annotated[bool, typer.Option("--drop", help="Drop the partial last batch.")] = False,
) -> None:
    """Calculate the steps of a training: the notes' s = n*e/b and the exact count."""
    from kerasbatch.planning import plan

    size: Any = options.batch_size(batch_size, "BATCH_SIZE", "a whole number, or full")
    partial = "drop" if drop else "keep"
    exact_plan = plan(n, batch_size=size, epochs=epochs, partial_batch=partial)  # type: ignore[arg-type]  # one of the two
    show_plan(exact_plan, seed=0, sampling="shuffle")


def show_plan(plan: "Plan", *, seed: int, sampling: Any, held_back: int | None = None) -> None:
    """Print the counts and the drawn epochs of one run."""
    from kerasbatch.cli.display.drawing import draw_epochs
    from kerasbatch.cli.display.tables import facts_table, plan_facts

    console = open_console(errors=False)
    console.print(facts_table(plan_facts(plan, held_back), console.width))
    console.print()
    console.print(draw_epochs(plan, seed=seed, sampling=sampling, width=console.width))
