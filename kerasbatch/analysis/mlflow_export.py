"""Runs as MLflow's: parameters, metrics over steps, tags, and the spec as an artifact.

A run is found again by its tags; of its metrics those are logged that are not there yet, so what
was cut off, or exported in the midst of a sweep, is completed by the next export.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kerasbatch.analysis.exported_runs import ExportedRun
from kerasbatch.errors import Fault, SpecError

if TYPE_CHECKING:
    from mlflow.entities import Run

RUN_ID, STARTED, CONTENT = "kerasbatch.run_id", "kerasbatch.started", "kerasbatch.content"
AT_ONCE = 1000
"""Metrics that MLflow takes at once; of parameters and tags a tenth."""
LONGEST_NAME, LONGEST_VALUE = 250, 6000
FAILED = ("failed", "crashed", "out_of_memory", "timeout", "diverged")
_NOT_IN_NAMES = re.compile(r"[^\w\-. :/]")


class Mlflow:
    """A place that MLflow keeps runs in.

    Args:
        uri: its tracking URI, like sqlite:///mlflow.db.

    Raises:
        SpecError: if MLflow refuses it.
    """

    def __init__(self, uri: str) -> None:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        self._runs: dict[str, dict[str, list[Run]]] = {}
        try:
            self._client = MlflowClient(tracking_uri=uri)
            self._client.search_experiments(max_results=1)
        except MlflowException as error:
            raise SpecError([Fault(("--to",), f"MLflow refuses {uri}: {error.message}")]) from error

    def write(self, run: ExportedRun) -> bool:
        """Log what is not there of a run yet; return whether there was anything."""
        experiment = self._experiment(run.experiment)
        found = self._find(experiment, run)
        content = hashlib.sha256(repr(run).encode()).hexdigest()
        if found is not None and found.data.tags.get(CONTENT) == content:
            return False
        name = found.info.run_id if found else self._create(experiment, run)
        for batch in _batches(list(_parameters(run)), AT_ONCE // 10):
            self._client.log_batch(name, params=batch)
        for batch in _batches(self._new_metrics(run, found), AT_ONCE):
            self._client.log_batch(name, metrics=batch)
        self._client.log_text(name, run.spec, "spec.yaml")
        for key, value in run.tags.items():
            self._client.set_tag(name, f"kerasbatch.{key}", value)
        if run.ended is not None:
            status = "FAILED" if run.status in FAILED else "FINISHED"
            self._client.set_tag(name, STARTED, str(run.started))
            self._client.set_terminated(name, status, end_time=_milliseconds(run.ended))
        self._client.set_tag(name, CONTENT, content)  # the last: what was cut off has none
        return True

    def _experiment(self, name: str) -> str:
        """Return the id of an experiment; make it if it is not there, and learn what it holds."""
        found = self._client.get_experiment_by_name(name)
        if found is not None and found.lifecycle_stage == "deleted":
            message = f"the experiment {name!r} is deleted in MLflow; restore it there"
            raise SpecError([Fault(("--to",), message)])
        if found is None:
            return str(self._client.create_experiment(name))
        if found.experiment_id not in self._runs:
            self._runs[found.experiment_id] = self._known(found.experiment_id)
        return str(found.experiment_id)

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

    def _find(self, experiment: str, run: ExportedRun) -> "Run | None":
        """Return what an earlier export left of the same training; another training is another."""
        for each in self._runs.get(experiment, {}).get(run.run_id, ()):
            if each.data.tags.get(STARTED, str(run.started)) == str(run.started):
                return each
        return None

    def _create(self, experiment: str, run: ExportedRun) -> str:
        made = self._client.create_run(
            experiment,
            start_time=_milliseconds(run.started),
            tags={RUN_ID: run.run_id},
            run_name=run.run_id,
        )
        return str(made.info.run_id)

    def _new_metrics(self, run: ExportedRun, found: "Run | None") -> list[Any]:
        names = found.data.metrics if found else ()
        there = {
            (name, each.step)
            for name in names
            for each in self._client.get_metric_history(found.info.run_id, name)  # type: ignore[union-attr]  # without it there are no names
        }
        return [metric for metric in _metrics(run) if (metric.key, metric.step) not in there]


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _parameters(run: ExportedRun) -> Iterator[Any]:
    from mlflow.entities import Param

    for key, value in {**run.settings, **run.swept}.items():
        yield Param(_name(key), str(value)[:LONGEST_VALUE])


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
