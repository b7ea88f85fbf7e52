"""Export to MLflow: parameters, metrics over steps, tags, and the spec as an artifact.

A later export finds a run by its tags and logs only the metrics that MLflow lacks. It thereby
completes an export that was interrupted, or that was made while the run still trained.
"""

import contextlib
import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasbatch.analysis.exporters.run_export import ExportedRun
from kerasbatch.errors import Fault, SpecError
from kerasbatch.records.stored_files import read_stored
from kerasbatch.text import shortened

if TYPE_CHECKING:
    from mlflow.entities import Run

RUN_ID, CONTENT = "kerasbatch.run_id", "kerasbatch.content"
MAX_METRICS, MAX_PARAMETERS = 1000, 100
"""The largest numbers of metrics and of parameters that MLflow accepts in one request."""
MAX_NAME_LENGTH, MAX_VALUE_LENGTH = 250, 6000
_NOT_IN_NAMES = re.compile(r"[^\w\-. :/]")
LoggedRun = tuple["Run", set[tuple[str, int]]]
"""A run in MLflow, and the names and steps of its metrics."""


class MlflowExporter:
    """Writes runs to an MLflow tracking store.

    Args:
        uri: the tracking URI, like sqlite:///mlflow.db.

    Raises:
        SpecError: if MLflow rejects the URI.
    """

    def __init__(self, uri: str) -> None:
        from mlflow import MlflowClient

        if "://" not in uri:
            message = f"found {uri!r}; must be a tracking URI, like sqlite:///mlflow.db"
            raise SpecError([Fault(("--to",), message)])
        self._runs: dict[str, dict[str, list[Run]]] = {}
        with _mlflow_errors(f"refuses {uri}"):
            self._client = MlflowClient(tracking_uri=uri)
            self._client.search_experiments(max_results=1)

    def write(self, run: ExportedRun) -> bool:
        """Log the values of a run that MLflow lacks; return whether there were any.

        Raises:
            SpecError: if MLflow rejects the run.
        """
        with _mlflow_errors(f"refuses {run.run_id}"):
            experiment = self._experiment(run.experiment)
            content = hashlib.sha256(repr(run).encode()).hexdigest()
            candidates = self._runs.get(experiment, {}).get(run.run_id, [])
            if any(logged.data.tags.get(CONTENT) == content for logged in candidates):
                return False
            self._log(run, experiment, self._find(run, candidates), content)
            return True

    def _log(
        self, run: ExportedRun, experiment: str, logged: "LoggedRun | None", content: str
    ) -> None:
        run_id = logged[0].info.run_id if logged else self._create(experiment, run)
        logged_metrics = logged[1] if logged else set()
        for params in _batches(list(_parameters(run)), MAX_PARAMETERS):
            self._client.log_batch(run_id, params=params)
        new = [
            metric for metric in _metrics(run) if (metric.key, metric.step) not in logged_metrics
        ]
        for metrics in _batches(new, MAX_METRICS):
            self._client.log_batch(run_id, metrics=metrics)
        self._client.log_text(run_id, run.spec, "spec.yaml")
        self._log_models(run_id, run.model_files)
        for key, value in run.tags.items():
            self._client.set_tag(run_id, f"kerasbatch.{key}", value[:MAX_VALUE_LENGTH])
        if run.ended is not None:
            status = "FAILED" if run.has_failed else "FINISHED"
            self._client.set_terminated(run_id, status, end_time=_milliseconds(run.ended))
        # The last call: an interrupted export leaves no content tag.
        self._client.set_tag(run_id, CONTENT, content)

    def _log_models(self, run_id: str, files: Iterable[Path]) -> None:
        """Log copies of files; a link in a folder of results leads nowhere."""
        with tempfile.TemporaryDirectory() as folder:
            for file in files:
                copy = Path(folder, file.name)
                copy.write_bytes(read_stored(file))
                self._client.log_artifact(run_id, str(copy), "model")

    def _experiment(self, name: str) -> str:
        """Return the id of an experiment; create it if needed, and cache its runs."""
        stored = self._client.get_experiment_by_name(name)
        if stored is not None and stored.lifecycle_stage == "deleted":
            message = f"the experiment {name!r} is deleted in MLflow; restore it there"
            raise SpecError([Fault(("--to",), message)])
        experiment_id = stored.experiment_id if stored else self._client.create_experiment(name)
        if experiment_id not in self._runs:
            self._runs[experiment_id] = self._search_runs(experiment_id)
        return str(experiment_id)

    def _search_runs(self, experiment: str) -> "dict[str, list[Run]]":
        """Return the runs of an experiment in MLflow by the name that this package gave them."""
        runs: dict[str, list[Run]] = {}
        token = None
        while True:
            page = self._client.search_runs([experiment], page_token=token)
            for run in page:
                runs.setdefault(run.data.tags.get(RUN_ID, ""), []).append(run)
            token = page.token
            if not token:
                return runs

    def _find(self, run: ExportedRun, candidates: "Sequence[Run]") -> "LoggedRun | None":
        """Return the run that an earlier export logged of the same training.

        A repeated training has other values, at least of its times; it counts as another run.
        """
        values = {(metric.key, metric.step): metric.value for metric in _metrics(run)}
        for candidate in candidates:
            logged = [
                metric
                for name in candidate.data.metrics
                for metric in self._client.get_metric_history(candidate.info.run_id, name)
            ]
            if all(values.get((m.key, m.step)) == m.value for m in logged):
                return candidate, {(metric.key, metric.step) for metric in logged}
        return None

    def _create(self, experiment: str, run: ExportedRun) -> str:
        created = self._client.create_run(
            experiment,
            start_time=_milliseconds(run.started),
            tags={RUN_ID: run.run_id},
            run_name=run.run_id,
        )
        return str(created.info.run_id)


@contextlib.contextmanager
def _mlflow_errors(action: str) -> Iterator[None]:
    """Turn an MlflowException into a SpecError with the first line of its message."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        message = shortened(str(error.message).partition("\n")[0], 300)
        raise SpecError([Fault(("--to",), f"MLflow {action}: {message}")]) from error


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _parameters(run: ExportedRun) -> Iterator[Any]:
    from mlflow.entities import Param

    seen: set[str] = set()
    for key, value in {**run.settings, **run.swept}.items():
        name = _clean_name(key)
        while name in seen:  # MLflow allows fewer characters in names
            name += "_"
        seen.add(name)
        yield Param(name, str(value)[:MAX_VALUE_LENGTH])


def _metrics(run: ExportedRun) -> Iterator[Any]:
    from mlflow.entities import Metric

    for point in run.points:
        timestamp = _milliseconds(run.started + point.seconds)
        yield Metric(_clean_name(point.name), point.value, timestamp, point.step)
    for name, value in run.results.items():
        yield Metric(
            f"result/{_clean_name(name)}", value, _milliseconds(run.started), run.last_step
        )


def _clean_name(text: str) -> str:
    return _NOT_IN_NAMES.sub("_", text)[:MAX_NAME_LENGTH]


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
