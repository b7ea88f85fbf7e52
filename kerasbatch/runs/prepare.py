"""All that can be wrong with a run is found here, before anything is written."""

import json
from dataclasses import dataclass

from kerasbatch.errors import SpecError
from kerasbatch.records.run_id import run_id
from kerasbatch.runs.result import Watcher
from kerasbatch.spec import learning_rate, own_code
from kerasbatch.spec.access import Access
from kerasbatch.spec.keys import PythonModel, Spec
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.steps import Plan, plan_budget
from kerasbatch.workload.data import Data, prepared_for
from kerasbatch.workload.raw import Raw, read

MAX_RECORDED_WEIGHTS = 1000


class Loader:
    """Reads data once for runs that share them; what the loss makes of labels is made per run.

    Args:
        access: what the specs may reach.
        watcher: hears of a fallback.
    """

    def __init__(self, access: Access, watcher: Watcher) -> None:
        self.access = access
        self._watcher = watcher
        self._checked: set[str] = set()
        self._raw: tuple[str, Raw] | None = None
        self._last: tuple[str, Data] | None = None

    def __call__(self, spec: Spec) -> Data:
        """Return the data of a spec, those of the last spec where they are the same."""
        plain = spec.plain()
        key = json.dumps([plain["data"], plain.get("validation"), plain["loss"]], sort_keys=True)
        if self._last is None or key != self._last[0]:
            self._last = key, prepared_for(spec, self._read(spec))
        return self._last[1]

    def _read(self, spec: Spec) -> Raw:
        key = json.dumps(spec.plain()["data"], sort_keys=True)
        if self._raw is None or key != self._raw[0]:
            self._raw = key, read(spec.data, self.access)
            if notice := self._raw[1].notice:
                self._watcher.notice(notice)
        return self._raw[1]

    def is_new(self, spec: Spec) -> bool:
        """Tell, once, that no run with the same data, model, loss and metrics was checked yet."""
        plain = spec.plain()
        parts = [plain.get(part) for part in ("data", "model", "loss", "metrics", "validation")]
        key = json.dumps(parts, sort_keys=True)
        fresh = key not in self._checked
        self._checked.add(key)
        return fresh


@dataclass(frozen=True)
class Prepared:
    """A run that has been checked and may begin.

    Args:
        single: its spec, and what was swept.
        plan: its counts.
        rate: its learning rate, by the rule.
        loader: gives its data.
        run_id: the name of its directory.
    """

    single: SingleRun
    plan: Plan
    rate: learning_rate.LearningRate
    loader: Loader
    run_id: str


def prepare(single: SingleRun, loader: Loader) -> Prepared:
    """Check a run: plan it, build its model, compare labels, loss and model.

    Raises:
        SpecError: if something is wrong.
    """
    with single.located():
        return _checked(single, loader)


def _checked(single: SingleRun, loader: Loader) -> Prepared:
    from kerasbatch.runs import labels
    from kerasbatch.workload import model

    spec, loaded = single.spec, loader(single.spec)
    n = len(loaded.x_train)
    planned = plan_budget(n, spec.batch_size, spec.budget, spec.partial_batch)
    rate = learning_rate.resolve(spec, planned.batch_size)
    shape, classes = loaded.input_shape, loaded.classes
    built = model.build(spec, shape, classes, planned.batch_size, loader.access)
    if loader.is_new(spec):
        labels.check(spec, built, loaded)
    if "weights" in spec.record and built.count_params() > MAX_RECORDED_WEIGHTS:
        message = (
            f"the model has {built.count_params():,} weights; their path is recorded for at most "
            f"{MAX_RECORDED_WEIGHTS:,}, so leave weights out"
        )
        raise SpecError.at(("record",), message)
    code = _code(spec, loader.access)
    name = run_id(spec, single.swept, loaded.fingerprint, code)
    return Prepared(single, planned, rate, loader, name)


def _code(spec: Spec, access: Access) -> str:
    """Return a hash of the Python code that makes the model, and which function of it does."""
    if not isinstance(spec.model, PythonModel):
        return ""
    return own_code.identity(spec.model.python, access, ("model", "python"))
