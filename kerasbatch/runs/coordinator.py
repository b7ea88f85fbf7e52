"""Hands out the runs of a sweep and processes their messages; it alone writes their files."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from kerasbatch.records import provenance
from kerasbatch.records.experiment import Experiment
from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.records.run_id import spec_hash
from kerasbatch.records.run_status import RunStatus
from kerasbatch.records.runs_csv import RunsCsv
from kerasbatch.records.stored_files import StoredFileError
from kerasbatch.runs import earlier_results
from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.messages import Message, Notice, ProgressUpdate, RunEnded
from kerasbatch.runs.open_run import OpenRun, begin
from kerasbatch.runs.prepare.prepared_run import PreparedRun
from kerasbatch.runs.progress import RunInfo, SweepProgress, Watcher
from kerasbatch.runs.result import Result
from kerasbatch.runs.resume import resume_point
from kerasbatch.runs.scheduler import Scheduler
from kerasbatch.runs.sweep_runs import SweepRuns
from kerasbatch.search.seed_result import is_enough
from kerasbatch.spec.named_paths import with_absolute_paths
from kerasbatch.spec.reader import SpecSource
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access

MAX_TRIES = 3
"""The times a run is started if its node is lost."""
PROGRESS_INTERVAL = 0.2
"""Seconds between two reports of the progress of a sweep."""


class Coordinator:
    """Hands out runs, and writes their files and the table of all runs.

    Args:
        experiment: the experiment, owned by this process.
        runs: the runs of the sweep, as its search asks for them.
        source: their spec.
        access: the files and code that their specs may use.
        workers: the number of runs at a time.
        watcher: is notified of everything.
        rerun: train finished runs again.
        tensorboard: the log directory of TensorBoard, or None.
    """

    def __init__(
        self,
        experiment: Experiment,
        runs: SweepRuns,
        source: SpecSource,
        access: Access,
        workers: int,
        watcher: Watcher,
        *,
        rerun: bool,
        tensorboard: Path | None,
    ) -> None:
        self.results: dict[str, Result] = {}
        self._runs, self._rerun = runs, rerun
        self._experiment, self._access, self._watcher = experiment, access, watcher
        self._workers, self._tensorboard = workers, tensorboard
        self._open: dict[str, OpenRun] = {}
        self._tries: dict[str, int] = defaultdict(int)
        self._schedule = Scheduler()
        self._failed, self._next_report = 0, 0.0
        self._table = RunsCsv(experiment)
        self._spec: dict[str, Any] = {
            "spec_hash": spec_hash(source),
            "overrides": list(source.overrides),
        }
        self._origin = {"git_commit": provenance.git_commit(access.folder), **self._spec}

    def ask(self) -> None:
        """Let the search ask for runs; those without a result wait for a worker."""
        while runs := self._runs.next_runs():
            for run in runs:
                result = self._known_result(run)
                if result is not None:
                    self._runs.tell(run, result)
                    continue
                directory = self._experiment.run(run.run_id)
                self._schedule.add(earlier_results.with_saved_models(run, directory))

    def _known_result(self, run: PreparedRun) -> Result | None:
        """Return the result of a run, of this command or an earlier one, if it is enough."""
        known, cap = self.results.get(run.run_id), run.cap.steps if run.cap else None
        if known is not None:
            return known if is_enough(known.record, cap) else None
        if self._rerun:
            return None
        directory = self._experiment.run(run.run_id)
        result = earlier_results.finished(run, directory, self._watcher)
        if result is not None:
            self._keep(result)
        return result

    def _keep(self, result: Result) -> None:
        """Add the result of an earlier command.

        With overrides, the run is none of those in the spec file: its record names the present
        one, so that it does not count as a run of an earlier file.
        """
        if self._spec["overrides"] and result.record.get("spec_hash") != self._spec["spec_hash"]:
            record = RunDirectory(result.directory).finish({**result.record, **self._spec})
            result = replace(result, record=record)
        self.results[result.directory.name] = result
        self._watcher.finish(result)

    def has_runs(self) -> bool:
        """Return whether any run waits for a worker."""
        return self._schedule.has_runs()

    def is_ended(self, run: PreparedRun) -> bool:
        """Return whether a run has a result."""
        return run.run_id not in self._open

    def next_run(self, worker: int, code: str | None = "") -> PreparedRun | None:
        """Return the next run for a free worker, and make its directory."""
        run = self._schedule.next(worker, code)
        if run is not None:
            self._tries[run.run_id] += 1
            self._open[run.run_id] = begun = self._begin(run)
            self._watcher.start(begun.info)
            directories = begun.written.path.absolute(), begun.checkpoints.path.absolute()
            run = replace(begun.run, directory=str(directories[0]), checkpoints=str(directories[1]))
        return run

    def on_message(self, run: PreparedRun, message: Message) -> None:
        """Process a message of a run in training."""
        if self.is_ended(run):
            return
        open_run = self._open[run.run_id]
        if isinstance(message, RunEnded):
            self._end(run, message.record)
        elif isinstance(message, Notice):
            self._watcher.notice(f"{run.run_id}: {message.text}")
        elif isinstance(message, ProgressUpdate):
            open_run.progress = message.progress
            self._watcher.progress(open_run.info, message.progress)
        else:
            with self._ending_if_deleted(open_run):
                if notice := open_run.store(message):
                    self.on_message(run, notice)

    def on_failure(self, run: PreparedRun, failure: WorkerFailure) -> None:
        """Record a run that lost its worker, with the rows received so far, or try it again."""
        if self.is_ended(run):
            return
        if failure.retry and self._tries[run.run_id] < MAX_TRIES:
            self._open.pop(run.run_id).close()
            self._schedule.put_back(run)
            self._watcher.notice(f"{run.run_id}: {failure.message}; it is trained again")
            return
        self._end(run, self._open[run.run_id].failed_record(failure))

    def tick(self) -> None:
        """Write files that are due, and report the progress of the sweep."""
        for open_run in list(self._open.values()):
            with self._ending_if_deleted(open_run):
                open_run.tables.write_if_due()
        self._table.write_if_due()
        if time.monotonic() >= self._next_report:
            self._watcher.sweep_progress(self._sweep_progress())
            self._next_report = time.monotonic() + PROGRESS_INTERVAL

    def close(self) -> None:
        """Write the table of all runs; report the final progress."""
        self._table.write()
        self._watcher.sweep_progress(self._sweep_progress())

    def _begin(self, run: PreparedRun) -> OpenRun:
        """Make a run's directory, and find the checkpoint from which it goes on."""
        resume = None if self._rerun else resume_point(self._experiment, run, self._watcher)
        number, count = self._runs.number(run), len(self._runs.asked)
        return begin(
            replace(run, resume=resume),
            RunInfo(run.run_id, run.single, run.plan, number, count),
            self._experiment.run(run.run_id),
            self._spec_with_absolute_paths(run),
            self._tensorboard,
            rerun=self._rerun,
        )

    def _spec_with_absolute_paths(self, run: PreparedRun) -> Spec:
        return with_absolute_paths(run.single.spec, self._access)

    @contextmanager
    def _ending_if_deleted(self, open_run: OpenRun) -> Iterator[None]:
        """End a run whose directory somebody has deleted or changed; the others go on.

        While it is being deleted, its files are missing first, and the directory still exists.
        """
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, StoredFileError) as error:
            if self.is_ended(open_run.run):
                raise
            is_changed = isinstance(error, StoredFileError)
            what = f"changed: a file {error}" if is_changed else "deleted"
            failure = WorkerFailure(RunStatus.FAILED, f"its directory was {what}")
            self._close(open_run, self._rewritten(open_run, open_run.failed_record(failure)))

    def _rewritten(self, open_run: OpenRun, record: dict[str, Any]) -> dict[str, Any]:
        """Write all files of a run anew, and return its record; only that where it cannot."""
        record = record | self._origin
        try:
            open_run.written.start(self._spec_with_absolute_paths(open_run.run))
            open_run.tables.rewrite()
            return open_run.written.finish(record)
        except (OSError, StoredFileError) as error:
            self._watcher.notice(f"{open_run.run.run_id}: its record cannot be written ({error})")
            return {**record, "files": {}}

    def _end(self, run: PreparedRun, record: dict[str, Any]) -> None:
        open_run, ended = self._open[run.run_id], record | self._origin
        with self._ending_if_deleted(open_run):
            open_run.tables.write()
            self._close(open_run, open_run.written.finish(ended))

    def _close(self, open_run: OpenRun, record: dict[str, Any]) -> None:
        """Put the directory of a run with a record into its place, and keep the result."""
        run, directory = open_run.run, open_run.written
        open_run.close()
        if RunStatus(record["status"]).is_settled:
            open_run.checkpoints.keep(1)
        if directory != open_run.target and directory.replaces(open_run.target):
            open_run.target.take_over(directory)
            directory = open_run.target
        elif directory != open_run.target:
            kept = (
                f"the earlier result is kept; this one is in {directory.path.name} until the next"
            )
            self._watcher.notice(f"{run.run_id} ended as {record['status']}: {kept} command")
        del self._open[run.run_id]
        if directory == open_run.target:
            self._table.put(run.run_id, record)
        steps = record["row"]["observed_steps"]
        self._schedule.measured(run, steps, time.monotonic() - open_run.since)
        result = Result(directory.path, record, run.single.swept)
        self.results[run.run_id] = result
        self._failed += result.status.is_failure
        self._watcher.finish(result)
        self._runs.tell(run, result)
        self.ask()

    def _sweep_progress(self) -> SweepProgress:
        reports = [open_run.progress for open_run in self._open.values() if open_run.progress]
        running = [progress.seconds_left or 0.0 for progress in reports]
        has_measurement = running or any(not result.reused for result in self.results.values())
        left = self._schedule.seconds_left(running, self._workers) if has_measurement else None
        ended = len(set(self.results) - set(self._open))
        return SweepProgress(ended, self._failed, len(self._runs.asked), left)
