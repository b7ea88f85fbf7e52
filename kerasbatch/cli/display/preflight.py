"""The checks before a training, and the loading of Keras after them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kerasbatch.cli.terminal import open_console

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX"}

if TYPE_CHECKING:
    from kerasbatch.cli.display.progress import Display
    from kerasbatch.spec.reader import SpecSource


def read_spec(path: Path, overrides: Sequence[str] | None) -> "SpecSource":
    """Return the spec of a file, for the backend that Keras is configured for if it names none.

    Raises:
        SpecError: with every fault of the file.
    """
    from kerasbatch.engine.environment import configured_backend
    from kerasbatch.spec.reader import load_spec, with_backend

    return with_backend(load_spec(path, overrides or ()), configured_backend())


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


def open_display(
    *, quiet: bool, verbose: bool, backend: str = "tensorflow", threads: int = 0
) -> "Display":
    """Return the display of progress; set the variables that Keras reads when loaded."""
    from kerasbatch.cache.places import compiled_folder
    from kerasbatch.cli.display.progress import Display
    from kerasbatch.engine import environment

    display = Display(open_console(), quiet=quiet)
    for notice in environment.set_variables(
        verbose=verbose, backend=backend, threads=threads, compiled=compiled_folder()
    ):
        display.notice(notice)
    return display


def display_with_keras(
    *,
    quiet: bool,
    verbose: bool,
    threads: int = 0,
    load_optional: bool = False,
    backend: str = "tensorflow",
) -> "Display":
    """Load Keras and its backend, which takes seconds, and return the display of progress."""
    from kerasbatch.engine import environment

    display = open_display(quiet=quiet, verbose=verbose, backend=backend, threads=threads)
    with display.waiting_for(f"loading {BACKENDS[backend]}"):
        environment.load_keras(verbose=verbose, load_optional=load_optional)
        environment.set_threads(threads)
    return display
