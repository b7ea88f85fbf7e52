"""From a spec to finished run directories.

    kerasbatch.run("experiments/mnist_b16.yaml").history

A faulty spec is refused before a directory is made. Every end of a training is a status; an error
in a training does not lose its rows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from kerasbatch.errors import Fault, SpecError
from kerasbatch.records.experiment import Experiment
from kerasbatch.records.files import dump_yaml
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs import earlier_results
from kerasbatch.runs.coordinator import Coordinator
from kerasbatch.runs.executors import resources
from kerasbatch.runs.executors.base import Executor
from kerasbatch.runs.executors.output import Output
from kerasbatch.runs.executors.ray import cluster as ray_cluster
from kerasbatch.runs.executors.ray.cluster import RayOptions
from kerasbatch.runs.progress import Watcher
from kerasbatch.runs.result import Result
from kerasbatch.runs.stop_request import StopRequest, handle_ctrl_c
from kerasbatch.spec import sweep
from kerasbatch.spec.reader import SpecSource, resolve_spec
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.spec.trust import Access

AnySpec = str | Path | Mapping[str, Any] | SpecSource


def run(
    spec: AnySpec,
    *,
    overrides: Iterable[str] = (),
    results: str | Path = "results",
    rerun: bool = False,
    trust: bool = False,
    timeout: float | None = None,
    watcher: Watcher | None = None,
) -> Result:
    """Train a spec of a single run, and return its result.

    Args:
        spec: the path of a YAML file, a dict of the same shape, or a spec that was read already.
        overrides: `key=value` texts that replace keys of the spec.
        results: the directory that holds experiments.
        rerun: train finished runs again.
        trust: let the spec run Python code and read files outside its own folder.
        timeout: the seconds after which the run is ended; the run then trains in a process of its
            own, which can be ended at any time.
        watcher: is notified of progress.

    Raises:
        SpecError: if the spec is wrong, or has a sweep.
        DirectoryInUseError: if another process writes into the experiment's directory.
    """
    source = resolve_spec(spec, overrides)
    with source.located():
        if (count := len(sweep.expand(source))) != 1:
            message = f"makes {count} runs; call kerasbatch.run_all for them"
            raise SpecError.at(("sweep",), message)
    (result,) = run_all(
        source, results=results, rerun=rerun, trust=trust, timeout=timeout, watcher=watcher
    )
    return result


def run_all(
    spec: AnySpec,
    *,
    overrides: Iterable[str] = (),
    results: str | Path = "results",
    jobs: int | None = None,
    rerun: bool = False,
    trust: bool = False,
    timeout: float | None = None,
    watcher: Watcher | None = None,
    verbose: bool = False,
    ray: RayOptions | str | None = None,
    stop: StopRequest | None = None,
    isolated: bool = False,
) -> list[Result]:
    """Train every run of a spec; finished ones are not trained again.

    The runs of a sweep are trained by workers, processes of their own; a single run by this one.

    Args:
        spec: the path of a YAML file, a dict of the same shape, or a spec that was read already.
        overrides: `key=value` texts that replace keys of the spec.
        results: the directory that holds experiments.
        jobs: the number of runs of a sweep at a time; by default one per core, or per GPU.
        rerun: train finished runs again.
        trust: let the spec run Python code and read files outside its own folder.
        timeout: the seconds after which a run is ended.
        watcher: is notified of progress.
        verbose: show the output of workers, and TensorFlow's log.
        ray: the Ray cluster that trains instead of this machine: `local`, `auto`, HOST:PORT, or
            `RayOptions`.
        stop: stops the runs between blocks of steps; by default Ctrl-C does.
        isolated: train a single run in a process of its own, too, which its code may end.

    Returns:
        The results in the order of the grid; an interrupted sweep returns those of its ended runs.

    Raises:
        SpecError: if the spec is wrong; nothing was trained or written.
        DirectoryInUseError: if another process writes into the experiment's directory.
        WorkerError: if no worker can start.
        KeyboardInterrupt: if it was interrupted before a run had a result.
    """
    source, folder = resolve_spec(spec, overrides), Path(results).absolute()
    access = Access(source.folder, trust)
    with source.located():
        cluster = RayOptions(ray) if isinstance(ray, str) else ray
        _check_options(jobs, timeout, cluster)
        singles = sweep.expand(source)
        experiment, watch = Experiment(folder / source.spec.name), watcher or Watcher()
        chosen = _executor(singles, access, isolated, jobs, timeout, verbose, cluster)
        handler = handle_ctrl_c() if stop is None else nullcontext(stop)
        with chosen as (executor, workers), handler as request:
            ended = train_all(source, experiment, executor, access, workers, rerun, watch, request)
            if stop is None and not _any_interrupted(ended):
                request.raise_if_requested()  # Ctrl-C came after the last block of steps
            return ended


@contextmanager
def _executor(
    singles: Sequence[SingleRun],
    access: Access,
    isolated: bool,
    jobs: int | None,
    timeout: float | None,
    verbose: bool,
    cluster: RayOptions | None,
) -> Iterator[tuple[Executor, int]]:
    """Yield the executor of the runs, and its number of workers."""
    executor: Executor
    alone = not singles[0].swept
    output = Output(shown=verbose or (alone and isolated), logged=verbose)
    if cluster is not None:
        ray_cluster.set_variables(cluster)
        from kerasbatch.runs.executors.ray.executor import RayExecutor

        executor = on_cluster = RayExecutor(
            singles, access, cluster, timeout=timeout, verbose=verbose
        )
        workers = on_cluster.jobs
    elif alone and timeout is None and not isolated:
        from kerasbatch.runs.executors.in_process import InProcessExecutor

        workers, executor = 1, InProcessExecutor(singles, access)
    else:
        from kerasbatch.runs.executors.local import LocalExecutor

        workers = min(jobs or resources.default_jobs(), len(singles))
        threads = resources.threads_per_run(len(singles))
        executor = LocalExecutor(
            singles, access, jobs=workers, threads=threads, timeout=timeout, output=output
        )
    try:
        yield executor, workers
    finally:
        executor.close()


def _check_options(jobs: int | None, timeout: float | None, cluster: RayOptions | None) -> None:
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


def train_all(
    source: SpecSource,
    experiment: Experiment,
    executor: Executor,
    access: Access,
    workers: int,
    rerun: bool,
    watcher: Watcher,
    stop: StopRequest,
) -> list[Result]:
    """Check and train the runs of a spec; write their files."""
    checked = executor.check(watcher.waiting)
    for notice in checked.notices:
        watcher.notice(notice)
    with experiment.locked(trusted=access.trusted):
        earlier_results.refuse_foreign(checked.runs, experiment)
        experiment.write_spec(source.text or dump_yaml(source.unchanged or source.tree.value))
        earlier_results.notice_other_runs(checked.runs, experiment, watcher)
        coordinator = Coordinator(experiment, checked.runs, source, access, workers, watcher)
        unfinished = []
        for run in checked.runs:
            directory = experiment.run(run.run_id)
            finished = None if rerun else earlier_results.finished(run, directory, watcher)
            if finished is None:
                unfinished.append(earlier_results.with_saved_models(run, directory))
            else:
                coordinator.keep(finished)
        coordinator.plan(unfinished)
        with stop.deferred():
            complete = not unfinished or executor.work(coordinator, stop)
            coordinator.close()
    results = [
        coordinator.results[run.run_id] for run in checked.runs if run.run_id in coordinator.results
    ]
    if not complete and not _any_interrupted(results):
        raise KeyboardInterrupt
    return results


def _any_interrupted(results: Sequence[Result]) -> bool:
    return any(result.status == RunStatus.INTERRUPTED for result in results)
