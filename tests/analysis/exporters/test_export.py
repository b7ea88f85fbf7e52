"""Runs for other people's dashboards: what is exported, and what their own readers read of it."""

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pandas as pd
import pytest
from result_support import make_run
from stored_runs import copy_line
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.analysis.exporters import export as exports
from kerasbatch.analysis.exporters.export import export
from kerasbatch.analysis.exporters.run_export import ExportedRun, exported_runs
from kerasbatch.cli import app
from kerasbatch.columns import HISTORY_COLUMNS
from kerasbatch.records.run_directory import RunDirectory

REFERENCE = Path(__file__).parents[3] / "results/reference"


def only(folder: Path) -> ExportedRun:
    (run,) = exported_runs(kb.load(folder))
    return run


def test_numbers_over_steps_are_those_of_the_files(tmp_path: Path) -> None:
    """Without the cells that are empty; settings and results beside them."""
    make_run(tmp_path, 0.5, 0.9, row={"test_loss": 0.25, "peak_memory_mb": None})
    run = only(tmp_path)
    told = {(each.name, each.step): (each.value, each.seconds) for each in run.points}
    assert told["val_accuracy", 0] == (0.1, 0.0)
    assert told["val_accuracy", 20] == (0.9, 0.2)
    assert ("loss", 0) not in told
    assert {name for name, _ in told} == {"loss", "val_loss", "val_accuracy", "learning_rate"}
    assert run.swept == {"batch_size": 10, "optimizer": "sgd", "learning_rate": 0.1, "seed": 0}
    assert run.settings["optimizer.learning_rate"] == 0.1
    assert run.settings["validation.examples"] == 100
    assert run.settings["metrics.0.name"] == "accuracy"
    assert run.results["test_loss"] == 0.25
    assert "peak_memory_mb" not in run.results
    assert run.tags["step_check"] == "ok"
    assert run.last_step == 20


def test_losses_of_steps_and_a_run_that_goes_on(tmp_path: Path) -> None:
    """It has started when its spec.yaml was written, and has no end."""
    directory, _ = copy_line(tmp_path)
    losses = [point.value for point in only(directory).points if point.name == "step_loss"]
    assert len(losses) == 72
    (directory / "record.json").unlink()
    (directory / "spec.yaml").touch()
    run = only(directory)
    assert (run.status, run.ended) == ("unfinished", None)
    assert abs(run.started - time.time()) < 600


def test_bad_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that there is not; a package that is not installed; no runs."""
    with pytest.raises(kb.SpecError, match="found 'wandb'; must be tensorboard or mlflow"):
        exports.check_exporter("wandb")
    monkeypatch.setattr(exports.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(kb.SpecError, match=r"pip install 'kerasbatch\[mlflow\]'"):
        exports.check_exporter("mlflow")
    command = ["export", str(tmp_path / "no"), "--to", "tensorboard", str(tmp_path)]
    monkeypatch.setattr(exports, "check_exporter", lambda kind: None)
    with pytest.raises(kb.SpecError, match="is no directory"):
        CliRunner().invoke(app.app, command, catch_exceptions=False)


def post(url: str, question: dict[str, Any]) -> Any:
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(url, json.dumps(question).encode(), headers)) as answer:  # noqa: S310
        return json.load(answer)


def until(there: Callable[[], bool]) -> None:
    for _ in range(120):
        if there():
            return
        time.sleep(0.5)
    raise AssertionError("TensorBoard shows nothing")


@pytest.mark.exports
def test_tensorboard_reads_what_was_measured(tmp_path: Path) -> None:
    """By its own reader of event files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    loaded = kb.load(REFERENCE / "digits_batch_sizes")
    assert export(loaded, "tensorboard", str(tmp_path)) == exports.ExportSummary(92, 92)
    for name, path in loaded.directories.items():
        reader = EventAccumulator(str(tmp_path / name), size_guidance={"scalars": 0})
        reader.Reload()
        rows = loaded.history[loaded.history["run_id"] == path.name]
        read = reader.Scalars("val_accuracy")
        assert [each.step for each in read] == rows["step"].tolist()
        assert [each.value for each in read] == pytest.approx(rows["val_accuracy"].tolist())
        row = loaded.runs[loaded.runs["run_id"] == path.name].iloc[0]
        (taken,) = reader.Scalars("result/observed_steps")
        assert (taken.value, taken.step) == (row["observed_steps"], row["observed_steps"])


@pytest.mark.exports
def test_the_hparams_view_shows_what_was_swept(tmp_path: Path) -> None:
    """Asked of a real TensorBoard."""
    loaded = kb.load(REFERENCE / "digits_batch_sizes")
    export(loaded, "tensorboard", str(tmp_path))
    with tensorboard(tmp_path) as url:
        _check_hparams(url, loaded.runs)


@contextlib.contextmanager
def tensorboard(folder: Path) -> Iterator[str]:
    """Serve a folder from a process of its own, whose threads end with it; yield its address."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder)]
    options = ["--port", "0", "--load_fast", "false"]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            addresses = (re.search(r"at (http://\S+)", line) for line in server.stderr)
            yield next(match[1] for match in addresses if match)
        finally:
            server.kill()


def _check_hparams(url: str, runs: pd.DataFrame) -> None:
    until(lambda: len(json.load(urlopen(f"{url}data/runs"))) == len(runs))  # noqa: S310
    view = f"{url}experiment/defaultExperimentId/data/plugin/hparams/"
    told = {each["name"] for each in post(f"{view}experiment", {})["hparamInfos"]}
    assert told == {"batch_size", "optimizer", "learning_rate", "seed"}
    asked = {"startIndex": 0, "sliceSize": 100, "colParams": [], "allowedStatuses": []}
    asked["allowedStatuses"] = ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    # TensorBoard lists a run before it has read its settings.
    until(lambda: len(post(f"{view}session_groups", asked).get("sessionGroups", ())) == len(runs))
    groups = post(f"{view}session_groups", asked)["sessionGroups"]
    seen = sorted((each["hparams"]["batch_size"], each["hparams"]["seed"]) for each in groups)
    assert seen == sorted(zip(runs["batch_size"], runs["seed"], strict=True))


@pytest.mark.exports
def test_tensorboard_is_told_nothing_twice(tmp_path: Path) -> None:
    """A run that grew has its file written anew; names that lead elsewhere do not."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = make_run(tmp_path / "runs", 0.5, 0.9)
    other = make_run(tmp_path / "runs", 0.5, 0.9, seed=1)
    boards = tmp_path / "boards"
    assert export(kb.load(tmp_path / "runs"), "tensorboard", str(boards)).new == 2
    assert export(kb.load(tmp_path / "runs"), "tensorboard", str(boards)).new == 0
    _go_on(run)
    assert export(kb.load(tmp_path / "runs"), "tensorboard", str(boards)).new == 1
    for name, steps in ((run.name, [0, 10, 20, 30]), (other.name, [0, 10, 20])):
        reader = EventAccumulator(str(boards / "runs" / name))
        reader.Reload()
        assert [each.step for each in reader.Scalars("val_loss")] == steps
    assert len(list(boards.rglob("*tfevents*"))) == 2


def _go_on(run: Path) -> None:
    """Let a run be one that has not ended, and has evaluated once more."""
    history = kb.load(run).history[[*HISTORY_COLUMNS, "loss", "val_loss", "val_accuracy"]]
    rows = [
        {k: None if v != v else v for k, v in row.items()} for row in history.to_dict("records")
    ]
    more = rows[-1] | {"step": rows[-1]["step"] + 10, "seconds": 0.3}
    (run / "record.json").unlink()
    RunDirectory(run).write("history.csv", [*rows, more], HISTORY_COLUMNS)


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, str]:
    """MLflow's client of a fresh place, and its address."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)  # artifacts of a SQLite place are put where one stands
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path}/runs.db"
    return MlflowClient(tracking_uri=uri), uri


@pytest.mark.exports
@pytest.mark.filterwarnings("ignore")  # those of MLflow's own packages
def test_mlflow_reads_what_was_measured(mlflow: tuple[Any, str], tmp_path: Path) -> None:
    """Parameters, metrics over steps, tags, and the spec as an artifact."""
    client, uri = mlflow
    source = REFERENCE / "mnist_b16"
    assert export(kb.load(source), "mlflow", uri) == exports.ExportSummary(2, 2)
    assert export(kb.load(source), "mlflow", uri) == exports.ExportSummary(2, 0)
    experiment = client.get_experiment_by_name("mnist_b16")
    found = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    history = kb.load(source).history
    assert set(found) == set(history["run_id"])
    for name, run in found.items():
        rows = history[history["run_id"] == name]
        read = client.get_metric_history(run.info.run_id, "val_accuracy")
        assert [each.step for each in read] == rows["step"].tolist()
        assert [each.value for each in read] == rows["val_accuracy"].tolist()
        assert run.data.params["batch_size"] == ("16" if "=16-" in name else "7")
        assert run.data.params["optimizer.name"] == "adam"
        assert run.data.tags["kerasbatch.step_check"] == "ok"
        assert run.data.metrics["result/observed_steps"] in (18_750, 17_144)
        assert run.info.status == "FINISHED"
        spec = client.download_artifacts(run.info.run_id, "spec.yaml", str(tmp_path))
        assert Path(spec).read_text(encoding="utf-8") == (source / name / "spec.yaml").read_text()


@pytest.mark.exports
@pytest.mark.filterwarnings("ignore")
def test_mlflow_is_told_nothing_twice(mlflow: tuple[Any, str], tmp_path: Path) -> None:
    """A run that went on, was cut off in an export, and was trained anew."""
    client, uri = mlflow
    folder = tmp_path / "study"
    run = make_run(folder, 0.5, 0.9)
    _go_on(run)
    assert export(kb.load(folder), "mlflow", uri).new == 1
    experiment = client.get_experiment_by_name("study").experiment_id
    (first,) = client.search_runs([experiment])
    assert first.info.status == "RUNNING"
    client.delete_tag(first.info.run_id, "kerasbatch.content")  # as if it had been cut off
    assert export(kb.load(folder), "mlflow", uri).new == 1
    read = client.get_metric_history(first.info.run_id, "val_loss")
    assert [each.step for each in read] == [0, 10, 20, 30]
    when = {"started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:01:00+00:00"}
    make_run(folder, 0.5, 0.9, 0.9, 0.97, status="failed", record=when, spec={"steps": 20})
    for _ in range(2):
        export(kb.load(folder), "mlflow", uri)
    (first,) = client.search_runs([experiment])
    read = client.get_metric_history(first.info.run_id, "val_loss")
    assert sorted(each.step for each in read) == [0, 10, 20, 30, 40]
    assert first.info.status == "FAILED"
    make_run(folder, 0.5, 0.6, record=when | {"started": "2026-01-02T00:00:00+00:00"})
    export(kb.load(folder), "mlflow", uri)
    assert len(client.search_runs([experiment])) == 2


@pytest.mark.exports
@pytest.mark.filterwarnings("ignore")
def test_the_command_exports(mlflow: tuple[Any, str], tmp_path: Path) -> None:
    """It says how many, what it left out, and what a place refuses."""
    client, uri = mlflow
    make_run(tmp_path / "study", 0.5)
    broken = make_run(tmp_path / "study", 0.5, seed=1)
    (broken / "record.json").write_text("{", encoding="utf-8")
    command = ["export", str(tmp_path / "study"), "--to"]
    for place in (["mlflow", uri], ["tensorboard", str(tmp_path / "board")]):
        for new in (1, 0):
            done = CliRunner().invoke(app.app, [*command, *place], catch_exceptions=False)
            said = " ".join(done.output.split())
            assert f"1 run in {place[1]}, {new} of them new or longer than before" in said
            assert "its record.json is damaged; it is left out" in said
    client.delete_experiment(client.get_experiment_by_name("study").experiment_id)
    with pytest.raises(kb.SpecError, match="the experiment 'study' is deleted in MLflow"):
        CliRunner().invoke(app.app, [*command, "mlflow", uri], catch_exceptions=False)
    with pytest.raises(kb.SpecError, match="MLflow refuses nowhere://"):
        CliRunner().invoke(app.app, [*command, "mlflow", "nowhere://x"], catch_exceptions=False)


def test_a_diverged_run_has_failed(tmp_path: Path) -> None:
    """And has no numbers of the untrained model, which would look like its own."""
    make_run(tmp_path, 0.2, status="diverged")
    run = only(tmp_path)
    assert run.has_failed
    assert {point.step for point in run.points} == {10}
    make_run(tmp_path / "other", 0.2)
    assert not only(tmp_path / "other").has_failed


def test_an_unfinished_run_has_no_results_yet(tmp_path: Path) -> None:
    """Its best value would be another one at the next export, which would seem another training."""
    run = make_run(tmp_path / "study", 0.5, 0.9)
    (complete,) = exported_runs(kb.load(tmp_path))
    (run / "record.json").unlink()
    (unfinished,) = exported_runs(kb.load(tmp_path))
    assert (bool(complete.results), unfinished.results) == (True, {})
    assert unfinished.points == complete.points
