"""Checks of runs, before anything is written."""

from collections.abc import Iterable, Iterator

from kerasbatch.data.run_data import RunData
from kerasbatch.errors import Location, SpecError
from kerasbatch.models.build import build_model
from kerasbatch.models.callbacks import make_callbacks
from kerasbatch.models.refusals import keras_refusals
from kerasbatch.models.serialization import keras_file_content
from kerasbatch.planning import plan_budget
from kerasbatch.records.run_id import run_id
from kerasbatch.runs.prepare.data_loader import DataLoader, data_key
from kerasbatch.runs.prepare.equal_runs import refuse_equal_runs
from kerasbatch.runs.prepare.label_check import check_labels
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, DataInfo, PreparedRun
from kerasbatch.runs.prepare.program_key import program_key
from kerasbatch.spec.callback_rules import user_callbacks
from kerasbatch.spec.learning_rate import LearningRate, learning_rate_notes, resolve_learning_rate
from kerasbatch.spec.rules import spec_notes
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.section_schema import PythonModel
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.user_code import calls
from kerasbatch.user_code.snapshot import CodeSnapshot

MAX_RECORDED_WEIGHTS = 1000


def check_all(singles: Iterable[SingleRun], loader: DataLoader, notices: list[str]) -> CheckedRuns:
    """Check runs: plan them, build every different model once, compare labels with the loss.

    Args:
        singles: the runs of a spec.
        loader: loads their data.
        notices: messages for the user; those of the loader are in it already.

    Raises:
        SpecError: if a run is invalid.
    """
    checker = _Checker(loader)
    prepared = tuple(checker.check(single) for single in singles)
    refuse_equal_runs(((run.single, run.plan) for run in prepared), loader.access)
    for run in prepared:
        notices += spec_notes(run.single.spec)
        notices += learning_rate_notes(run.rate, run.plan)
    return CheckedRuns(prepared, tuple(dict.fromkeys(notices)))


class _Checker:
    """Checks runs, and their shared parts only once."""

    def __init__(self, loader: DataLoader) -> None:
        self._loader = loader
        self._weights: dict[tuple[str, str], int] = {}
        self._codes: dict[str, CodeSnapshot] = {}

    def check(self, single: SingleRun) -> PreparedRun:
        with single.located():
            spec, data = single.spec, self._loader(single.spec)
            n = len(data.x_train)
            planned = plan_budget(n, spec.batch_size, spec.budget, spec.partial_batch)
            rate = resolve_learning_rate(spec, planned)
            program = program_key(spec, rate, data)
            self._check_model(spec, rate, data, program)
            code = (*self._model_code(spec), *self._callback_codes(spec))
            name = run_id(spec, single.swept, data.fingerprint, _fingerprint(spec, code))
        validated = data.x_val is not None
        info = DataInfo(
            data.used, data.fingerprint, data.notice, validated, data.classes, data.description
        )
        return PreparedRun(single, planned, rate, name, info, program, code)

    def _check_model(self, spec: Spec, rate: LearningRate, data: RunData, program: str) -> None:
        """Build the model and compare it with the data, unless an equal model was."""
        key = program, data_key(spec)
        if key not in self._weights:
            model = build_model(spec, data, rate, self._loader.access)
            if spec.save:
                with keras_refusals(("save",)):
                    keras_file_content(model)
            check_labels(spec, model, data)
            self._weights[key] = model.count_params()
        if "weights" in spec.record and self._weights[key] > MAX_RECORDED_WEIGHTS:
            message = (
                f"the model has {self._weights[key]:,} weights; their path is recorded for at "
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


def _fingerprint(spec: Spec, code: Iterable[CodeSnapshot]) -> str:
    """Return a hash of all code of a run; the first line is that of the model, or empty."""
    no_model = [] if isinstance(spec.model, PythonModel) else [""]
    return "\n".join([*no_model, *(snapshot.fingerprint for snapshot in code)])
