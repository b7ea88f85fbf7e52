"""Checks of runs, before anything is written."""

from collections.abc import Iterable, Iterator

from kerasbatch.data.run_data import RunData
from kerasbatch.errors import Location, SpecError
from kerasbatch.models.build import build_model
from kerasbatch.models.callbacks import make_callbacks
from kerasbatch.models.refusals import keras_refusals
from kerasbatch.models.serialization import keras_file_content
from kerasbatch.runs.prepare.data_loader import DataLoader, data_key
from kerasbatch.runs.prepare.equal_runs import refuse_equal_runs
from kerasbatch.runs.prepare.label_check import check_labels
from kerasbatch.runs.prepare.notices import run_notices
from kerasbatch.runs.prepare.preparation import prepare
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, PreparedRun
from kerasbatch.spec.callback_rules import user_callbacks
from kerasbatch.spec.learning_rate import LearningRate
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.section_schema import OWN_CODE, PythonModel
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.user_code import calls
from kerasbatch.user_code.snapshot import CodeSnapshot

MAX_RECORDED_WEIGHTS = 1000
CheckedModels = dict[tuple[str, str, bool], int]
"""The number of weights of every model, by its program, its data and whether it is saved."""


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
            prepared = prepare(single, data)
            self._check_model(spec, prepared.rate, data, prepared.program_key)
            code = (*self._model_code(spec), *self._callback_codes(spec))
            return prepare(single, data, code) if code else prepared

    def _check_model(self, spec: Spec, rate: LearningRate, data: RunData, program: str) -> None:
        """Build the model and compare it with the data, unless an equal model was."""
        key = program, data_key(spec), bool(spec.save)
        if key not in self._models or isinstance(spec.model, OWN_CODE):
            model = build_model(spec, data, rate, self._loader.access)
            if spec.save:
                with keras_refusals(("save",)):
                    keras_file_content(model)
            check_labels(spec, model, data)
            self._models[key] = model.count_params()
        if "weights" in spec.record and self._models[key] > MAX_RECORDED_WEIGHTS:
            message = (
                f"the model has {self._models[key]:,} weights; their path is recorded for at "
                f"most {MAX_RECORDED_WEIGHTS:,}, so leave weights out"
            )
            raise SpecError.at(("record",), message)

    def _model_code(self, spec: Spec) -> Iterator[CodeSnapshot]:
        if isinstance(spec.model, PythonModel):
            yield self._snapshot(spec.model.python, ("model", "python"))

    def _callback_codes(self, spec: Spec) -> Iterator[CodeSnapshot]:
        """Make the callbacks of a spec, and yield the user's own code."""
        if spec.callbacks:
            make_callbacks(spec, self._loader.access)
        for number, name in user_callbacks(spec):
            yield self._snapshot(name, ("callbacks", number, "python"))

    def _snapshot(self, name: str, place: Location) -> CodeSnapshot:
        if name not in self._codes:
            self._codes[name] = calls.snapshot(name, self._loader.access, place)
        return self._codes[name]
