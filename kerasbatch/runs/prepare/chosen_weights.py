"""The file of a spec's initial weights: named, of a run, or of the best run of an experiment."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kerasbatch.errors import Location, SpecError
from kerasbatch.records.experiment import Experiment
from kerasbatch.records.file_names import MODELS, RECORD
from kerasbatch.records.run_directory import RunDirectory, is_finished
from kerasbatch.records.stored_files import StoredFileError, hash_stored
from kerasbatch.search.judged_metric import judged_metric, lower_is_better
from kerasbatch.spec.reader import checked_spec
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.stored_schema import AnyWeights, WeightsOfExperiment
from kerasbatch.spec.trust import Access
from kerasbatch.text import suggestion

PLACE: Location = ("initial_weights",)
_ENDINGS = (".keras", ".weights.h5")
_BEST = "best"
_FOLDER_NAME = re.compile(r"[^/\\:\x00]+")


@dataclass(frozen=True)
class ChosenWeights:
    """The file of initial weights.

    Args:
        file: the file.
        sha256: its checksum.
        run: the directory of its run, or None.
    """

    file: Path
    sha256: str
    run: str | None = None


def chosen_weights(spec: Spec, access: Access) -> ChosenWeights | None:
    """Return the file of a spec's initial weights; None if they are drawn.

    Raises:
        SpecError: if there is no such file or run, or it kept no model.
    """
    written = spec.initial_weights
    if written is None:
        return None
    if isinstance(written, WeightsOfExperiment):
        return _of_run(_run_of_experiment(spec, written, access), written)
    path = access.file_or_directory(written.file, (*PLACE, "file"))
    if path.is_dir():
        return _of_run(RunDirectory(path), written)
    if not path.name.endswith(_ENDINGS):
        message = f"{path.name} must be a .keras or .weights.h5 file, or the directory of a run"
        raise SpecError.at((*PLACE, "file"), message)
    try:
        return ChosenWeights(path, hash_stored(path))
    except StoredFileError as error:
        raise SpecError.at((*PLACE, "file"), f"{path.name} {error}") from error


def _of_run(directory: RunDirectory, written: AnyWeights) -> ChosenWeights:
    """Return the model that a run kept."""
    record = directory.checked_record()
    kept = [name for name, file in MODELS.items() if file in record["files"]]
    if not kept:
        message = (
            f"{directory.path} kept no model; write save: best into its spec, and run it again"
        )
        raise SpecError.at(PLACE, message)
    which = written.which or kept[-1]  # the best is the last one
    if which not in kept:
        message = f"{directory.path} kept no {which} model, only the {kept[0]} one"
        raise SpecError.at((*PLACE, "which"), message)
    file = directory.path / MODELS[which]
    return ChosenWeights(file, record["files"][MODELS[which]], directory.run_id)


def _run_of_experiment(spec: Spec, written: WeightsOfExperiment, access: Access) -> RunDirectory:
    """Return the run of an experiment that the spec names, or the best one."""
    results = access.results or access.folder / "results"
    folder = results / written.experiment
    place = (*PLACE, "experiment")
    if not _FOLDER_NAME.fullmatch(written.experiment) or written.experiment in (".", ".."):
        raise SpecError.at(place, f"{written.experiment} must be the name of an experiment")
    if written.experiment == spec.name:
        message = "is this experiment itself; name another one, or one of its runs by its directory"
        raise SpecError.at(place, message)
    found = Experiment(folder).runs() if folder.is_dir() else []
    runs = {run.run_id: run for run in found if (run.path / RECORD).is_file()}
    for run in runs.values():  # without trust, no link leads out of the results
        access.file_or_directory(str(run.path), place)
    if not runs:
        message = f"there is no run in {folder}; run the experiment {written.experiment} first"
        raise SpecError.at(place, message)
    if written.run in runs:
        return runs[written.run]
    if written.run != _BEST:
        hint = suggestion(written.run, list(runs)) or "; write best, or one of its runs"
        raise SpecError.at((*PLACE, "run"), f"there is no run {written.run} in {folder}{hint}")
    ranked = sorted(_ranked(runs.values()), key=lambda item: item[0])
    if not ranked:
        message = f"no run in {folder} kept a model; write save: best into its spec"
        raise SpecError.at(place, message)
    return ranked[0][1]


def _ranked(runs: Iterable[RunDirectory]) -> Iterator[tuple[float, RunDirectory]]:
    """Yield the runs that kept a model, with a number that is lower for better ones."""
    decisive: tuple[str, bool] | None = None
    for run in runs:
        stored = run.read()
        record = stored.record
        if record is None or not is_finished(stored):
            continue
        if not any(file in record["files"] for file in MODELS.values()):
            continue
        if decisive is None:
            spec = checked_spec(record["spec"])
            metric = judged_metric(spec, record["row"])
            decisive = metric, lower_is_better(spec.target, metric)
        metric, is_lower = decisive
        row, is_best = record["row"], MODELS["best"] in record["files"]
        value = row.get(f"best_{metric}", row.get(metric)) if is_best else row.get(metric)
        if isinstance(value, int | float) and value == value:
            yield (value if is_lower else -value), run
