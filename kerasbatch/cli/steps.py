"""The command `steps`: the calculator."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kerasbatch.cli import options
from kerasbatch.cli.terminal import open_console

if TYPE_CHECKING:
    from kerasbatch.steps import Plan


def steps(
    n: Annotated[int, typer.Argument(metavar="N", help="Training examples.")],
    epochs: Annotated[int, typer.Argument(metavar="EPOCHS", help="Passes over them.")],
    batch_size: Annotated[
        str, typer.Argument(metavar="BATCH_SIZE", help="Examples of one step, or full.")
    ],
    drop: Annotated[bool, typer.Option("--drop", help="Drop the partial last batch.")] = False,
) -> None:
    """Calculate the steps of a training: the notes' s = n*e/b, and what really happens."""
    from kerasbatch.planning import plan

    size: Any = options.batch_size(batch_size, "BATCH_SIZE", "a whole number, or full")
    partial = "drop" if drop else "keep"
    made = plan(n, batch_size=size, epochs=epochs, partial_batch=partial)  # type: ignore[arg-type]  # one of the two
    show_plan(made, seed=0, sampling="shuffle")


def show_plan(made: "Plan", *, seed: int, sampling: Any, held: int | None = None) -> None:
    """Print the counts of one run, and draw its epochs."""
    from kerasbatch.cli.display.drawing import draw_epochs
    from kerasbatch.cli.display.tables import facts_table, plan_facts

    console = open_console(errors=False)
    console.print(facts_table(plan_facts(made, held), console.width))
    console.print()
    console.print(draw_epochs(made, seed=seed, sampling=sampling, width=console.width))
