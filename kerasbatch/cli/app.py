"""The command line, with one module per command.

Only this package prints or exits. Exit codes: 0 every run finished and every step check holds; 1 a
run failed, a single run diverged, or a step check is a mismatch; 2 the spec or the command line is
wrong; 3 the experiment's directory is in use; 130 interrupted; 143 terminated.
"""

import sys
from typing import Annotated

import typer

from kerasbatch.cli.advise import advise, check_advice
from kerasbatch.cli.bench import bench
from kerasbatch.cli.cache import cache
from kerasbatch.cli.claims import claims
from kerasbatch.cli.compare import compare
from kerasbatch.cli.examples import examples
from kerasbatch.cli.export import export
from kerasbatch.cli.init import init
from kerasbatch.cli.plan import plan
from kerasbatch.cli.plot import plot
from kerasbatch.cli.predict import predict
from kerasbatch.cli.report import report
from kerasbatch.cli.run import run
from kerasbatch.cli.schema import schema
from kerasbatch.cli.steps import steps
from kerasbatch.cli.terminal import exit_codes, exit_wrong_usage
from kerasbatch.cli.watch import watch
from kerasbatch.version import VERSION

app = typer.Typer(
    help="Keras experiments on batch size, with exact step counts and fair comparisons.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    examples,
    init,
    steps,
    plan,
    run,
    watch,
    compare,
    plot,
    report,
    export,
    predict,
    advise,
    check_advice,
    bench,
    claims,
    cache,
    schema,
):
    app.command()(command)


def main() -> None:
    """Run the command line."""
    with exit_codes() as stop:
        try:
            code = app(obj=stop, standalone_mode=False)
        except Exception as error:
            if not hasattr(error, "format_message"):  # the errors of Typer have no public class
                raise
            exit_wrong_usage(error)
        sys.exit(code)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"kerasbatch {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of the program itself."""
