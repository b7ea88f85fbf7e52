"""The command `bench`: plain fit against the fused engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kerasbatch.cli import options
from kerasbatch.cli.options import Overrides, SpecPath, Trust, Verbose
from kerasbatch.cli.preflight import check_before_loading, display_with_tensorflow
from kerasbatch.cli.terminal import open_console, print_uncut
from kerasbatch.errors import SpecError

if TYPE_CHECKING:
    from kerasbatch.benchmark.data_paths import DataSpeeds
    from kerasbatch.benchmark.engines import EngineSpeeds
    from kerasbatch.spec.reader import SpecSource


def bench(
    spec: SpecPath,
    overrides: Overrides = None,
    batch_size: Annotated[
        str,
        typer.Option(
            "--batch-size",
            metavar="LIST",
            help="Like 1,16,128,1024,full; without it, those of the spec.",
        ),
    ] = "",
    data: Annotated[
        bool, typer.Option("--data", help="Compare how data come: resident, streamed, tf.data.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table here.")] = None,
    trust: Trust = False,
    verbose: Verbose = False,
) -> None:
    """Time plain fit against the fused engine, side by side on this machine.

    Each trains for about a second, in turn, five times; a batch size takes some 15 seconds, or
    ten steps of plain fit where these are slower; with --data, some 50 seconds.
    """
    from kerasbatch.spec.reader import load_spec
    from kerasbatch.spec.trust import Access

    source = load_spec(spec, overrides or ())
    sizes = _sizes(batch_size) if batch_size else _sizes_of(source)
    if faults := options.folder_faults(csv, "--csv"):
        raise SpecError(faults)
    check_before_loading(source, trust, [size for size in sizes if size != "full"])
    display = display_with_tensorflow(quiet=False, verbose=verbose, whole=trust)
    from kerasbatch.benchmark.data_paths import measure_data_paths
    from kerasbatch.benchmark.engines import measure_engines
    from kerasbatch.records.files import write_csv

    measure = measure_data_paths if data else measure_engines
    found: list[Any] = []
    try:
        with source.located():
            measured: Iterator[Any] = measure(source.spec, Access(source.folder, trust), sizes)
            for size in sizes:
                with display.waiting_for(f"batch size {size}"):
                    found.append(next(measured))
    finally:  # what was measured before an interrupt is worth showing
        if found:
            _show_data(found) if data else _show(found)
        if found and csv:
            rows = [each.row() for each in found]
            write_csv(csv, list(rows[0]), rows)


def _sizes_of(source: "SpecSource") -> list[Any]:
    """Return the batch sizes of a spec, those of its sweep if it sweeps them."""
    from kerasbatch.spec import sweep

    with source.located():
        return list(dict.fromkeys(single.spec.batch_size for single in sweep.expand(source)))


def _show_data(found: "list[DataSpeeds]") -> None:
    import pandas as pd

    from kerasbatch.cli.display.frames import frame_table

    rows = pd.DataFrame([each.row() for each in found])
    print_uncut(open_console(errors=False), frame_table(rows))


def _show(found: "list[EngineSpeeds]") -> None:
    from kerasbatch.cli.display.tables import bench_table

    console = open_console(errors=False)
    print_uncut(console, bench_table(found))
    for why in dict.fromkeys(each.why for each in found):
        sizes = ", ".join(f"{each.batch_size:,}" for each in found if each.why == why)
        console.print(f"  b = {sizes}: {why}", style="dim", soft_wrap=True)


def _sizes(text: str) -> list[Any]:
    must = "whole numbers and full, like 1,16,128,full"
    return [options.batch_size(part.strip(), "--batch-size", must) for part in text.split(",")]
