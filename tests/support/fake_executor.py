"""An executor without TensorFlow: it invents histories, the same for the same run every time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import kerasbatch as kb
from kerasbatch.columns import HISTORY_COLUMNS, STEP_COLUMNS
from kerasbatch.planning import plan_budget
from kerasbatch.records import provenance
from kerasbatch.records.experiment import Experiment
from kerasbatch.runs.executors.base import Executor, RunQueue
from kerasbatch.runs.messages import ProgressUpdate, RunEnded, TableRows
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, DataInfo, PreparedRun
from kerasbatch.runs.runner import train_all
from kerasbatch.runs.stop_request import StopRequest
from kerasbatch.runs.training.outcome import Outcome
from kerasbatch.runs.training.record import run_record
from kerasbatch.spec import learning_rate, reader
from kerasbatch.spec.sweep.expand import expand
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.spec.trust import Access
from kerasbatch.types import Progress

SPEC: dict[str, Any] = {
    "data": "iris",
    "model": "linear",
    "optimizer": "sgd",
    "loss": "mse",
    "epochs": 2,
    "batch_size": 8,
}
DATA = DataInfo("iris", "0" * 64, None, validated=True)


class FakeExecutor(Executor):
    """Trains nothing, and sends the messages of an executor."""

    def __init__(self, singles: tuple[SingleRun, ...]) -> None:
        self._singles = singles

    def check(self, waiting: Callable[[], None]) -> CheckedRuns:
        return CheckedRuns(tuple(map(_prepared, self._singles)))

    def work(self, queue: RunQueue, stop: StopRequest) -> bool:
        while (run := queue.next_run(0)) is not None:
            history = [_row(run, epoch) for epoch in range(3)]
            steps = [dict.fromkeys(STEP_COLUMNS, epoch) for epoch in (1, 2)]
            queue.on_message(run, TableRows("history.csv", 0, tuple(history[:1]), HISTORY_COLUMNS))
            queue.on_message(run, ProgressUpdate(Progress(15, 30, 1, 1e3, 0.5, 1.0)))
            queue.tick()
            stop.raise_if_requested()
            queue.on_message(run, TableRows("history.csv", 0, tuple(history), HISTORY_COLUMNS))
            queue.on_message(run, TableRows("steps.csv", 0, tuple(steps), STEP_COLUMNS))
            queue.tick()
            queue.on_message(run, RunEnded(_record(run, history[-1]["val_loss"])))
        return True

    def close(self) -> None:
        pass


def _prepared(single: SingleRun) -> PreparedRun:
    planned = plan_budget(120, single.spec.batch_size, single.spec.length, "keep")
    rate = learning_rate.resolve_learning_rate(single.spec, planned)
    name = "-".join(f"{key}={value}" for key, value in single.swept.items())
    return PreparedRun(single, planned, rate, name, DATA, "one")


def _row(run: PreparedRun, epoch: int) -> dict[str, Any]:
    loss = 1 / (run.plan.batch_size + run.single.spec.seed + epoch + 1)
    return dict.fromkeys(HISTORY_COLUMNS, epoch) | {"loss": loss, "val_loss": loss}


def _record(run: PreparedRun, loss: float) -> dict[str, Any]:
    outcome = Outcome(
        status="done",
        message="took all steps",
        engine="fused",
        why="as a test",
        jit_compile=False,
        step_check="ok",
        observed_steps=run.plan.total_steps,
        observed_examples=run.plan.examples,
        train_seconds=0.1,
        compile_seconds=0.1,
        evaluate_seconds=0.1,
        metrics={"val_loss": loss},
    )
    return run_record(run, outcome, None) | provenance.provenance()


def train(
    spec: dict[str, Any],
    folder: Path,
    *,
    rerun: bool = False,
    executor: type[FakeExecutor] = FakeExecutor,
    watcher: kb.Watcher | None = None,
) -> list[kb.Result]:
    """Run a sweep without training it."""
    source = replace(reader.spec_from_dict(spec), folder=folder)
    experiment = Experiment(folder / source.spec.name)
    return train_all(
        source,
        experiment,
        executor(expand(source)),
        Access(folder),
        workers=1,
        rerun=rerun,
        watcher=watcher or kb.Watcher(),
        stop=StopRequest(),
    )
