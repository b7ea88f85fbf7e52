"""One single-run spec -> one finished run directory.

    kerasbatch.run("experiments/mnist_b16.yaml").history

Everything that can be wrong with a spec is found before a directory is made; what happens in a
training ends in a status, never in a traceback that takes the rows with it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasbatch import steps
from kerasbatch.errors import SpecError
from kerasbatch.records import files, provenance
from kerasbatch.records.files import Experiment, RunDirectory
from kerasbatch.runs.prepare import Loader, Prepared, prepare
from kerasbatch.runs.result import Result, Watcher
from kerasbatch.spec import rules, specfile, sweep
from kerasbatch.spec.access import Access
from kerasbatch.spec.keys import PythonModel, Spec

if TYPE_CHECKING:
    import keras

    from kerasbatch.runs.training import Outcome
    from kerasbatch.workload.data import Data


GivenSpec = str | Path | Mapping[str, Any] | specfile.Source


def run(spec: GivenSpec, **options: Any) -> Result:
    """Train a spec that stands for a single run, and return the result.

    Args:
        spec: the path of a YAML file, a dict of the same shape, or a spec that was read already.
        **options: those of `run_all`.

    Raises:
        SpecError: if the spec is wrong, or has a sweep.
    """
    source = _source(spec, options.get("overrides", ()))
    with source.located():
        if (count := len(sweep.expand(source))) != 1:
            message = f"makes {count} runs; call kerasbatch.run_all for them"
            raise SpecError.at(("sweep",), message)
    return run_all(source, **options)[0]


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
        DirectoryInUse: if another process writes into the experiment's directory.
    """
    source = _source(spec, overrides)
    watcher = watcher or Watcher()
    with source.located():
        singles = sweep.expand(source)
        loader = Loader(Access(source.folder, trust), watcher)
        for note in dict.fromkeys(note for single in singles for note in rules.notes(single.spec)):
            watcher.notice(note)
        prepared = [prepare(single, loader) for single in singles]
        experiment = Experiment(Path(results) / source.spec.name)
        with experiment.owned():
            as_given = source.text if not source.tree.overrides else None
            experiment.write_spec(as_given or files.dump_yaml(source.tree.value))
            return list(_train_all(prepared, experiment, source, rerun, watcher))


def _source(spec: GivenSpec, overrides: Iterable[str]) -> specfile.Source:
    if isinstance(spec, specfile.Source):
        return spec  # read, checked and overridden already
    if isinstance(spec, str | Path):
        return specfile.load(spec, overrides)
    return specfile.from_dict(spec, overrides)


class _Models:
    """Builds the model of a run, or gives the last one fresh weights where only those differ.

    A model that is used again keeps its compiled programs, so a sweep over seeds, learning rates
    or budgets does not pay for compilation again.
    """

    def __init__(self) -> None:
        self._key = ""
        self._model: keras.Model | None = None

    def get(self, prepared: Prepared, loaded: "Data", access: Access) -> "keras.Model":
        """Return a model with the initial weights of the run's seed."""
        from kerasbatch.engine.variables import transplant
        from kerasbatch.workload import model

        spec, size = prepared.single.spec, prepared.plan.batch_size
        fresh = model.build(spec, loaded.input_shape, loaded.classes, size, access)
        key = self._structure(prepared, loaded)
        if self._model is not None and key == self._key:
            transplant(fresh, self._model)
            return self._model
        self._model, self._key = fresh, key
        return fresh

    def forget(self) -> None:
        """Use the last model no more: its training did not end well."""
        self._model = None

    @staticmethod
    def _structure(prepared: Prepared, loaded: "Data") -> str:
        """Describe all that is built into a compiled model; the learning rate is a variable."""
        spec = prepared.single.spec
        plain = spec.plain()
        parts = [plain[part] for part in ("model", "loss", "metrics", "precision", "optimizer")]
        if prepared.rate.value is not None:
            parts[-1].pop("learning_rate", None)
        own = isinstance(spec.model, PythonModel)  # whose state nobody knows
        shape = [loaded.input_shape, loaded.classes, prepared.rate.arguments, own and id(prepared)]
        return json.dumps([parts, shape], sort_keys=True)


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
    models = _Models()
    for number, each in enumerate(prepared, start=1):
        directory = experiment.run(each.run_id)
        finished = None if rerun else directory.finished()
        if finished:
            result = Result(directory.path, finished, each.single.swept, reused=True)
            _compare_engines(each.single.spec.engine, result, watcher)
        else:
            watcher.start(each.single, each.plan, number, len(prepared))
            result = _train(each, models, directory, source, watcher)
        experiment.write_runs()
        watcher.finish(result)
        yield result
        if result.status == "interrupted":
            return


def _compare_engines(asked: str, finished: Result, watcher: Watcher) -> None:
    """Say so where a finished result was not made by the engine that is asked for now."""
    used = finished.record["engine"]["name"]
    if asked not in ("auto", used):
        name = finished.directory.name
        message = f"{name} was trained earlier by engine {used}; --rerun trains it by {asked}"
        watcher.notice(message)


def _train(
    prepared: Prepared,
    models: _Models,
    directory: RunDirectory,
    source: specfile.Source,
    watcher: Watcher,
) -> Result:
    """Train one run; a finished result stays in its place until the new one is finished."""
    from kerasbatch.runs import training

    spec, plan, access = prepared.single.spec, prepared.plan, prepared.loader.access
    loaded = prepared.loader(spec)
    built = models.get(prepared, loaded, access)
    again = directory.finished() is not None
    target = directory.successor() if again else directory
    target.start(_with_absolute_paths(spec, access))
    started, memory = provenance.now(), provenance.PeakMemory()
    outcome = training.Session(spec, built, loaded, plan, target, watcher.progress).run()
    if outcome.error:
        models.forget()
    record = _record(prepared, loaded, outcome, memory.megabytes())
    record |= {"started": started, "ended": provenance.now(), **provenance.describe(source.folder)}
    target.finish(record)
    if again and target.finished():
        directory.take_over(target)
        target = directory
    return Result(target.path, record, prepared.single.swept)


def _record(
    prepared: Prepared, loaded: "Data", outcome: "Outcome", peak: float | None
) -> dict[str, Any]:
    """Return what record.json says of a training, beside when and where it was."""
    return {
        "run_id": prepared.run_id,
        "status": outcome.status,
        "message": outcome.message,
        "swept": dict(prepared.single.swept),
        "row": _row(prepared, loaded, outcome, peak),
        "difference": _difference(prepared.plan, outcome),
        "engine": {
            "name": outcome.engine,
            "why": outcome.why,
            "jit_compile": outcome.jit_compile,
        },
        "notice": loaded.notice,
        "error": outcome.error,
        "data_fingerprint": loaded.fingerprint,
    }


def _difference(plan: steps.Plan, outcome: "Outcome") -> str:
    """Say why s = n*e/b is not the steps that were taken."""
    taken = steps.Budget("steps", outcome.observed_steps)
    return replace(plan, budget=taken).difference


def _row(
    prepared: Prepared, loaded: "Data", outcome: "Outcome", peak: float | None
) -> dict[str, Any]:
    """Return the run's row of runs.csv."""
    spec, plan = prepared.single.spec, prepared.plan
    done = plan.position(outcome.observed_steps)
    per_second = _per_second(outcome.train_seconds)
    return {
        "run_id": prepared.run_id,
        "status": outcome.status,
        "data_used": loaded.used,
        "train_examples": plan.train_examples,
        "batch_size": plan.batch_size,
        "epochs": done.epochs_done,
        "optimizer": spec.optimizer.name,
        "learning_rate": prepared.rate.value,
        "base_learning_rate": prepared.rate.base,
        "seed": spec.seed,
        "engine": outcome.engine,
        "planned_steps": plan.total_steps,
        "observed_steps": outcome.observed_steps,
        "document_steps": plan.document_steps_at(outcome.observed_steps),
        "step_check": outcome.step_check,
        "examples": outcome.observed_examples,
        "train_seconds": outcome.train_seconds,
        "compile_seconds": outcome.compile_seconds,
        "evaluate_seconds": outcome.evaluate_seconds,
        "examples_per_second": per_second(outcome.observed_examples),
        "steps_per_second": per_second(outcome.observed_steps),
        "peak_memory_mb": peak,
        **outcome.metrics,
    }


def _per_second(seconds: float | None) -> Callable[[int | None], float | None]:
    return lambda count: round(count / seconds, 3) if seconds and count else None
