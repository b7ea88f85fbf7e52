"""The saved model of a run, checked and loaded without running code from a file.

Nothing is deserialized. The model is built from the run's own spec, which is checked like any
other, and only numbers are read from the file. User code runs only with trust, and must be the
code of the training.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import keras

from kerasbatch.array_trees import Shape
from kerasbatch.data.encoding.preprocessing import Preprocessing
from kerasbatch.engine.model_state import build_optimizer
from kerasbatch.errors import SpecError
from kerasbatch.inference.initial_weights import assign_initial_weights
from kerasbatch.inference.saved_files import ModelFacts, check_weights, read_facts
from kerasbatch.inference.stored_architecture import stored_architecture
from kerasbatch.models.build import build_uncompiled, compile_model
from kerasbatch.models.class_metrics import THRESHOLD
from kerasbatch.models.example_layout import ExampleLayout
from kerasbatch.planning import plan_budget
from kerasbatch.records.file_names import MODELS, PREPROCESSING, SPEC, is_checkpoint
from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.records.stored_files import StoredFileError, read_stored_spec
from kerasbatch.spec.keras_registry import SIGNED_LOSSES, class_name, has_logits
from kerasbatch.spec.learning_rate import resolve_learning_rate
from kerasbatch.spec.named_paths import compile_parts
from kerasbatch.spec.passed.objects import PassedObjects
from kerasbatch.spec.passed.references import is_unchanged
from kerasbatch.spec.reader import SpecSource
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.section_schema import ObjectModel, PythonModel
from kerasbatch.spec.trust import Access
from kerasbatch.text import shortened
from kerasbatch.user_code import calls
from kerasbatch.user_code.snapshot import CodeSnapshot, file_hashes


class ClassOutput(NamedTuple):
    """An output of classes, of a model with several outputs.

    Args:
        labels: the labels of the classes.
        threshold: the value above which a single number predicts the second class.
        may_be_numbers: whether its loss is own code, which may compare numbers of 0, 1, 2, ....
    """

    labels: tuple[str, ...]
    threshold: float
    may_be_numbers: bool

    def fits(self, width: int) -> bool:
        """Return whether an output of so many numbers for an example is one of these classes."""
        count = len(self.labels)
        if self.may_be_numbers:
            return width == count
        return width >= count or (width == 1 and count <= 2)


@dataclass(frozen=True)
class SavedModel:
    """A model with its preprocessing and the shape of its data.

    Args:
        model: the compiled model, with the weights and the optimizer's state of the training.
        preprocessing: the transformations of data and outputs.
        input_shape: the shape of one example as the model gets it, or of each of its inputs.
        classes: the number of classes, or None where the loss compares numbers.
        scale: the factor of images, or None.
        from_logits: whether the loss treats the outputs as logits.
        gives_scores: whether the outputs are scores of a hinge loss, and no probabilities.
        class_outputs: of several outputs, those of classes.
    """

    model: keras.Model
    preprocessing: Preprocessing
    input_shape: Shape
    classes: int | None
    scale: float | None
    from_logits: bool = False
    gives_scores: bool = False
    class_outputs: Mapping[str, ClassOutput] = field(default_factory=dict)


def load_model(run: str | Path, *, which: str | None = None, trust: bool = False) -> keras.Model:
    """Load the saved model of a run, compiled as in its training.

    It is not compiled if optimizer, loss or a metric were objects that this process does not have.

    Args:
        run: the directory of the run; its spec had `save: last`, `best` or both.
        which: `last`, `best` or a model of the training, like `checkpoint-1200`; None loads the
            best if there is one.
        trust: whether the run's spec may run Python code.

    Raises:
        SpecError: if there is no such model, it was changed on disk, or needs trust.
    """
    return load_saved_model(run, which=which, trust=trust).model


def load_saved_model(
    run: str | Path,
    *,
    which: str | None = None,
    trust: bool = False,
    objects: PassedObjects | None = None,
) -> SavedModel:
    """Load the saved model of a run with its preprocessing.

    Args:
        run: as in `load_model`.
        which: as in `load_model`.
        trust: as in `load_model`.
        objects: the objects that Python code passed for the run, in the process that did.
    """
    directory = RunDirectory(Path(run))
    record = directory.checked_record()
    file = directory.path / _file(directory, record, which)
    facts = read_facts(directory.path)
    try:
        source = read_stored_spec(directory.path / SPEC)
    except StoredFileError as error:
        raise SpecError.at((), f"{directory.path}: its {SPEC} {error}") from error
    with source.located():
        access = replace(source.access(trust=trust), objects=objects or PassedObjects())
        model = _build(source, record, facts, access, file)
    _read_weights(model, file, directory)
    name = source.spec.loss.name
    return SavedModel(
        model,
        facts.preprocessing,
        facts.input_shape,
        _classes(facts, source.spec, model),
        facts.scale,
        has_logits(name, source.spec.loss.arguments) or facts.from_logits,
        class_name("losses", name) in SIGNED_LOSSES or facts.gives_scores,
        _class_outputs(facts, source.spec),
    )


def _classes(facts: ModelFacts, spec: Spec, model: keras.Model) -> int | None:
    """Return the number of classes; of a loss of own code, if the model has as many outputs."""
    if not isinstance(facts.classes, int) or spec.label_kind == "number":
        return None
    shape = getattr(model, "output_shape", None)
    fits = isinstance(shape, tuple) and shape[-1] == facts.classes
    return facts.classes if fits or spec.label_kind != "any" else None


def _class_outputs(facts: ModelFacts, spec: Spec) -> dict[str, ClassOutput]:
    """Return those of several outputs whose targets were classes, by their names."""
    if not isinstance(facts.classes, Mapping):
        return {}
    names = facts.preprocessing.target_labels
    return {
        name: ClassOutput(
            names.get(name) or tuple(map(str, range(count))),
            0.0 if name in facts.logit_outputs else THRESHOLD,
            spec.label_kind_of(name) == "any",
        )
        for name, count in facts.classes.items()
        if count is not None
    }


def _file(directory: RunDirectory, record: dict[str, Any], which: str | None) -> str:
    saved = [name for name, file in MODELS.items() if file in record["files"]]
    during = [name for name in record["files"] if is_checkpoint(name)]
    if which is not None and f"{which}.keras" in during:
        return f"{which}.keras"
    if not saved and during:
        names = ", ".join(name.removesuffix(".keras") for name in during)
        message = f"this run kept models of its training alone; name one of {names}"
        raise SpecError.at((), f"{directory.path}: {message}")
    if not saved:
        message = "this run kept no model; write save: best into its spec, and run it again"
        raise SpecError.at((), f"{directory.path}: {message}")
    chosen = which or saved[-1]  # the best is the last one
    if chosen not in saved:
        message = f"this run kept no {chosen} model, only the {saved[0]} one"
        raise SpecError.at((), f"{directory.path}: {message}")
    for name in (MODELS[chosen], PREPROCESSING, SPEC):
        if name not in record["files"]:  # so its checksum was not checked
            raise SpecError.at((), f"{directory.path}: its {name} was not written by this run")
    return MODELS[chosen]


def _build(
    source: SpecSource, record: dict[str, Any], facts: ModelFacts, access: Access, file: Path
) -> keras.Model:
    spec, n, objects = source.spec, record["row"]["train_examples"], access.objects
    plan = plan_budget(n, spec.batch_size, spec.length, spec.partial_batch)
    rate = resolve_learning_rate(spec, plan)
    shape, units = facts.input_shape, facts.preprocessing.target
    if isinstance(spec.model, ObjectModel) and not _is_at_hand(spec.model.object, access.objects):
        architecture = stored_architecture(file, trusted=access.trusted)
        values = {**access.objects.values, spec.model.object: lambda: architecture}
        access = replace(access, objects=PassedObjects(values))
    layout = ExampleLayout(shape, facts.classes, facts.outputs)
    if _is_compiled_elsewhere(spec, objects):
        model = build_uncompiled(spec, layout, access)
    else:
        model = compile_model(spec, layout, rate, access, units)
    if isinstance(spec.model, PythonModel):
        location = ("model", "python")
        code = calls.snapshot(spec.model.python, access, location)
        if code.fingerprint != facts.code:
            files = " and ".join(_changed_files(code, record)) or PurePath(code.name).name
            message = f"{files} changed after this run was trained; restore the old content"
            raise SpecError.at(location, message)
    return model


def _is_compiled_elsewhere(spec: Spec, objects: PassedObjects) -> bool:
    """Return whether a part of `compile` is an object of Python that this process does not have."""
    parts = [part for _, part in compile_parts(spec)]
    lost = any(part.object is not None and not objects.holds(part.object) for part in parts)
    is_of_model = any(part.is_of_model for part in parts)
    own = isinstance(spec.model, ObjectModel) and not _is_at_hand(spec.model.object, objects)
    return lost or (is_of_model and own)


def _is_at_hand(name: str, objects: PassedObjects) -> bool:
    """Return whether this process still has what built a model, with the contents of then."""
    return objects.holds(name) and is_unchanged(name, objects.get(name, ("model",)))


def _changed_files(code: CodeSnapshot, record: dict[str, Any]) -> list[str]:
    """Return the names of the files that the record of a run has with another content."""
    trained = {PurePath(file).name: content for file, content in record.get("code", {}).items()}
    present = {PurePath(file).name: content for file, content in file_hashes([code]).items()}
    return [name for name in present if trained.get(name) != present[name]] if trained else []


def _read_weights(model: keras.Model, file: Path, directory: RunDirectory) -> None:
    if not model.compiled:
        assign_initial_weights(model, file)
        return
    build_optimizer(model)
    try:
        check_weights(file, model)
        with warnings.catch_warnings():
            # Keras warns about missing weights, and keeps their initial values.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(file)
    except StoredFileError as error:
        raise SpecError.at((), f"{directory.path}: its {file.name} {error}") from error
    except Exception as error:  # Keras raises many types for a file that does not fit
        reason = shortened(" ".join(str(error).split()), 200)
        message = f"its {file.name} does not fit the model of its spec ({reason})"
        raise SpecError.at((), f"{directory.path}: {message}") from error
