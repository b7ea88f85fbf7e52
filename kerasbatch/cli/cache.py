"""The command `cache`: list and delete the data that were read once for all runs."""

from typing import TYPE_CHECKING, Annotated

import typer

from kerasbatch.cli.terminal import open_console, print_uncut
from kerasbatch.text import counted

if TYPE_CHECKING:
    from rich.table import Table

    from kerasbatch.cache.listing import ListedEntry


def cache(
    clear: Annotated[
        bool, typer.Option("--clear", help="Delete what no running process uses.")
    ] = False,
) -> None:
    """List the arrays that images, datasets and texts were turned into, or delete them."""
    from kerasbatch.cache import listing
    from kerasbatch.cache.places import cache_folder

    folder, console = cache_folder(), open_console(errors=False)
    if clear:
        deleted, used = listing.clear(folder)
        size = sum(entry.bytes for entry in deleted)
        console.print(f"{_entries(len(deleted))} deleted, {_megabytes(size)}", soft_wrap=True)
        if used:
            console.print(f"{_entries(len(used))} kept, which other processes use")
        return
    listed = listing.entries(folder)
    if listed:
        print_uncut(console, _table(listed))
    size = sum(entry.bytes for entry in listed)
    console.print(f"{folder}: {_entries(len(listed))}, {_megabytes(size)}", soft_wrap=True)


def _table(listed: "list[ListedEntry]") -> "Table":
    from rich.table import Table

    table = Table("source", "MB", "written", "entry", box=None)
    for entry in listed:
        size = f"{entry.bytes / 1e6:,.1f}"
        table.add_row(entry.source, size, entry.written[:16].replace("T", " "), entry.path.name)
    return table


def _entries(count: int) -> str:
    return counted(count, "entry", "entries")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
