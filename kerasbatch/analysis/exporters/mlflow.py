"""Runs as MLflow's: parameters, metrics over steps, tags, and the spec as an artifact.

A run is found again by its tags; of its metrics those are logged that are not there yet, so what
was cut off, or exported in the midst of a sweep, is completed by the next export.
"""

import contextlib
import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kerasbatch.analysis.exporters.run_export import ExportedRun
from kerasbatch.errors import Fault, SpecError
from kerasbatch.text import shortened

if TYPE_CHECKING:
    from mlflow.entities import Run

RUN_ID, CONTENT = "kerasbatch.run_id", "kerasbatch.content"
AT_ONCE = 1000
"""Metrics that MLflow takes at once; of parameters and tags a tenth."""
LONGEST_NAME, LONGEST_VALUE = 250, 6000
_NOT_IN_NAMES = re.compile(r"[^\w\-. :/]")
Found = tuple["Run", set[tuple[str, int]]]
"""A run that is there, and the metrics that it has, by name and step."""


class MlflowExporter:
    """A place that MLflow keeps runs in.

    Args:
        uri: its tracking URI, like sqlite:///mlflow.db.

    Raises:
        SpecError: if MLflow refuses it.
    """

    def __init__(self, uri: str) -> None:
        from mlflow import MlflowClient

        if "://" not in uri:
            message = f"found {uri!r}; must be a tracking URI, like sqlite:///mlflow.db"
            raise SpecError([Fault(("--to",), message)])
        self._runs: dict[str, dict[str, list[Run]]] = {}
        with _refusals(f"refuses {uri}"):
            self._client = MlflowClient(tracking_uri=uri)
            self._client.search_experiments(max_results=1)

    def write(self, run: ExportedRun) -> bool:
        """Log what is not there of a run yet; return whether there was anything.

        Raises:
            SpecError: if MLflow refuses something of it.
        """
        with _refusals(f"refuses {run.run_id}"):
            experiment = self._experiment(run.experiment)
            content = hashlib.sha256(repr(run).encode()).hexdigest()
            candidates = self._runs.get(experiment, {}).get(run.run_id, [])
            if any(each.data.tags.get(CONTENT) == content for each in candidates):
                return False
            self._log(run, experiment, self._find(run, candidates), content)
            return True

    def _log(self, run: ExportedRun, experiment: str, found: "Found | None", content: str) -> None:
        name = found[0].info.run_id if found else self._create(experiment, run)
        there = found[1] if found else set()
        for params in _batches(list(_parameters(run)), AT_ONCE // 10):
            self._client.log_batch(name, params=params)
        new = [each for each in _metrics(run) if (each.key, each.step) not in there]
        for metrics in _batches(new, AT_ONCE):
            self._client.log_batch(name, metrics=metrics)
        self._client.log_text(name, run.spec, "spec.yaml")
        for key, value in run.tags.items():
            self._client.set_tag(name, f"kerasbatch.{key}", value[:LONGEST_VALUE])
        if run.ended is not None:
            status = "FAILED" if run.has_failed else "FINISHED"
            self._client.set_terminated(name, status, end_time=_milliseconds(run.ended))
        self._client.set_tag(name, CONTENT, content)  # the last: what was cut off has none

    def _experiment(self, name: str) -> str:
        """Return the id of an experiment; make it if it is not there, and learn what it holds."""
        found = self._client.get_experiment_by_name(name)
        if found is not None and found.lifecycle_stage == "deleted":
            message = f"the experiment {name!r} is deleted in MLflow; restore it there"
            raise SpecError([Fault(("--to",), message)])
        made = found.experiment_id if found else self._client.create_experiment(name)
        if made not in self._runs:
            self._runs[made] = self._known(made)
        return str(made)

    def _known(self, experiment: str) -> "dict[str, list[Run]]":
        known: dict[str, list[Run]] = {}
        token = None
        while True:
            page = self._client.search_runs([experiment], page_token=token)
            for run in page:
                known.setdefault(run.data.tags.get(RUN_ID, ""), []).append(run)
            token = page.token
            if not token:
                return known

    def _find(self, run: ExportedRun, candidates: "Sequence[Run]") -> "Found | None":
        """Return what an earlier export left of the same training.

        What was trained anew has other numbers, of its clock at least; it is another run.
        """
        ours = {(each.key, each.step): each.value for each in _metrics(run)}
        for each in candidates:
            logged = [
                metric
                for name in each.data.metrics
                for metric in self._client.get_metric_history(each.info.run_id, name)
            ]
            if all(ours.get((m.key, m.step)) == m.value for m in logged):
                return each, {(metric.key, metric.step) for metric in logged}
        return None

    def _create(self, experiment: str, run: ExportedRun) -> str:
        made = self._client.create_run(
            experiment,
            start_time=_milliseconds(run.started),
            tags={RUN_ID: run.run_id},
            run_name=run.run_id,
        )
        return str(made.info.run_id)


@contextlib.contextmanager
def _refusals(what: str) -> Iterator[None]:
    """Turn what MLflow says into an error that a person can mend."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        told = shortened(str(error.message).partition("\n")[0], 300)
        raise SpecError([Fault(("--to",), f"MLflow {what}: {told}")]) from error


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _parameters(run: ExportedRun) -> Iterator[Any]:
    from mlflow.entities import Param

    seen: set[str] = set()
    for key, value in {**run.settings, **run.swept}.items():
        name = _name(key)
        while name in seen:  # MLflow knows fewer characters than a spec
            name += "_"
        seen.add(name)
        yield Param(name, str(value)[:LONGEST_VALUE])


def _metrics(run: ExportedRun) -> Iterator[Any]:
    from mlflow.entities import Metric

    for point in run.points:
        at = _milliseconds(run.started + point.seconds)
        yield Metric(_name(point.name), point.value, at, point.step)
    for name, value in run.results.items():
        yield Metric(f"result/{_name(name)}", value, _milliseconds(run.started), run.last_step)


def _name(text: str) -> str:
    return _NOT_IN_NAMES.sub("_", text)[:LONGEST_NAME]


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
