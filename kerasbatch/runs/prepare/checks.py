"""Checks of runs, before anything is written."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from kerasbatch.data.run_data import RunData
from kerasbatch.errors import Location, SpecError
from kerasbatch.inference.initial_weights import assign_initial_weights
from kerasbatch.models.build import build_model
from kerasbatch.models.callbacks import make_callbacks
from kerasbatch.models.own_model import is_function
from kerasbatch.models.refusals import keras_refusals
from kerasbatch.models.serialization import keras_file_content
from kerasbatch.runs.prepare.chosen_weights import chosen_weights
from kerasbatch.runs.prepare.data_loader import DataLoader, data_key
from kerasbatch.runs.prepare.equal_runs import refuse_equal_runs
from kerasbatch.runs.prepare.label_check import check_labels
from kerasbatch.runs.prepare.notices import run_notices
from kerasbatch.runs.prepare.preparation import prepare
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, CompiledModel, PreparedRun
from kerasbatch.spec.learning_rate import LearningRate
from kerasbatch.spec.named_paths import builds_anew, code_beside_model
from kerasbatch.spec.rules.measured import measured_faults
from kerasbatch.spec.schema import COMPILE_PARTS, Spec
from kerasbatch.spec.section_schema import PythonModel
from kerasbatch.spec.stored_schema import skipped_layers
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.user_code import calls
from kerasbatch.user_code.snapshot import CodeSnapshot

MAX_RECORDED_WEIGHTS = 1000
CheckedModels = dict[tuple[str, str, bool], CompiledModel]
"""The facts about every model, by its program, its data and whether it is saved."""


def check_all(
    singles: Iterable[SingleRun],
    loader: DataLoader,
    notices: list[str],
    models: CheckedModels | None = None,
) -> CheckedRuns:
    """Check runs: plan them, build every different model once, compare labels with the loss.

    Args:
        singles: the runs of a spec.
        loader: loads their data.
        notices: messages for the user; those of the loader are in it already.
        models: the models that were checked already; those of the runs are added.

    Raises:
        SpecError: if a run is invalid.
    """
    checker = _Checker(loader, {} if models is None else models)
    prepared = tuple(checker.check(single) for single in singles)
    refuse_equal_runs(((run.single, run.plan) for run in prepared), loader.access)
    return CheckedRuns(prepared, run_notices(prepared, notices))


class _Checker:
    """Checks runs, and their shared parts only once."""

    def __init__(self, loader: DataLoader, models: CheckedModels) -> None:
        self._loader, self._models = loader, models
        self._codes: dict[str, CodeSnapshot] = {}

    def check(self, single: SingleRun) -> PreparedRun:
        with single.located():
            spec, data = single.spec, self._loader(single.spec)
            weights = chosen_weights(spec, self._loader.access)
            prepared = prepare(single, data, (), weights)
            model = self._checked_model(prepared, data)
            code = (*self._model_code(spec), *self._other_codes(spec))
            prepared = prepare(single, data, code, weights) if code else prepared
            rate = prepared.rate if prepared.rate.value is not None else _rate_of(model)
            return replace(prepared, compiled=model, rate=rate)

    def _checked_model(self, prepared: PreparedRun, data: RunData) -> CompiledModel:
        """Build the model and compare it with the data, unless an equal model was."""
        spec, weights = prepared.single.spec, prepared.weights
        skip = skipped_layers(spec.initial_weights)
        file = f"{weights.sha256} {skip}" if weights else ""
        key = prepared.program_key + file, data_key(spec), bool(spec.save)
        if key not in self._models or builds_anew(spec):
            model = build_model(spec, data, prepared.rate, self._loader.access)
            if weights:
                assign_initial_weights(model, weights.file, skip)
            if spec.save:
                with keras_refusals(("save",)):
                    keras_file_content(model)
            check_labels(spec, model, data, self._loader.access)
            if key not in self._models and is_function(spec.model, self._loader.access):
                build_model(spec, data, prepared.rate, self._loader.access)  # a new one each time
            self._models[key] = _compiled_model(spec, model)
        compiled = self._models[key]
        if "weights" in spec.record and compiled.weights > MAX_RECORDED_WEIGHTS:
            message = (
                f"the model has {compiled.weights:,} weights; their path is recorded for at "
                f"most {MAX_RECORDED_WEIGHTS:,}, so leave weights out"
            )
            raise SpecError.at(("record",), message)
        if not spec.knows_metrics and (faults := list(measured_faults(spec, compiled.logged))):
            raise SpecError(faults)
        return compiled

    def _model_code(self, spec: Spec) -> Iterator[CodeSnapshot]:
        if isinstance(spec.model, PythonModel):
            yield self._snapshot(spec.model.python, ("model", "python"))

    def _other_codes(self, spec: Spec) -> Iterator[CodeSnapshot]:
        """Make the callbacks of a spec, and yield the user's own code beside the model."""
        if spec.callbacks:
            with tempfile.TemporaryDirectory() as folder:
                make_callbacks(spec, self._loader.access, Path(folder))
        for location, name in code_beside_model(spec):
            yield self._snapshot(name, location)

    def _snapshot(self, name: str, place: Location) -> CodeSnapshot:
        if name not in self._codes:
            self._codes[name] = calls.snapshot(name, self._loader.access, place)
        return self._codes[name]


def _compiled_model(spec: Spec, model: keras.Model) -> CompiledModel:
    """Return the facts about a model whose loss and metrics were tried on examples."""
    rate = model.optimizer.get_config().get("learning_rate")
    of_model = [key for key in COMPILE_PARTS if getattr(spec, key).is_of_model]
    logged = tuple(spec.logged_metrics())
    if not spec.knows_metrics:
        logged = tuple(dict.fromkeys((*logged, *model.get_metrics_result())))
        of_model += ["metrics"] if len(logged) > 1 else []
    is_own = spec.optimizer.is_own or spec.optimizer.is_of_model
    return CompiledModel(
        weights=model.count_params(),
        optimizer=type(model.optimizer).__name__,
        rate=float(str(np.float32(rate))) if is_own and isinstance(rate, int | float) else None,
        logged=logged,
        of_model=tuple(of_model),
    )


def _rate_of(model: CompiledModel) -> LearningRate:
    """Return the learning rate with which own code made its optimizer."""
    return LearningRate(model.rate, model.rate, {})
