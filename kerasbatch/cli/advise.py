"""The commands `advise` and `check-advice`: a batch size, and its comparison with brute force."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kerasbatch.cli import options
from kerasbatch.cli.display.preflight import (
    check_before_loading,
    display_with_keras,
    read_spec,
)
from kerasbatch.cli.options import Overrides, SpecPath, Target, Trust
from kerasbatch.cli.terminal import open_console, print_note, print_uncut
from kerasbatch.errors import Fault, SpecError
from kerasbatch.text import escape_formula

if TYPE_CHECKING:
    from kerasbatch.advice.brute_force import BruteForce
    from kerasbatch.advice.result import Advice


def advise(
    spec: SpecPath,
    target: Target = None,
    minutes: Annotated[
        float, typer.Option(metavar="M", help="Approximate time limit in minutes.")
    ] = 5.0,
    verify: Annotated[
        bool, typer.Option("--verify", help="Train at the advised size and at its neighbours.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the table to this file.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="SPEC", help="Write the advised spec to this file."),
    ] = None,
    overrides: Overrides = None,
    trust: Trust = False,
) -> None:
    """Measure memory, speed and noise, and recommend a batch size or say what is missing."""
    from kerasbatch.spec.rules.check_rules import names_files

    source = read_spec(spec, overrides)
    faults = [*options.folder_faults(csv, "--csv"), *options.folder_faults(output, "-o")]
    if output and output.absolute().parent.resolve() != source.folder and names_files(source.spec):
        message = f"the spec names files beside it; write the advised one into {source.folder}, too"
        faults.append(Fault(("-o",), message))
    if output and output.resolve() == spec.resolve():
        message = f"{output} is the spec itself, which would be lost; give another file"
        faults.append(Fault(("-o",), message))
    if faults:
        raise SpecError(faults)
    check_before_loading(source, trust)
    backend = source.spec.backend
    display = display_with_keras(quiet=False, verbose=False, load_optional=trust, backend=backend)
    from kerasbatch.advice import advise as adviser
    from kerasbatch.atomic_files import write_text

    advice = adviser.advise(
        source,
        target=target,
        minutes=minutes,
        verify=verify,
        trust=trust,
        wait=display.waiting_for,
    )
    _show(advice)
    if csv:
        write_text(csv, advice.table.map(escape_formula).to_csv(index=False))
    if output and advice.spec:
        write_text(output, advice.spec)
        print_note(f"the spec with batch size {advice.batch_size:,} is in {output}")
    elif output:
        print_note(f"{output} is not written: there is no advice to write into it")


def _show(advice: "Advice") -> None:
    from kerasbatch.cli.display.frames import frame_table

    console = open_console(errors=False)
    print_uncut(console, frame_table(advice.table))
    if advice.half is not None:
        print_uncut(console, frame_table(advice.half))
    if advice.memory.largest is not None:
        line = f"largest that fits: {advice.memory.largest:,} ({advice.memory.message})"
        console.print(line, style="dim", soft_wrap=True)
    console.print(advice.message, style="bold", markup=False, soft_wrap=True)
    if advice.verification is not None:
        print_uncut(console, frame_table(advice.verification.table))
        console.print(advice.verification.message, style="bold", soft_wrap=True)


def check_advice(
    specs: Annotated[
        list[Path], typer.Argument(metavar="SPEC", help="Experiments, each with a target.")
    ],
    target: Target = None,
    minutes: Annotated[
        float, typer.Option(metavar="M", help="Approximate time limit of each advice in minutes.")
    ] = 5.0,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the table to this file.")
    ] = None,
    overrides: Overrides = None,
    trust: Trust = False,
) -> None:
    """Compare the advice with brute force: eight sizes and the advised one, tuned and timed."""
    sources = [read_spec(spec, overrides) for spec in specs]
    if faults := options.folder_faults(csv, "--csv"):
        raise SpecError(faults)
    for source in sources:
        check_before_loading(source, trust)
    backend = sources[0].spec.backend
    display = display_with_keras(quiet=False, verbose=False, load_optional=trust, backend=backend)
    from kerasbatch.advice import brute_force
    from kerasbatch.atomic_files import write_text

    checks = [brute_force.brute_force_spec(source, target, trust=trust) for source in sources]
    results: list[BruteForce] = []
    for check in checks:
        result = brute_force.brute_force(
            check, minutes=minutes, trust=trust, wait=display.waiting_for
        )
        results.append(result)
        _show_check(result)
        if csv:
            table = brute_force.join_tables(results).map(escape_formula)
            write_text(csv, table.to_csv(index=False))


def _show_check(result: "BruteForce") -> None:
    from kerasbatch.cli.display.frames import frame_table

    console = open_console(errors=False)
    console.print(result.name, style="bold", markup=False)
    print_uncut(console, frame_table(result.table.drop(columns=["spec", "target"])))
    console.print(result.advice.message, markup=False, soft_wrap=True)
    console.print(result.message, style="bold", markup=False, soft_wrap=True)
