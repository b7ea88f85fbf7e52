"""A spec -> finished run directories.

    kerasbatch.run("experiments/mnist_b16.yaml").history

Everything that can be wrong with a spec is found before a directory is made; what happens in a
training ends in a status, never in a traceback that takes the rows with it.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kerasbatch.errors import Fault, SpecError
from kerasbatch.records import provenance
from kerasbatch.records.experiment import Experiment
from kerasbatch.records.files import dump_yaml
from kerasbatch.records.run_directory import MODELS, RunDirectory, is_finished, models_lacking
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.coordinator import Coordinator
from kerasbatch.runs.executors import resources
from kerasbatch.runs.executors.base import Executor
from kerasbatch.runs.executors.ray import cluster as ray_cluster
from kerasbatch.runs.executors.ray.cluster import RayOptions
from kerasbatch.runs.prepare.prepared_run import PreparedRun
from kerasbatch.runs.progress import Watcher
from kerasbatch.runs.result import Result
from kerasbatch.spec import sweep
from kerasbatch.spec.reader import SpecSource, resolve_spec
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.spec.trust import Access
from kerasbatch.text import counted, shortened

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
    """Train a spec that stands for a single run, and return the result.

    Args:
        spec: the path of a YAML file, a dict of the same shape, or a spec that was read already.
        overrides: `key=value` texts that replace keys of the spec.
        results: the directory that holds experiments.
        rerun: train again what is finished.
        trust: let the spec run Python code and read files outside its own folder.
        timeout: the seconds after which the run is ended; then it is trained in a process of its
            own, which alone can be ended whatever it does.
        watcher: hears of progress.

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
) -> list[Result]:
    """Train every run of a spec; finished ones are not trained again.

    The runs of a sweep are trained by workers, processes of their own; a single run by this one.

    Args:
        spec: the path of a YAML file, a dict of the same shape, or a spec that was read already.
        overrides: `key=value` texts that replace keys of the spec.
        results: the directory that holds experiments.
        jobs: how many runs of a sweep go on at a time; by default one per core, or per GPU.
        rerun: train again what is finished.
        trust: let the spec run Python code and read files outside its own folder.
        timeout: the seconds after which a run is ended.
        watcher: hears of progress.
        verbose: let what workers print, and TensorFlow's log, appear.
        ray: the Ray cluster that trains, in place of this machine: `local`, `auto`, HOST:PORT, or
            `RayOptions`.

    Returns:
        The results in the order of the grid; of an interrupted sweep, those that there are.

    Raises:
        SpecError: if the spec is wrong; nothing was trained and no directory was made.
        DirectoryInUseError: if another process writes into the experiment's directory.
        WorkerError: if no worker lives long enough to train anything.
        KeyboardInterrupt: if it was interrupted before any run had a result.
    """
    source, folder = resolve_spec(spec, overrides), Path(results).absolute()
    access = Access(source.folder, trust)
    with source.located():
        cluster = RayOptions(ray) if isinstance(ray, str) else ray
        _check_options(jobs, timeout, cluster)
        singles = sweep.expand(source)
        alone = source.spec.sweep is None and timeout is None
        with _executor(singles, access, alone, jobs, timeout, verbose, cluster) as (crew, workers):
            experiment = Experiment(folder / source.spec.name)
            return train_all(source, experiment, crew, access, workers, rerun, watcher or Watcher())


@contextlib.contextmanager
def _executor(
    singles: Sequence[SingleRun],
    access: Access,
    alone: bool,
    jobs: int | None,
    timeout: float | None,
    verbose: bool,
    cluster: RayOptions | None,
) -> Iterator[tuple[Executor, int]]:
    """Yield who trains the runs, and how many of them at a time."""
    crew: Executor
    if cluster is not None:
        ray_cluster.set_variables(cluster)
        from kerasbatch.runs.executors.ray.executor import RayExecutor

        crew = on_cluster = RayExecutor(singles, access, cluster, timeout=timeout, verbose=verbose)
        workers = on_cluster.jobs
    elif alone:
        from kerasbatch.runs.executors.in_process import InProcessExecutor

        workers, crew = 1, InProcessExecutor(singles, access)
    else:
        from kerasbatch.runs.executors.local import LocalExecutor

        workers = min(jobs or resources.default_jobs(), len(singles))
        threads = resources.threads_per_run(len(singles))
        crew = LocalExecutor(
            singles, access, jobs=workers, threads=threads, timeout=timeout, verbose=verbose
        )
    try:
        yield crew, workers
    finally:
        crew.close()


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
    crew: Executor,
    access: Access,
    workers: int,
    rerun: bool,
    watcher: Watcher,
) -> list[Result]:
    """Let a crew check and train the runs of a spec; write all that comes of it."""
    checked = crew.check(watcher.waiting)
    for notice in checked.notices:
        watcher.notice(notice)
    with experiment.owned():
        _refuse_foreign(checked.runs, experiment)
        as_given = source.text if not source.tree.overrides else None
        experiment.write_spec(as_given or dump_yaml(source.tree.value))
        _name_others(checked.runs, experiment, watcher)
        collector = Coordinator(experiment, checked.runs, access, workers, watcher)
        left = []
        for each in checked.runs:
            found = None if rerun else _finished_earlier(each, experiment.run(each.run_id), watcher)
            if found is None:
                left.append(_keeping_models(each, experiment.run(each.run_id)))
            else:
                collector.keep(found)
        collector.plan(left)
        whole = not left or crew.work(collector)
        collector.close()
    results = [collector.results[e.run_id] for e in checked.runs if e.run_id in collector.results]
    if not whole and not any(result.status == RunStatus.INTERRUPTED for result in results):
        raise KeyboardInterrupt
    return results


def _refuse_foreign(prepared: Iterable[PreparedRun], experiment: Experiment) -> None:
    """Leave results alone that another version wrote in the place of a run."""
    directories = [experiment.run(each.run_id) for each in prepared]
    foreign = [
        (each.run_id, found.problem) for each in directories if (found := each.found()).foreign
    ]
    if foreign:
        advice = "it is left alone; move it away, or choose another directory with --results"
        raise SpecError(Fault((), f"{name} {problem}; {advice}") for name, problem in foreign)


def _name_others(runs: Iterable[PreparedRun], experiment: Experiment, watcher: Watcher) -> None:
    """Say which runs of earlier specs are in the directory and no longer in the grid."""
    in_grid = {run.run_id for run in runs}
    others = [each.run_id for each in experiment.runs() if each.run_id not in in_grid]
    if others:
        stay = "stays" if len(others) == 1 else "stay"
        names = shortened(", ".join(others), 200)
        count = counted(len(others), "run")
        watcher.notice(f"{count} of earlier specs {stay} in {experiment.path.name}: {names}")


def _finished_earlier(
    prepared: PreparedRun, directory: RunDirectory, watcher: Watcher
) -> Result | None:
    """Return the result that an earlier command left, if it is whole; say what is wrong with it."""
    found = directory.found()
    if found.problem:
        watcher.notice(f"{directory.run_id}: {found.problem}; it is trained again")
    if found.record is None or not is_finished(found):
        return None
    if lacking := models_lacking(found.record, prepared.single.spec.save):
        names = " and ".join(lacking)
        message = f"has no {names}, which save asks for now; it is trained again"
        watcher.notice(f"{directory.run_id}: {message}")
        return None
    result = Result(directory.path, found.record, prepared.single.swept, reused=True)
    _compare_engines(prepared.single.spec.engine, result, watcher)
    _compare_versions(result, watcher)
    return result


def _keeping_models(prepared: PreparedRun, directory: RunDirectory) -> PreparedRun:
    """Return a run that keeps the models too that an earlier training of it has kept."""
    record, spec = directory.found().record, prepared.single.spec
    files = record["files"] if record else ()
    union = [which for which, file in MODELS.items() if which in spec.save or file in files]
    if set(union) == set(spec.save):
        return prepared
    wider = spec.model_copy(update={"save": tuple(union)})
    return replace(prepared, single=replace(prepared.single, spec=wider))


def _compare_engines(asked: str, finished: Result, watcher: Watcher) -> None:
    """Say so where a finished result was not made by the engine that is asked for now."""
    used = finished.record["engine"]["name"]
    if asked not in ("auto", used):
        name = finished.directory.name
        message = f"{name} was trained earlier by engine {used}; --rerun trains it by {asked}"
        watcher.notice(message)


def _compare_versions(finished: Result, watcher: Watcher) -> None:
    """Say so where a finished result was made by other versions."""
    then, now = finished.record["versions"], provenance.versions()
    others = [
        f"{package} {then.get(package)} (now {now[package]})"
        for package in ("kerasbatch", "keras", "tensorflow")
        if then.get(package) != now[package]
    ]
    if others:
        name = finished.directory.name
        watcher.notice(
            f"{name} was trained earlier with {', '.join(others)}; --rerun trains it anew"
        )
