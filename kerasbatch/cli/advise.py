"""The command `advise`: which batch size to use, or why that cannot be told."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kerasbatch.cli import options
from kerasbatch.cli.options import Overrides, SpecPath, Target, Trust
from kerasbatch.cli.preflight import check_before_loading, display_with_tensorflow
from kerasbatch.cli.terminal import open_console, print_note, print_uncut
from kerasbatch.errors import Fault, SpecError

if TYPE_CHECKING:
    from kerasbatch.advice.advise import Advice


def advise(
    spec: SpecPath,
    target: Target = None,
    minutes: Annotated[float, typer.Option(metavar="M", help="How long it may take, about.")] = 5.0,
    verify: Annotated[
        bool, typer.Option("--verify", help="Train at the advised size and at its neighbours.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the frame_table here.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="SPEC", help="Write the advised spec here."),
    ] = None,
    overrides: Overrides = None,
    trust: Trust = False,
) -> None:
    """Measure memory, speed and noise, and say which batch size to use, or why that is unknown."""
    from kerasbatch.spec.reader import load_spec
    from kerasbatch.spec.rules import names_files

    source = load_spec(spec, overrides or ())
    faults = [*options.folder_faults(csv, "--csv"), *options.folder_faults(output, "-o")]
    if output and output.absolute().parent.resolve() != source.folder and names_files(source.spec):
        told = f"the spec names files beside it; write the advised one into {source.folder}, too"
        faults.append(Fault(("-o",), told))
    if output and output.resolve() == spec.resolve():
        told = f"{output} is the spec itself, which would be lost; give another file"
        faults.append(Fault(("-o",), told))
    if faults:
        raise SpecError(faults)
    check_before_loading(source, trust)
    display = display_with_tensorflow(quiet=False, verbose=False, whole=trust)
    from kerasbatch.advice import advise as studies
    from kerasbatch.records.files import write_text

    found = studies.advise(
        source,
        target=target,
        minutes=minutes,
        verify=verify,
        trust=trust,
        wait=display.waiting_for,
    )
    _show(found)
    if csv:
        write_text(csv, found.table.to_csv(index=False))
    if output and found.spec:
        write_text(output, found.spec)
        print_note(f"the spec with batch size {found.batch_size:,} is in {output}")
    elif output:
        print_note(f"{output} is not written: there is no advice to write into it")


def _show(found: "Advice") -> None:
    from kerasbatch.cli.display.frames import frame_table

    console = open_console(errors=False)
    print_uncut(console, frame_table(found.table))
    if found.half is not None:
        print_uncut(console, frame_table(found.half))
    if found.memory.largest is not None:
        told = f"largest that fits: {found.memory.largest:,} ({found.memory.message})"
        console.print(told, style="dim", soft_wrap=True)
    console.print(found.message, style="bold", markup=False, soft_wrap=True)
    if found.verification is not None:
        print_uncut(console, frame_table(found.verification.table))
        console.print(found.verification.message, style="bold", soft_wrap=True)
