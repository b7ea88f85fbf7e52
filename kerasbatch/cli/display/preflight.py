"""The checks before a training, and the loading of TensorFlow after them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kerasbatch.cli.terminal import open_console

if TYPE_CHECKING:
    from kerasbatch.cli.display.progress import Display
    from kerasbatch.spec.reader import SpecSource


def check_before_loading(
    source: "SpecSource", trust: bool, batch_sizes: Sequence[int] = ()
) -> None:
    """Check plans before TensorFlow is loaded, if the data are built in.

    Raises:
        SpecError: if a run of the spec, or one of the batch sizes, cannot be planned.
    """
    from kerasbatch.planning import plan
    from kerasbatch.runs.prepare.plans import plan_runs
    from kerasbatch.spec.data_schema import BuiltInData
    from kerasbatch.spec.sweep.expand import expand

    with source.located():
        runs = expand(source)
    if all(isinstance(single.spec.data, BuiltInData) for single in runs):
        planned = plan_runs(source, source.access(trust=trust))
        for size in batch_sizes:
            plan(planned[0].plan.train_examples, batch_size=size, epochs=1)


def open_display(*, quiet: bool, verbose: bool) -> "Display":
    """Return the display of progress; set the variables that TensorFlow reads when loaded."""
    from kerasbatch.cli.display.progress import Display
    from kerasbatch.engine import environment

    display = Display(open_console(), quiet=quiet)
    for notice in environment.set_variables(verbose=verbose):
        display.notice(notice)
    return display


def display_with_tensorflow(
    *, quiet: bool, verbose: bool, threads: int = 0, load_optional: bool = False
) -> "Display":
    """Load TensorFlow, which takes seconds, and return the display of progress."""
    from kerasbatch.engine import environment

    display = open_display(quiet=quiet, verbose=verbose)
    with display.waiting_for("loading TensorFlow"):
        environment.load_tensorflow(verbose=verbose, load_optional=load_optional)
        environment.set_threads(threads)
    return display
