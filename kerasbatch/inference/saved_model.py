"""The model that a run kept: found, checked, and loaded without running what a file says.

Nothing is deserialised. The model is built by the run's own spec, which is checked like any other,
and only numbers are read from the file. Python code of one's own runs with trust only, and must be
that of the training.
"""

import json
import operator
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from kerasbatch.data.preprocessing import Preprocessing
from kerasbatch.engine.model_state import build_optimizer
from kerasbatch.errors import SpecError
from kerasbatch.models.build import compile_model
from kerasbatch.planning import plan_budget
from kerasbatch.records.run_directory import MODELS, PREPROCESSING, RunDirectory
from kerasbatch.spec import user_code
from kerasbatch.spec.keras_registry import label_kind
from kerasbatch.spec.learning_rate import resolve_learning_rate
from kerasbatch.spec.reader import SpecSource, load_spec
from kerasbatch.spec.schema import Saved
from kerasbatch.spec.section_schema import PythonModel
from kerasbatch.spec.trust import Access
from kerasbatch.text import counted, shortened


@dataclass(frozen=True)
class SavedModel:
    """A model and what belongs to it.

    Args:
        model: built and compiled, with the weights and the optimizer's state of the training.
        preprocessing: what is done to data and outputs.
        input_shape: the shape of one example as the model gets it.
        classes: the number of classes, or None where the loss compares numbers.
        scale: what images are multiplied by, or None.
        from_logits: whether the loss takes what the model gives for logits.
    """

    model: keras.Model
    preprocessing: Preprocessing
    input_shape: tuple[int, ...]
    classes: int | None
    scale: float | None
    from_logits: bool = False


def load_model(run: str | Path, *, which: Saved | None = None, trust: bool = False) -> keras.Model:
    """Load the model that a run kept, compiled as it was trained.

    Args:
        run: the directory of the run; its spec had `save: last`, `best` or both.
        which: `last` or `best`; None takes the best where there is one.
        trust: let the run's spec run Python code.

    Raises:
        SpecError: if there is no such model, it was changed on disk, or needs trust.
    """
    return load_saved_model(run, which=which, trust=trust).model


def load_saved_model(
    run: str | Path, *, which: Saved | None = None, trust: bool = False
) -> SavedModel:
    """Load the model that a run kept, with its preprocessing; the arguments of `load_model`."""
    directory = RunDirectory(Path(run))
    record = _whole_record(directory)
    file = directory.path / _file(directory, record, which)
    facts = _facts(directory)
    source = load_spec(directory.path / "spec.yaml")
    with source.located():
        built = _built(source, record, facts, Access(source.folder, trust))
    _read_weights(built, file, directory)
    return SavedModel(
        built,
        facts["preprocessing"],
        facts["input_shape"],
        None if label_kind(source.spec.loss.name) == "number" else facts["classes"],
        facts["scale"],
        bool(source.spec.loss.arguments.get("from_logits", False)),
    )


def _whole_record(directory: RunDirectory) -> dict[str, Any]:
    """Return the record of a run whose files are all as they were written."""
    try:
        found = directory.found()
        problem = found.problem or _not_a_run(directory.path)
        record = None if found.problem else found.record
        if record is not None:
            operator.index(record["row"]["train_examples"])
            return record
    except (LookupError, TypeError, AttributeError):
        problem = "its record.json says nothing that can be used"
    raise SpecError.at((), f"{directory.path}: {problem}")


def _not_a_run(path: Path) -> str:
    """Say what is there in place of a run, and which runs are inside."""
    if not path.is_dir():
        return "is no directory of a run"
    inside = sorted(each.parent.name for each in path.glob("*/record.json"))
    if not inside:
        return "holds no run (no record.json); give the directory of one run"
    names = shortened(", ".join(inside), 300)
    return f"holds {counted(len(inside), 'run')}; give one of them: {names}"


def _facts(directory: RunDirectory) -> dict[str, Any]:
    try:
        plain = json.loads((directory.path / PREPROCESSING).read_bytes())
        made = Preprocessing.from_json(plain["preprocessing"])
        shape = tuple(int(size) for size in plain["input_shape"])
        known = {key: plain[key] for key in ("classes", "scale", "code")}
    except (OSError, ValueError, TypeError, LookupError):
        message = f"{directory.path}: its {PREPROCESSING} says nothing that can be used"
        raise SpecError.at((), message) from None
    return known | {"preprocessing": made, "input_shape": shape}


def _file(directory: RunDirectory, record: dict[str, Any], which: Saved | None) -> str:
    there = [name for name, file in MODELS.items() if file in record["files"]]
    if not there:
        message = "this run kept no model; write save: best into its spec, and run it again"
        raise SpecError.at((), f"{directory.path}: {message}")
    chosen = which or there[-1]  # the best stands last
    if chosen not in there:
        message = f"this run kept no {chosen} model, only the {there[0]} one"
        raise SpecError.at((), f"{directory.path}: {message}")
    for name in (MODELS[chosen], PREPROCESSING, "spec.yaml"):
        # Its checksum was compared if the record names it; a link may lead anywhere.
        if name not in record["files"] or (directory.path / name).is_symlink():
            raise SpecError.at((), f"{directory.path}: its {name} is none that this run wrote")
    return MODELS[chosen]


def _built(
    source: SpecSource, record: dict[str, Any], facts: dict[str, Any], access: Access
) -> keras.Model:
    spec, n = source.spec, record["row"]["train_examples"]
    plan = plan_budget(n, spec.batch_size, spec.budget, spec.partial_batch)
    rate = resolve_learning_rate(spec, plan)
    shape, units = facts["input_shape"], facts["preprocessing"].target
    built = compile_model(spec, shape, facts["classes"], rate, access, units)
    if isinstance(spec.model, PythonModel):
        place = ("model", "python")
        if user_code.identity(spec.model.python, access, place) != facts["code"]:
            name = Path(spec.model.python.rpartition(":")[0]).name
            message = f"{name} has changed since this run was trained; bring back what it was"
            raise SpecError.at(place, message)
    return built


def _read_weights(built: keras.Model, file: Path, directory: RunDirectory) -> None:
    build_optimizer(built)
    try:
        with warnings.catch_warnings():
            # Keras warns of weights that it did not find, and leaves them as they were drawn.
            warnings.simplefilter("error", UserWarning)
            built.load_weights(file)
    except (ValueError, OSError, KeyError, UserWarning) as error:
        reason = shortened(" ".join(str(error).split()), 200)
        message = f"its {file.name} does not fit the model of its spec ({reason})"
        raise SpecError.at((), f"{directory.path}: {message}") from error
