"""The command `examples`: list and copy the shipped experiments."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kerasbatch.cli.terminal import open_console, print_uncut
from kerasbatch.errors import Fault, SpecError
from kerasbatch.text import counted

if TYPE_CHECKING:
    from rich.console import Console

    from kerasbatch.first_spec.examples import Example


def examples(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Experiments to copy; without, all are listed."),
    ] = None,
    copy_all: Annotated[bool, typer.Option("--all", help="Copy all of them.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="The folder to copy into; by default ."),
    ] = None,
) -> None:
    """List the shipped experiments, or copy them with the files that they need."""
    from kerasbatch.first_spec.examples import chosen_examples, copy_examples, shipped_examples

    if faults := _faults(names or [], copy_all, output):
        raise SpecError(faults)
    console = open_console(errors=False)
    if not names and not copy_all:
        _print_list(shipped_examples(), console)
        return
    chosen = shipped_examples() if copy_all else chosen_examples(names or [])
    folder = output or Path()
    copied = copy_examples(chosen, folder)
    for file in copied:
        console.print(str(file), soft_wrap=True, highlight=False)
    console.print(f"{counted(len(copied), 'file')} copied." if copied else "All files are there.")
    _print_next(chosen[:1] if copy_all else chosen, folder, console)


def _faults(names: list[str], copy_all: bool, output: Path | None) -> list[Fault]:
    faults = []
    if names and copy_all:
        faults.append(Fault((), "name examples or write --all, not both"))
    if output is not None and not names and not copy_all:
        faults.append(Fault((), "-o goes with the names of examples, or with --all"))
    if output is not None and output.exists() and not output.is_dir():
        faults.append(Fault((), f"-o: {output} is a file; name a folder"))
    return faults


def _print_list(shipped: "list[Example]", console: "Console") -> None:
    from rich.table import Table

    table = Table("name", "question", box=None)
    for example in shipped:
        table.add_row(example.name, example.source.spec.question)
    print_uncut(console, table)
    console.print("Copy one: kerasbatch examples NAME", highlight=False)


def _print_next(chosen: "list[Example]", folder: Path, console: "Console") -> None:
    """Print the commands that run the copied examples."""
    from kerasbatch.first_spec.examples import MAKER

    commands = []
    if any(example.makes_data for example in chosen):
        commands.append(["python", str(folder / MAKER)])
    for example in chosen:
        trust = ["--trust"] if example.needs_trust else []
        commands.append(["kerasbatch", "run", str(folder / f"{example.name}.yaml"), *trust])
    console.print("Next:")
    for command in commands:
        console.print(f"  {shlex.join(command)}", soft_wrap=True, highlight=False, markup=False)
