"""The arguments shared by several commands, and the conversion of their texts to values."""

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kerasbatch.errors import Fault, SpecError

if TYPE_CHECKING:
    from kerasbatch.runs.executors.ray.cluster import RayOptions

MAX_DIGITS = 20
SpecPath = Annotated[Path, typer.Argument(metavar="SPEC", help="YAML file of the experiment.")]
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
    typer.Option(
        "--by", metavar="KEY", help="Spec key of the rows, by default batch_size; may be repeated."
    ),
]
AllRuns = Annotated[
    bool, typer.Option("--all", help="Include runs that the edited spec no longer asks for.")
]
Target = Annotated[
    str | None,
    typer.Option("--target", metavar="TARGET", help='Target to reach, like "val_accuracy>=0.97".'),
]
Jobs = Annotated[
    str | None,
    typer.Option(metavar="N", help="Number of parallel runs; by default one per core, or GPU."),
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
    float | None, typer.Option(metavar="N", help="With --ray: processors per run, by default 1.")
]
GpusPerRun = Annotated[
    float | None, typer.Option(metavar="N", help="With --ray: GPUs per run, by default 0.")
]
Timeout = Annotated[
    str | None,
    typer.Option(metavar="SECONDS", help="Time limit of each run in seconds."),
]
Grace = Annotated[
    str,
    typer.Option(
        metavar="SECONDS",
        help="After Ctrl-C or SIGTERM: time to end a block of steps and to write the checkpoint.",
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show TensorFlow's log.")]


def batch_size(text: str, name: str, expected: str) -> int | str:
    """Return a batch size as a number, or `full`.

    Args:
        text: the text of the argument.
        name: the name of the argument, for the error.
        expected: the description of a valid text, for the error.

    Raises:
        SpecError: if the text is neither.
    """
    return text if text == "full" else _whole_number(text, name, expected)


def jobs(text: str | None) -> int | None:
    """Return the number of workers, or None without a text.

    Raises:
        SpecError: if the text is not a whole number of at least 1.
    """
    expected = "a whole number from 1 on, like 2"
    if text is None:
        return None
    if (number := _whole_number(text, "--jobs", expected)) < 1:
        raise SpecError([Fault(("--jobs",), f"found {text!r}; must be {expected}")])
    return number


def cluster(address: str | None, cpus: float | None, gpus: float | None) -> "RayOptions | None":
    """Return the options of the Ray cluster, or None for this machine.

    Raises:
        SpecError: if resources per run are set without a cluster.
    """
    from kerasbatch.runs.executors.ray.cluster import RayOptions

    if address is not None:
        return RayOptions(address, 1.0 if cpus is None else cpus, gpus or 0.0)
    options = {"--cpus-per-run": cpus, "--gpus-per-run": gpus}
    faults = [
        Fault((name,), "goes with --ray ADDRESS")
        for name, value in options.items()
        if value is not None
    ]
    if faults:
        raise SpecError(faults)
    return None


def folder_faults(file: Path | None, name: str) -> list[Fault]:
    """Return the fault of an output file whose folder prevents writing, if there is one.

    Args:
        file: the file to write, or None.
        name: the name of the option, for the error.
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


def seconds(text: str | None, name: str, example: str = "60") -> float | None:
    """Return a time limit in seconds, or None without a text.

    Args:
        text: the text of the argument.
        name: the name of the argument, for the error.
        example: a usual value, for the error.

    Raises:
        SpecError: if the text is not a finite number above 0.
    """
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        expected = f"a number of seconds above 0, like {example}"
        raise SpecError([Fault((name,), f"found {text!r}; must be {expected}")])
    return value


def _whole_number(text: str, name: str, expected: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) >= MAX_DIGITS:
        raise SpecError([Fault((name,), f"found {text!r}; must be {expected}")])
    return int(text)
