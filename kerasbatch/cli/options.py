"""The arguments that several commands share, and how texts become their values."""

from pathlib import Path
from typing import Annotated

import typer

from kerasbatch.errors import Fault, SpecError

MAX_DIGITS = 20
SpecPath = Annotated[Path, typer.Argument(metavar="SPEC", help="The YAML file of the experiment.")]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="Let the spec run Python code and read files outside its own folder."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a key of the spec; may be repeated."),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Runs of a sweep at a time; by default one per core, or GPU."
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show TensorFlow's own log.")]


def batch_size(text: str, name: str, must: str) -> int | str:
    """Return a batch size as a number, or `full`.

    Args:
        text: what was written.
        name: the argument, for the error.
        must: what it must be, for the error.

    Raises:
        SpecError: if it is neither.
    """
    if text == "full":
        return text
    if not (text.isascii() and text.isdecimal()) or len(text) >= MAX_DIGITS:
        raise SpecError([Fault((name,), f"found {text!r}; must be {must}")])
    return int(text)
