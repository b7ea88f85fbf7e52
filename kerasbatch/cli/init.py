"""The command `init`: write a first spec for somebody's data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from kerasbatch.cli.terminal import open_console, print_note
from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec.keras_registry import is_python_name

if TYPE_CHECKING:
    from kerasbatch.first_spec.draft import Draft


def init(
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A table: CSV, Excel or Parquet."),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="With --csv: the column to predict; repeatable."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Images in a folder for each class.")
    ] = None,
    texts: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Text files in a folder for each class.")
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(metavar="FILE:FUNCTION", help="With --data: your model; both are called."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="FILE:FUNCTION", help="Your data: a function that returns (x, y)."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="SPEC", help="The spec to write."),
    ] = None,
) -> None:
    """Look at your data and write a first spec, with comments, that runs as it is."""
    sources = _Sources(csv, target or [], images, texts, python, data)
    if faults := _faults(sources):
        raise SpecError(faults)
    source = csv or images or texts or Path(str(data).rpartition(":")[0])
    spec = output or Path(f"{source.stem or 'first'}.yaml")
    if spec.exists():
        raise SpecError([Fault((), f"{spec} is there already; name another one: -o SPEC")])
    folder = spec.absolute().parent
    if not folder.is_dir():
        raise SpecError([Fault((), f"-o: there is no folder {folder}")])
    _check_and_write(_draft(sources, folder), spec)


class _Sources(NamedTuple):
    """The options that name the data and the model; a table has the columns to predict."""

    csv: Path | None
    target: list[str]
    images: Path | None
    texts: Path | None
    python: str | None
    data: str | None


def _draft(sources: _Sources, folder: Path) -> "Draft":
    if sources.csv is not None:
        from kerasbatch.first_spec.tables import draft_of_table

        return draft_of_table(sources.csv, folder, sources.target)
    if sources.images is not None:
        from kerasbatch.first_spec.folders import draft_of_images

        return draft_of_images(sources.images, folder)
    if sources.texts is not None:
        from kerasbatch.first_spec.folders import draft_of_texts

        return draft_of_texts(sources.texts, folder)
    from kerasbatch.first_spec.code import draft_of_code

    return draft_of_code(sources.python, str(sources.data), folder)


def _faults(sources: _Sources) -> list[Fault]:
    csv, target, images, texts, python, data = sources
    by_option = {"--csv": csv, "--images": images, "--texts": texts, "--data": data}
    named = [name for name, value in by_option.items() if value is not None]
    faults = []
    if len(named) != 1:
        shown = " and ".join(named) or "none"
        message = f"name your data by one of {', '.join(by_option)}; found {shown}"
        faults.append(Fault((), message))
    if csv is not None and not target:
        faults.append(Fault((), "--csv needs --target: the column to predict"))
    if csv is None and target:
        faults.append(Fault((), "--target names a column of --csv"))
    if python is not None and data is None:
        faults.append(Fault((), "--python needs --data: the function that returns (x, y)"))
    for name, function in (("--python", python), ("--data", data)):
        if function is not None and not is_python_name(function):
            message = "must be a file and a function in it, like mine.py:build"
            faults.append(Fault((), f"{name}: found {function}; {message}"))
    for name, path in (("--csv", csv), ("--images", images), ("--texts", texts)):
        if path is not None and not path.exists():
            faults.append(Fault((), f"{name}: there is no {path}"))
    return faults


def _check_and_write(draft: "Draft", spec: Path) -> None:
    """Check the spec as `plan` does, write it, and say what is next."""
    from kerasbatch.atomic_files import write_text
    from kerasbatch.runs.prepare.plans import plan_runs
    from kerasbatch.spec.reader import parse_spec

    text = draft.text()
    source = parse_spec(text.encode(), spec)
    planned = plan_runs(source, source.access(trust=True))
    write_text(spec, text)
    for note in draft.notes:
        print_note(note)
    console = open_console(errors=False)
    console.print(text, markup=False, highlight=False, soft_wrap=True, end="")
    trust = " --trust" if "python" in str(draft.plain().get("data")) else ""
    console.print()
    console.print(f"{spec} is written: {len(planned)} runs. Next:", soft_wrap=True)
    console.print(f"  kerasbatch plan {spec}{trust}", soft_wrap=True, highlight=False)
    console.print(f"  kerasbatch run {spec}{trust}", soft_wrap=True, highlight=False)
