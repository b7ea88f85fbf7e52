"""One single-run spec -> one finished run directory.

    kerasbatch.run("experiments/mnist_b16.yaml").history

Everything that can be wrong with a spec is found before a directory is made; what happens in a
training ends in a status, never in a traceback that takes the rows with it.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasbatch.errors import Fault, SpecError
from kerasbatch.records import provenance
from kerasbatch.records.experiment import Experiment
from kerasbatch.records.files import dump_yaml
from kerasbatch.records.run_directory import RunDirectory, is_finished
from kerasbatch.runs.prepare import Loader, Prepared, prepare
from kerasbatch.runs.result import Result, Watcher
from kerasbatch.spec import rules, specfile, sweep
from kerasbatch.spec.access import Access
from kerasbatch.spec.keys import Spec

if TYPE_CHECKING:
    from kerasbatch.runs.models import Models

GivenSpec = str | Path | Mapping[str, Any] | specfile.Source


def run(
    spec: GivenSpec,
    *,
    overrides: Iterable[str] = (),
    results: str | Path = "results",
    rerun: bool = False,
    trust: bool = False,
    watcher: Watcher | None = None,
) -> Result:
    """Train a spec that stands for a single run, and return the result.

    Args:
        spec: the path of a YAML file, a dict of the same shape, or a spec that was read already.
        overrides: `key=value` texts that replace keys of the spec.
        results: the directory that holds experiments.
        rerun: train again what is finished.
        trust: let the spec run Python code and read files outside its own folder.
        watcher: hears of progress.

    Raises:
        SpecError: if the spec is wrong, or has a sweep.
        DirectoryInUseError: if another process writes into the experiment's directory.
    """
    source = _source(spec, overrides)
    with source.located():
        if (count := len(sweep.expand(source))) != 1:
            message = f"makes {count} runs; call kerasbatch.run_all for them"
            raise SpecError.at(("sweep",), message)
    return run_all(source, results=results, rerun=rerun, trust=trust, watcher=watcher)[0]


def run_all(
    spec: GivenSpec,
    *,
    overrides: Iterable[str] = (),
    results: str | Path = "results",
    rerun: bool = False,
    trust: bool = False,
    watcher: Watcher | None = None,
) -> list[Result]:
    """Train every run of a spec, one after the other; finished ones are not trained again.

    Args:
        spec: the path of a YAML file, a dict of the same shape, or a spec that was read already.
        overrides: `key=value` texts that replace keys of the spec.
        results: the directory that holds experiments.
        rerun: train again what is finished.
        trust: let the spec run Python code and read files outside its own folder.
        watcher: hears of progress.

    Raises:
        SpecError: if the spec is wrong; nothing was trained and no directory was made.
        DirectoryInUseError: if another process writes into the experiment's directory.
    """
    source, folder = _source(spec, overrides), Path(results).absolute()
    watcher = watcher or Watcher()
    with source.located():
        singles = sweep.expand(source)
        loader = Loader(Access(source.folder, trust), watcher)
        for note in dict.fromkeys(note for single in singles for note in rules.notes(single.spec)):
            watcher.notice(note)
        prepared = [prepare(single, loader) for single in singles]
        experiment = Experiment(folder / source.spec.name)
        with experiment.owned():
            _refuse_foreign(prepared, experiment)
            as_given = source.text if not source.tree.overrides else None
            experiment.write_spec(as_given or dump_yaml(source.tree.value))
            return list(_train_all(prepared, experiment, source, rerun, watcher))


def _source(spec: GivenSpec, overrides: Iterable[str]) -> specfile.Source:
    if isinstance(spec, specfile.Source):
        return spec  # read, checked and overridden already
    if isinstance(spec, str | Path):
        return specfile.load(spec, overrides)
    return specfile.from_dict(spec, overrides)


def _with_absolute_paths(spec: Spec, access: Access) -> Spec:
    """Return the spec so that it finds its files from anywhere."""
    found: dict[str, Any] = {}
    for part in ("data", "model"):
        value = getattr(spec, part)
        for key in ("csv", "npz", "python"):
            if name := getattr(value, key, None):
                file, colon, function = name.rpartition(":") if key == "python" else (name, "", "")
                path = f"{access.absolute(file)}{colon}{function}"
                found[part] = value.model_copy(update={key: path})
    return spec.model_copy(update=found)


def _train_all(
    prepared: list[Prepared],
    experiment: Experiment,
    source: specfile.Source,
    rerun: bool,
    watcher: Watcher,
) -> Iterator[Result]:
    from kerasbatch.runs.models import Models

    models = Models()
    for number, each in enumerate(prepared, start=1):
        directory = experiment.run(each.run_id)
        result = None if rerun else _finished_earlier(each, directory, watcher)
        if result is None:
            watcher.start(each.single, each.plan, number, len(prepared))
            result = _train(each, models, directory, source, watcher)
        experiment.write_runs()
        watcher.finish(result)
        yield result
        if result.status == "interrupted":
            return


def _refuse_foreign(prepared: Iterable[Prepared], experiment: Experiment) -> None:
    """Leave results alone that another version wrote in the place of a run."""
    directories = [experiment.run(each.run_id) for each in prepared]
    foreign = [
        (each.run_id, found.problem) for each in directories if (found := each.found()).foreign
    ]
    if foreign:
        advice = "it is left alone; move it away, or choose another directory with --results"
        raise SpecError(Fault((), f"{name} {problem}; {advice}") for name, problem in foreign)


def _finished_earlier(
    prepared: Prepared, directory: RunDirectory, watcher: Watcher
) -> Result | None:
    """Return the result that an earlier command left, if it is whole; say what is wrong with it."""
    found = directory.found()
    if found.problem:
        watcher.notice(f"{directory.run_id}: {found.problem}; it is trained again")
    if found.record is None or not is_finished(found):
        return None
    result = Result(directory.path, found.record, prepared.single.swept, reused=True)
    _compare_engines(prepared.single.spec.engine, result, watcher)
    _compare_versions(result, watcher)
    return result


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


def _train(
    prepared: Prepared,
    models: "Models",
    directory: RunDirectory,
    source: specfile.Source,
    watcher: Watcher,
) -> Result:
    """Train one run; a finished result stays in its place until the new one is finished."""
    from kerasbatch.runs.record import Ended
    from kerasbatch.runs.training import Job, train

    spec, data = prepared.single.spec, prepared.loader(prepared.single.spec)
    built = models.get(prepared, data)
    again = directory.is_finished()
    target = directory.successor() if again else directory
    target.start(_with_absolute_paths(spec, prepared.loader.access))
    started, memory = provenance.now(), provenance.PeakMemory()
    outcome = train(Job(spec, built, data, prepared.plan, target), watcher.progress)
    if outcome.error:
        models.forget()
    record = Ended(prepared, data, outcome, memory.megabytes()).record()
    record |= {"started": started, "ended": provenance.now(), **provenance.describe(source.folder)}
    target.finish(record)
    if again and target.is_finished():
        directory.take_over(target)
        target = directory
    return Result(target.path, record, prepared.single.swept)
