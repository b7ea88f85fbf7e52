"""The arguments that several commands share, and how texts become their values."""

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kerasbatch.errors import Fault, SpecError

if TYPE_CHECKING:
    from kerasbatch.runs.executors.ray.cluster import RayOptions

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
By = Annotated[
    list[str] | None,
    typer.Option("--by", metavar="KEY", help="What tells rows apart: batch_size."),
]
Target = Annotated[
    str | None,
    typer.Option("--target", metavar="TARGET", help='What to reach: "val_accuracy>=0.97".'),
]
Jobs = Annotated[
    str | None,
    typer.Option(metavar="N", help="Runs of a sweep at a time; by default one per core, or GPU."),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Train on a Ray cluster: auto or HOST:PORT; local starts one here.",
    ),
]
CpusPerRun = Annotated[
    float | None, typer.Option(metavar="N", help="With --ray: processors for each run, 1.")
]
GpusPerRun = Annotated[
    float | None, typer.Option(metavar="N", help="With --ray: GPUs for each run, 0.")
]
Timeout = Annotated[
    str | None,
    typer.Option(metavar="SECONDS", help="End a run that takes longer than this."),
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
    return text if text == "full" else _whole_number(text, name, must)


def jobs(text: str | None) -> int | None:
    """Return the number of workers, or None where nothing is said.

    Raises:
        SpecError: if it is no whole number from 1 on.
    """
    must = "a whole number from 1 on, like 2"
    if text is None:
        return None
    if (number := _whole_number(text, "--jobs", must)) < 1:
        raise SpecError([Fault(("--jobs",), f"found {text!r}; must be {must}")])
    return number


def cluster(address: str | None, cpus: float | None, gpus: float | None) -> "RayOptions | None":
    """Return which cluster trains, or None: this machine.

    Raises:
        SpecError: if a share of a cluster is asked for, and no cluster.
    """
    from kerasbatch.runs.executors.ray.cluster import RayOptions

    if address is not None:
        return RayOptions(address, 1.0 if cpus is None else cpus, gpus or 0.0)
    given = {"--cpus-per-run": cpus, "--gpus-per-run": gpus}
    faults = [
        Fault((name,), "goes with --ray ADDRESS")
        for name, value in given.items()
        if value is not None
    ]
    if faults:
        raise SpecError(faults)
    return None


def folder_faults(file: Path | None, name: str) -> list[Fault]:
    """Return the fault of a file that cannot be written, for its folder's sake, if it is one.

    Args:
        file: the file that is to be written, or None.
        name: the option, for the error.
    """
    if file is not None and file.is_dir():
        return [Fault((name,), f"{file} is a folder; give a file")]
    if file is None:
        return []
    if not file.absolute().parent.is_dir():
        return [Fault((name,), f"there is no folder {file.parent}")]
    if not os.access(file.absolute().parent, os.W_OK):
        return [Fault((name,), f"the folder {file.parent} cannot be written to")]
    return []


def seconds(text: str | None) -> float | None:
    """Return a limit of time in seconds, or None where nothing is said.

    Raises:
        SpecError: if it is no finite number above 0.
    """
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        must = "a number of seconds above 0, like 60"
        raise SpecError([Fault(("--timeout",), f"found {text!r}; must be {must}")])
    return value


def _whole_number(text: str, name: str, must: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) >= MAX_DIGITS:
        raise SpecError([Fault((name,), f"found {text!r}; must be {must}")])
    return int(text)
