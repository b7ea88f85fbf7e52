"""Hands out the runs of a sweep and takes in what they tell; it alone writes their files."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kerasbatch.columns import HISTORY_COLUMNS, STEP_COLUMNS
from kerasbatch.records import provenance
from kerasbatch.records.experiment import Experiment
from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.records.runs_csv import RunsCsv
from kerasbatch.records.table_writer import TableWriter
from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.messages import Message, ProgressUpdate, SavedFile, TableRows
from kerasbatch.runs.prepare.prepared_run import PreparedRun
from kerasbatch.runs.progress import RunInfo, SweepProgress, Watcher
from kerasbatch.runs.result import Result
from kerasbatch.runs.scheduler import Scheduler
from kerasbatch.runs.training.outcome import Outcome, last_and_best
from kerasbatch.runs.training.record import run_record
from kerasbatch.spec.named_paths import with_absolute_paths
from kerasbatch.spec.trust import Access
from kerasbatch.text import counted
from kerasbatch.types import Progress, Row

MOST_TRIES = 3
"""How often a run is begun whose node goes away under it."""
TELL_INTERVAL = 0.2
"""Seconds between two words on where all runs stand."""


@dataclass
class _OpenRun:
    """A run that is being trained, with its files."""

    running: RunInfo
    place: RunDirectory
    written: RunDirectory
    tables: TableWriter
    started: str
    progress: Progress | None = None
    since: float = field(default_factory=time.monotonic)


class Coordinator:
    """The desk of a sweep.

    Args:
        experiment: the experiment, owned by this process.
        runs: all runs of the grid, in its order.
        access: what their specs may reach.
        workers: how many runs go on at a time.
        watcher: hears of everything.
    """

    def __init__(
        self,
        experiment: Experiment,
        runs: Iterable[PreparedRun],
        access: Access,
        workers: int,
        watcher: Watcher,
    ) -> None:
        self.results: dict[str, Result] = {}
        self._experiment, self._access, self._watcher = experiment, access, watcher
        self._numbers = {run.run_id: number for number, run in enumerate(runs, start=1)}
        self._workers = workers
        self._open: dict[str, _OpenRun] = {}
        self._tries: dict[str, int] = defaultdict(int)
        self._schedule = Scheduler(())
        self._failed = 0
        self._told_next = 0.0
        self._table = RunsCsv(experiment)
        self._git_commit = provenance.git_commit(access.folder)

    def keep(self, result: Result) -> None:
        """Take a result that an earlier command left."""
        self.results[result.directory.name] = result
        self._watcher.finish(result)

    def plan(self, runs: Iterable[PreparedRun]) -> None:
        """Take the runs that are to be trained."""
        self._schedule = Scheduler(runs)

    def next_run(self, worker: int) -> PreparedRun | None:
        """Return what a free worker is to train next, and make its directory."""
        run = self._schedule.next(worker)
        if run is not None:
            self._tries[run.run_id] += 1
            self._open[run.run_id] = self._begin(run)
            self._watcher.start(self._open[run.run_id].running)
        return run

    def hear(self, run: PreparedRun, message: Message) -> None:
        """Take a message of a run that is being trained."""
        of_run = self._open[run.run_id]
        if isinstance(message, TableRows):
            of_run.tables.put(message.table, message.start, message.rows, message.columns)
        elif isinstance(message, SavedFile):
            of_run.written.save(message.name, message.content)
        elif isinstance(message, ProgressUpdate):
            of_run.progress = message.progress
            self._watcher.progress(of_run.running, message.progress)
        else:
            self._end(run, message.record)

    def lost(self, run: PreparedRun, loss: WorkerFailure) -> None:
        """Record a run whose process is gone, with the rows that had come in, or try it again."""
        if loss.again and self._tries[run.run_id] < MOST_TRIES:
            del self._open[run.run_id]
            self._schedule.put_back(run)
            self._watcher.notice(f"{run.run_id}: {loss.message}; it is trained anew")
            return
        of_run = self._open[run.run_id]
        rows = of_run.tables.rows.get("history.csv", ())
        self._end(run, failed_run_record(run, loss, of_run.started, of_run.progress, rows))

    def tick(self) -> None:
        """Write what is due, and say where all runs stand."""
        for of_run in self._open.values():
            of_run.tables.write_if_due()
        self._table.write_if_due()
        if time.monotonic() >= self._told_next:
            self._watcher.standing(self._standing())
            self._told_next = time.monotonic() + TELL_INTERVAL

    def heed(self) -> None:
        """Let the caller interrupt."""
        self._watcher.heed()

    def close(self) -> None:
        """Write the table of all runs."""
        self._table.write()

    def _begin(self, run: PreparedRun) -> _OpenRun:
        """Make a run's directory; a finished result stays in its place until there is a new one."""
        place = self._experiment.run(run.run_id)
        written = place.successor() if place.is_finished() else place
        written.start(with_absolute_paths(run.single.spec, self._access))
        number, of = self._numbers[run.run_id], len(self._numbers)
        running = RunInfo(run.run_id, run.single, run.plan, number, of)
        tables = TableWriter(written)
        tables.put("history.csv", 0, (), HISTORY_COLUMNS)
        tables.put("steps.csv", 0, (), STEP_COLUMNS)
        return _OpenRun(running, place, written, tables, provenance.utc_now())

    def _end(self, run: PreparedRun, record: dict[str, Any]) -> None:
        of_run = self._open.pop(run.run_id)
        of_run.tables.write()
        directory, record = of_run.written, record | {"git_commit": self._git_commit}
        record = directory.finish(record)
        if directory != of_run.place and directory.is_finished():
            of_run.place.take_over(directory)
            directory = of_run.place
        if directory == of_run.place:
            self._table.put(run.run_id, record)
        steps = record["row"]["observed_steps"]
        self._schedule.measured(run, steps, time.monotonic() - of_run.since)
        result = Result(directory.path, record, run.single.swept)
        self.results[run.run_id] = result
        self._failed += result.status.is_failure
        self._watcher.finish(result)

    def _standing(self) -> SweepProgress:
        told = [of_run.progress for of_run in self._open.values() if of_run.progress]
        running = [progress.seconds_left or 0.0 for progress in told]
        known = running or any(not result.reused for result in self.results.values())
        left = self._schedule.seconds_left(running, self._workers) if known else None
        return SweepProgress(len(self.results), self._failed, len(self._numbers), left)


def failed_run_record(
    run: PreparedRun,
    loss: WorkerFailure,
    started: str,
    progress: Progress | None,
    history: Sequence[Row],
) -> dict[str, Any]:
    """Return what record.json says of it: what had come in, and nothing that was not measured.

    Args:
        run: the run.
        loss: how its process was lost.
        started: when it began.
        progress: where it stood when it told last, or None.
        history: the rows of history.csv that had come in.
    """
    step = progress.step if progress else 0
    total = run.plan.total_steps
    seen = f"after {counted(step, 'step')} of {total:,} or a little later"
    outcome = Outcome(
        status=loss.status,
        message=f"{loss.message}, {seen}",
        engine=None,
        why="its process ended before it could tell",
        jit_compile=None,
        step_check=f"ended_early: {loss.status}",
        observed_steps=step,
        observed_examples=None,
        train_seconds=None,
        compile_seconds=None,
        evaluate_seconds=None,
        metrics=last_and_best([row for row in history if row["step"] > 0], run.data.prefix),
        error=loss.error,
    )
    described = run_record(run, outcome, None)
    return {
        **described,
        "started": started,
        "ended": provenance.utc_now(),
        **provenance.provenance(),
    }
