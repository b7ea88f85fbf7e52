"""From a spec to finished run directories.

    kerasbatch.run("experiments/mnist_b16.yaml").history

A faulty spec is refused before a directory is made. Every end of a training is a status; an error
in a training does not lose its rows.
"""

import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from kerasbatch.engine.environment import configured_backend
from kerasbatch.errors import SpecError
from kerasbatch.records.experiment import Experiment
from kerasbatch.records.files import dump_yaml
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs import earlier_results
from kerasbatch.runs.coordinator import Coordinator
from kerasbatch.runs.event_folder import event_folder
from kerasbatch.runs.executors.base import Executor
from kerasbatch.runs.executors.ray.cluster import RayOptions
from kerasbatch.runs.executors.select import check_options, executor_of
from kerasbatch.runs.finished_runs import finished_runs
from kerasbatch.runs.prepare.prepared_run import CheckedRuns
from kerasbatch.runs.progress import NoteWriter, Watcher
from kerasbatch.runs.result import Result
from kerasbatch.runs.spec_keys import SpecKeys
from kerasbatch.runs.spec_of_python import AnySpec, spec_of_python
from kerasbatch.runs.stop_request import StopRequest, handle_signals
from kerasbatch.runs.sweep_runs import SweepRuns, prepared_by_swept
from kerasbatch.search.run_bounds import run_bounds
from kerasbatch.spec.reader import SpecSource, resolve_spec
from kerasbatch.spec.sweep.expand import expand
from kerasbatch.spec.trust import Access


def run(
    spec: AnySpec | None = None,
    *,
    overrides: Iterable[str] = (),
    results: str | Path = "results",
    rerun: bool = False,
    trust: bool = False,
    timeout: float | None = None,
    watcher: Watcher | None = None,
    tensorboard: str | Path | None = None,
    **keys: Unpack[SpecKeys],
) -> Result:
    """Train a spec of a single run, and return its result.

        kerasbatch.run(data=(x, y), model=build, optimizer="adam", batch_size=16, epochs=5)

    Args:
        spec: the path of a YAML file, a dict of the same shape, or a spec that was read already;
            None if its keys are given by name.
        overrides: `key=value` texts that replace keys of the spec.
        results: the directory that holds experiments.
        rerun: train finished runs again.
        trust: let the spec run Python code and read files outside its own folder.
        timeout: the seconds after which the run is ended; the run then trains in a process of its
            own, which can be ended at any time.
        watcher: is notified of progress; by default, notes for the user go to stderr.
        tensorboard: as in `run_all`.
        **keys: keys of the spec. `data` may be (x, y), or a mapping of x, y, validation, test and
            weight, of arrays or DataFrames; `model` a function that builds a model, or a model,
            whose weights begin the training; `callbacks` may be objects.

    Raises:
        SpecError: if the spec is wrong, or has a sweep.
        DirectoryInUseError: if another process writes into the experiment's directory.
    """
    source = spec_of_python(spec, overrides, keys)
    with source.located():
        bounds = run_bounds(source.spec, expand(source)) if source.spec.makes_many else (1, 1)
        if bounds != (1, 1):
            number = " to ".join(map(str, dict.fromkeys(bounds)))
            message = f"makes {number} runs; call kerasbatch.sweep or run_all for them"
            raise SpecError.at(("sweep",), message)
    (result,) = run_all(
        source,
        results=results,
        rerun=rerun,
        trust=trust,
        timeout=timeout,
        watcher=watcher,
        tensorboard=tensorboard,
    )
    return result


def sweep(
    spec: AnySpec | None = None,
    *,
    overrides: Iterable[str] = (),
    results: str | Path = "results",
    jobs: int | None = None,
    rerun: bool = False,
    trust: bool = False,
    timeout: float | None = None,
    watcher: Watcher | None = None,
    ray: RayOptions | str | None = None,
    tensorboard: str | Path | None = None,
    **keys: Unpack[SpecKeys],
) -> list[Result]:
    """Train a spec for every combination of the values in its lists.

        kerasbatch.sweep(data=(x, y), model=build, batch_size=[8, 64], learning_rate=[0.01, 0.1],
                         seed=[0, 1], epochs=5)

    Args:
        spec: as in `run`.
        overrides: as in `run_all`.
        results: the directory that holds experiments.
        jobs: as in `run_all`.
        rerun: train finished runs again.
        trust: as in `run_all`.
        timeout: the seconds after which a run is ended.
        watcher: is notified of progress.
        ray: as in `run_all`.
        tensorboard: as in `run_all`.
        **keys: keys of the spec as in `run`. A list sweeps a key, unless it is a list in every
            spec, such as `metrics`.

    Returns:
        The results, the last key varying fastest.

    Raises:
        SpecError: if the spec is wrong.
    """
    return run_all(
        spec_of_python(spec, overrides, keys, sweeps=True),
        results=results,
        jobs=jobs,
        rerun=rerun,
        trust=trust,
        timeout=timeout,
        watcher=watcher,
        ray=ray,
        tensorboard=tensorboard,
    )


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
    tensorboard: str | Path | None = None,
    stop: StopRequest | None = None,
    isolated: bool = False,
) -> list[Result]:
    """Train every run of a spec; finished ones are not trained again.

    Workers, processes of their own, train the runs of a sweep; this one trains a single run.

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
        ray: the Ray cluster that trains instead: `local`, `auto`, HOST:PORT or `RayOptions`.
        tensorboard: a log directory, in which every run gets an event file while it trains.
        stop: stops the runs between blocks of steps; by default, Ctrl-C.
        isolated: train a single run in a process of its own, too, which its code may end.

    Returns:
        The results in the order of the grid; of an interrupted sweep, those of its ended runs.

    Raises:
        SpecError: if the spec is wrong; nothing was trained or written.
        DirectoryInUseError: if another process writes into the experiment's directory.
        WorkerError: if no worker can start.
        KeyboardInterrupt: if it was interrupted before a run had a result.
    """
    source, folder = resolve_spec(spec, overrides, configured_backend()), Path(results).absolute()
    access = source.access(trust=trust, results=folder)
    with source.located():
        cluster, singles = RayOptions(ray) if isinstance(ray, str) else ray, expand(source)
        check_options(jobs, timeout, cluster)
        experiment, watch = Experiment(folder / source.spec.name), watcher or NoteWriter()
        is_loaded = not singles[0].swept and "keras" in sys.modules
        trains = rerun or is_loaded  # else, a look at the results may save the loading
        finished = None if trains else finished_runs(source.spec, singles, experiment, access)
        chosen = executor_of(singles, access, isolated, jobs, timeout, verbose, cluster, finished)
        with chosen as (executor, workers), _request(stop) as request:
            options = access, workers, rerun, watch, request, tensorboard
            ended = train_all(source, experiment, executor, *options)
            if stop is None and not _any_interrupted(ended):
                request.raise_if_requested()  # Ctrl-C came after the last block of steps
            return ended


def _request(stop: StopRequest | None) -> AbstractContextManager[StopRequest]:
    return handle_signals() if stop is None else nullcontext(stop)


def train_all(
    source: SpecSource,
    experiment: Experiment,
    executor: Executor,
    access: Access,
    workers: int,
    rerun: bool,
    watcher: Watcher,
    stop: StopRequest,
    tensorboard: str | Path | None = None,
) -> list[Result]:
    """Check and train the runs of a spec; write their files."""
    events = event_folder(source.spec, tensorboard)
    checked = executor.check(watcher.waiting)
    for notice in checked.notices:
        watcher.notice(notice)
    with experiment.locked(trusted=access.trusted):
        earlier_results.refuse_foreign(checked.runs, experiment)
        experiment.write_spec(source.text or dump_yaml(source.unchanged or source.tree.value))
        singles = [run.single for run in checked.runs]
        runs = SweepRuns(source.spec, singles, prepared_by_swept(checked.runs))
        coordinator = Coordinator(
            experiment, runs, source, access, workers, watcher, rerun=rerun, tensorboard=events
        )
        coordinator.ask()
        if not runs.decides:
            earlier_results.notice_other_runs(runs.asked, experiment, watcher)
        with stop.deferred():
            complete = not coordinator.has_runs() or executor.work(coordinator, stop)
            coordinator.close()
        if runs.decides and complete:  # only now its runs are known
            earlier_results.notice_other_runs(_of_sweep(checked, runs), experiment, watcher)
    results = [replace(each, objects=access.objects) for each in runs.ordered(coordinator.results)]
    if not complete and not _any_interrupted(results):
        raise KeyboardInterrupt
    return results


def _of_sweep(checked: CheckedRuns, runs: SweepRuns) -> set[str]:
    """Return the names of the runs that belong to the sweep, given up or not."""
    return {*(run.run_id for run in checked.runs), *runs.asked}


def _any_interrupted(results: Sequence[Result]) -> bool:
    return any(result.status == RunStatus.INTERRUPTED for result in results)
