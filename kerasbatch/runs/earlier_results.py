"""The results of earlier commands: kept if finished, refused if from another version."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from kerasbatch.errors import Fault, SpecError
from kerasbatch.records import provenance
from kerasbatch.records.experiment import Experiment
from kerasbatch.records.file_names import MODELS
from kerasbatch.records.run_directory import RunDirectory, missing_models
from kerasbatch.runs.prepare.prepared_run import PreparedRun
from kerasbatch.runs.progress import Watcher
from kerasbatch.runs.result import Result
from kerasbatch.search.seed_result import is_enough
from kerasbatch.text import counted, shortened


def refuse_foreign(runs: Iterable[PreparedRun], experiment: Experiment) -> None:
    """Raise SpecError if another version wrote results in the directory of a run."""
    directories = [experiment.run(run.run_id) for run in runs]
    foreign = [
        (directory.run_id, content.problem)
        for directory in directories
        if (content := directory.read()).other_format
    ]
    if foreign:
        raise SpecError(_foreign(foreign))


def _foreign(runs: Iterable[tuple[str, str | None]]) -> Iterator[Fault]:
    advice = "it is left alone; move it away, or choose another directory with --results"
    return (Fault((), f"{name} {problem}; {advice}") for name, problem in runs)


def notice_other_runs(in_grid: Collection[str], experiment: Experiment, watcher: Watcher) -> None:
    """Notify of runs of earlier commands in the directory that are no longer in the grid."""
    others = [run.run_id for run in experiment.runs() if run.run_id not in in_grid]
    if others:
        stay = "stays" if len(others) == 1 else "stay"
        names = shortened(", ".join(others), 200)
        count = counted(len(others), "run")
        watcher.notice(f"{count} of earlier commands {stay} in {experiment.path.name}: {names}")


def finished(prepared: PreparedRun, directory: RunDirectory, watcher: Watcher) -> Result | None:
    """Return the finished result of an earlier command, or None; notify of its problems."""
    content = directory.read()
    if content.problem:
        watcher.notice(f"{directory.run_id}: {content.problem}; it is trained again")
    if content.other_format:
        raise SpecError(_foreign([(directory.run_id, content.problem)]))
    cap = prepared.cap.steps if prepared.cap else None
    if content.record is None or not is_enough(content.record, cap):
        return None
    # A run that may stop at a cap need not have its models: another setting may be the choice.
    spec = prepared.single.spec
    during = spec.saved_every is not None
    lacking = missing_models(content.record, spec.saved_models, checkpoints=during)
    lacking = [] if prepared.cap else lacking
    if lacking:
        names = " and ".join(lacking)
        message = f"has no {names}, which save asks for now; it is trained again"
        watcher.notice(f"{directory.run_id}: {message}")
        return None
    result = Result(directory.path, content.record, prepared.single.swept, reused=True)
    _compare_engines(prepared.single.spec.engine, result, watcher)
    _compare_versions(result, watcher)
    return result


def with_saved_models(prepared: PreparedRun, directory: RunDirectory) -> PreparedRun:
    """Return a run that also saves the models that an earlier training of it saved."""
    record, spec = directory.read().record, prepared.single.spec
    files = record["files"] if record else ()
    union = [name for name, file in MODELS.items() if name in spec.saved_models or file in files]
    if set(union) == set(spec.saved_models):
        return prepared
    during = () if spec.saved_every is None else (spec.saved_every,)
    wider = spec.model_copy(update={"save": (*union, *during)})
    return replace(prepared, single=replace(prepared.single, spec=wider))


def _compare_engines(engine: str, result: Result, watcher: Watcher) -> None:
    """Notify if a finished result comes from another engine than the spec asks for."""
    used = result.record["engine"]["name"]
    if engine not in ("auto", used):
        name = result.directory.name
        message = f"{name} was trained earlier by engine {used}; --rerun trains it by {engine}"
        watcher.notice(message)


def _compare_versions(result: Result, watcher: Watcher) -> None:
    """Notify if a finished result comes from other versions."""
    then, now = result.record["versions"], provenance.versions("jax")
    others = [
        f"{package} {then[package]} (now {now.get(package)})"
        for package in ("kerasbatch", "keras", "tensorflow", "jax")
        if package in then and then[package] != now.get(package)
    ]
    if others:
        name = result.directory.name
        watcher.notice(
            f"{name} was trained earlier with {', '.join(others)}; --rerun trains it again"
        )
