"""What happens before a command trains: complaints first, then the seconds of TensorFlow."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kerasbatch.cli.terminal import heed_signals, open_console, while_training

if TYPE_CHECKING:
    from kerasbatch.cli.display import Display
    from kerasbatch.spec.specfile import Source


def check_early(source: "Source", trust: bool, batch_sizes: Sequence[int] = ()) -> None:
    """Complain before TensorFlow takes its seconds, as far as plans go without own data.

    Raises:
        SpecError: if a run of the spec, or one of the batch sizes, cannot be planned.
    """
    from kerasbatch.runs.plans import plans
    from kerasbatch.spec import sweep
    from kerasbatch.spec.access import Access
    from kerasbatch.spec.data_keys import BuiltInData
    from kerasbatch.steps import plan

    with source.located():
        runs = sweep.expand(source)
    if all(isinstance(single.spec.data, BuiltInData) for single in runs):
        planned = plans(source, Access(source.folder, trust))
        for size in batch_sizes:
            plan(planned[0].plan.train_examples, batch_size=size, epochs=1)


def open_display(*, quiet: bool, verbose: bool) -> "Display":
    """Return what shows progress; set what must be set before anybody loads TensorFlow."""
    from kerasbatch.cli.display import Display
    from kerasbatch.engine import environment

    display = Display(open_console(), quiet=quiet, heed=heed_signals, while_training=while_training)
    for notice in environment.set_variables(verbose=verbose):
        display.notice(notice)
    return display


def display_with_tensorflow(
    *, quiet: bool, verbose: bool, threads: int = 0, whole: bool = False
) -> "Display":
    """Load TensorFlow, which takes seconds, and say so; return what shows progress."""
    from kerasbatch.engine import environment

    display = open_display(quiet=quiet, verbose=verbose)
    with display.waiting_for("loading TensorFlow"):
        environment.load_tensorflow(verbose=verbose, whole=whole)
        environment.compute_with(threads)
    return display
