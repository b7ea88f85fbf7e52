"""The choice of the executor of some runs: this process, workers, or a Ray cluster."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kerasbatch.engine.environment import configured_backend, first_log_lines_hidden
from kerasbatch.errors import Fault, SpecError
from kerasbatch.runs.executors import resources
from kerasbatch.runs.executors.base import Executor
from kerasbatch.runs.executors.no_executor import NoExecutor
from kerasbatch.runs.executors.output import Output
from kerasbatch.runs.executors.ray import cluster as ray_cluster
from kerasbatch.runs.executors.ray.cluster import RayOptions
from kerasbatch.runs.prepare.prepared_run import CheckedRuns
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.spec.trust import Access


@contextmanager
def executor_of(
    singles: Sequence[SingleRun],
    access: Access,
    isolated: bool,
    jobs: int | None,
    timeout: float | None,
    verbose: bool,
    cluster: RayOptions | None,
    finished: CheckedRuns | None = None,
) -> Iterator[tuple[Executor, int]]:
    """Yield the executor of the runs, which may all be finished, and its number of workers."""
    executor: Executor
    alone = not singles[0].swept
    output = Output(shown=verbose or (alone and isolated), logged=verbose)
    if finished is not None:
        workers, executor = 1, NoExecutor(finished)
    elif cluster is not None:
        ray_cluster.set_variables(cluster)
        from kerasbatch.runs.executors.ray.executor import RayExecutor

        executor = on_cluster = RayExecutor(
            singles, access, cluster, timeout=timeout, verbose=verbose
        )
        workers = on_cluster.jobs
    elif alone and timeout is None and not isolated and _is_configured(singles[0]):
        with first_log_lines_hidden():
            from kerasbatch.runs.executors.in_process import InProcessExecutor

        workers, executor = 1, InProcessExecutor(singles, access)
    else:
        from kerasbatch.runs.executors.local import LocalExecutor

        count = resources.least_runs(singles)
        workers = min(jobs or resources.default_jobs(), count)
        threads = resources.threads_per_run(count)
        executor = LocalExecutor(
            singles, access, jobs=workers, threads=threads, timeout=timeout, output=output
        )
    try:
        yield executor, workers
    finally:
        executor.close()


def _is_configured(single: SingleRun) -> bool:
    """Return whether Keras in this process has the backend of a run."""
    return configured_backend() == single.spec.backend


def check_options(jobs: int | None, timeout: float | None, cluster: RayOptions | None) -> None:
    """Raise SpecError for options of an executor that are wrong or exclude each other."""
    faults = []
    if cluster is not None:
        faults += ray_cluster.faults(cluster)
        if jobs is not None:
            message = (
                "found both --jobs and --ray; on a cluster its own size decides, so leave --jobs"
            )
            faults.append(Fault(("jobs",), message))
    if jobs is not None and jobs < 1:
        faults.append(Fault(("jobs",), f"found {jobs}; must be a whole number from 1 on"))
    if timeout is not None and not timeout > 0:
        faults.append(Fault(("timeout",), f"found {timeout}; must be seconds above 0"))
    if faults:
        raise SpecError(faults)
