"""The command `bench`: time plain fit and the fused engine."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kerasbatch.cli import options
from kerasbatch.cli.display.preflight import (
    check_before_loading,
    display_with_keras,
    read_spec,
)
from kerasbatch.cli.options import Overrides, SpecPath, Trust, Verbose
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
            help="Batch sizes, like 1,16,128,full; by default those of the spec.",
        ),
    ] = "",
    data: Annotated[
        bool, typer.Option("--data", help="Compare the data paths: resident, streamed, tf.data.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the table to this file.")
    ] = None,
    trust: Trust = False,
    verbose: Verbose = False,
) -> None:
    """Time plain fit, Keras' best setting and the fused engine side by side on this machine.

    Keras' best is the fastest of a few values of steps_per_execution and jit_compile. Each trains
    five times for about a second, in turn. A batch size takes about 40 seconds, or longer if XLA
    compiles slowly; with --data, about 50 seconds.
    """
    source = read_spec(spec, overrides)
    sizes = _parse_sizes(batch_size) if batch_size else _spec_sizes(source)
    if faults := options.folder_faults(csv, "--csv"):
        raise SpecError(faults)
    if source.spec.backend != "tensorflow":
        message = "bench times Keras on TensorFlow; add --set backend=tensorflow"
        raise SpecError.at(("backend",), message)
    check_before_loading(source, trust, [size for size in sizes if size != "full"])
    display = display_with_keras(quiet=False, verbose=verbose, load_optional=trust)
    from kerasbatch.benchmark.data_paths import measure_data_paths
    from kerasbatch.benchmark.engines import measure_engines
    from kerasbatch.benchmark.timers import Benchmark
    from kerasbatch.records.files import write_spreadsheet

    measure: Callable[[Benchmark, int], Any] = measure_data_paths if data else measure_engines
    speeds: list[Any] = []
    try:
        with source.located():
            with display.waiting_for("reading the data"):
                benchmark = Benchmark(source.spec, source.access(trust=trust))
            for size in benchmark.numeric_sizes(sizes):
                with display.waiting_for(f"batch size {size}"):
                    speeds.append(measure(benchmark, size))
    finally:  # measurements before an interrupt are shown
        if speeds:
            _show_data_paths(speeds) if data else _show_engines(speeds)
        if speeds and csv:
            rows = [speed.row() for speed in speeds]
            write_spreadsheet(csv, list(rows[0]), rows)


def _spec_sizes(source: "SpecSource") -> list[Any]:
    """Return the batch sizes of the runs of a spec."""
    from kerasbatch.spec.sweep.expand import expand

    with source.located():
        return list(dict.fromkeys(single.spec.batch_size for single in expand(source)))


def _show_data_paths(speeds: "list[DataSpeeds]") -> None:
    import pandas as pd

    from kerasbatch.cli.display.frames import frame_table

    rows = pd.DataFrame([speed.row() for speed in speeds])
    print_uncut(open_console(errors=False), frame_table(rows))


def _show_engines(speeds: "list[EngineSpeeds]") -> None:
    from kerasbatch.cli.display.tables import bench_table

    console = open_console(errors=False)
    print_uncut(console, bench_table(speeds))
    for setting in dict.fromkeys(speed.tuned_setting for speed in speeds):
        sizes = ", ".join(
            f"{each.batch_size:,}" for each in speeds if each.tuned_setting == setting
        )
        console.print(f"  b = {sizes}: Keras' best is {setting}", style="dim", soft_wrap=True)
    for reasons in dict.fromkeys(speed.why for speed in speeds):
        sizes = ", ".join(f"{speed.batch_size:,}" for speed in speeds if speed.why == reasons)
        console.print(f"  b = {sizes}: {reasons}", style="dim", soft_wrap=True)


def _parse_sizes(text: str) -> list[Any]:
    expected = "whole numbers and full, like 1,16,128,full"
    return [options.batch_size(part.strip(), "--batch-size", expected) for part in text.split(",")]
