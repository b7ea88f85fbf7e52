"""The command `predict`: predict new rows with a kept model."""

from pathlib import Path
from typing import Annotated

import typer

from kerasbatch.cli import options
from kerasbatch.cli.display.preflight import display_with_keras
from kerasbatch.cli.options import Trust, Verbose
from kerasbatch.cli.terminal import open_console
from kerasbatch.errors import Fault, SpecError
from kerasbatch.text import counted

Npz = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Arrays to predict for: x, or x.NAME of several inputs."),
]


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of the run.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="CSV file to write.")
    ],
    csv: Annotated[
        Path | None, typer.Option(metavar="IN", help="Rows to predict: a CSV or .parquet file.")
    ] = None,
    npz: Npz = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="Images to predict: a file or a folder; repeatable."),
    ] = None,
    texts: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="Text files to predict: a file or a folder; repeatable."),
    ] = None,
    which: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Model to use: best, last, or one of the training, like checkpoint-1200.",
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Column of IN to copy into OUT, such as an id."),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse new words and damaged images."),
    ] = False,
    trust: Trust = False,
    verbose: Verbose = False,
) -> None:
    """Predict new rows with a saved model (key save of the spec)."""
    if faults := [*options.folder_faults(output, "-o"), *_faults(csv, npz, images, texts, output)]:
        raise SpecError(faults)
    from kerasbatch.atomic_files import write_text

    display = display_with_keras(quiet=False, verbose=verbose, load_optional=trust)
    from kerasbatch.inference import predict as predictions
    from kerasbatch.inference.saved_model import load_saved_model

    with display, display.waiting_for("predicting"):
        kept = load_saved_model(run, which=which, trust=trust)
        notices: list[str] = []
        if csv is not None:
            table, notices = predictions.predict_file(kept, csv, keep=keep or (), strict=strict)
        elif images is not None:
            table, notices = predictions.predict_images(kept, images, strict=strict)
        elif npz is not None:
            table = predictions.predict_npz(kept, npz)
        else:
            table = predictions.predict_texts(kept, texts or ())
    for notice in notices:
        display.notice(notice)
    write_text(output, table.to_csv(index=False, lineterminator="\n"))
    rows = counted(len(table), "file" if images or texts else "row")
    open_console(errors=False).print(f"{rows} predicted: {output}", soft_wrap=True)


def _faults(
    csv: Path | None,
    npz: Path | None,
    images: list[Path] | None,
    texts: list[Path] | None,
    output: Path,
) -> list[Fault]:
    if sum(source is not None for source in (csv, npz, images, texts)) != 1:
        message = "give one of --csv FILE, --npz FILE, --images PATH, --texts PATH"
        return [Fault(("--csv",), message)]
    file = csv or npz
    if file is not None and file.resolve() == output.resolve():
        return [Fault(("-o",), f"{output} is the file that is read; write into another one")]
    if output.suffix.lower() == ".parquet":
        return [Fault(("-o",), f"found {output.name!r}; predictions are written as CSV")]
    return []
