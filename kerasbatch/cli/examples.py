"""The command `examples`: list and copy the shipped experiments."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kerasbatch.cli.terminal import open_console, print_uncut
from kerasbatch.errors import Fault, SpecError

if TYPE_CHECKING:
    from rich.console import Console

    from kerasbatch.first_spec.examples import Example


def examples(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Experiments to copy; without, all are listed."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Copy all of them.")] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to copy into.")
    ] = Path(),
) -> None:
    """List the shipped experiments, or copy them with the files that they need."""
    from kerasbatch.first_spec.examples import chosen_examples, copy_examples, shipped_examples

    console = open_console(errors=False)
    if not names and not everything:
        _print_list(shipped_examples(), console)
        return
    if output.exists() and not output.is_dir():
        raise SpecError([Fault((), f"-o: {output} is a file; name a folder")])
    chosen = shipped_examples() if everything else chosen_examples(names or [])
    copied = copy_examples(chosen, output)
    for file in copied:
        console.print(str(file), soft_wrap=True, highlight=False)
    console.print(f"{len(copied)} files copied. Next:" if copied else "All are there. Next:")
    if any(example.makes_data for example in chosen):
        console.print(f"  python {output / 'make_data.py'}", soft_wrap=True, highlight=False)
    for example in chosen[:1]:
        console.print(f"  {_command(example, output)}", soft_wrap=True, highlight=False)


def _print_list(shipped: "list[Example]", console: "Console") -> None:
    from rich.table import Table

    table = Table("name", "question", box=None)
    for example in shipped:
        table.add_row(example.name, example.source.spec.question)
    print_uncut(console, table)
    console.print("Copy one: kerasbatch examples NAME", highlight=False)


def _command(example: "Example", folder: Path) -> str:
    trust = " --trust" if example.needs_trust else ""
    return f"kerasbatch run {folder / example.name}.yaml{trust}"
