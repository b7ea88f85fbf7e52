"""The record of a `kerasbatch.fit(results=DIR)`: an ordinary run of an experiment."""

import contextlib
import re
import secrets
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from kerasbatch.callbacks.base import PlannedCallback
from kerasbatch.callbacks.recorder import Recorder
from kerasbatch.callbacks.step_counter import StepCounter
from kerasbatch.columns import HISTORY_COLUMNS, STEP_COLUMNS
from kerasbatch.engine.fit import api
from kerasbatch.engine.fit.arguments import FitArguments
from kerasbatch.errors import KerasbatchError
from kerasbatch.records import provenance
from kerasbatch.records.experiment import Experiment
from kerasbatch.records.file_names import SPEC
from kerasbatch.records.last_metrics import last_and_best
from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.records.run_row import RunRow, per_second
from kerasbatch.records.run_status import RunStatus
from kerasbatch.records.runs_csv import RunsCsv
from kerasbatch.records.stored_files import read_stored_spec
from kerasbatch.records.table_writer import TableWriter
from kerasbatch.runs.fitting.recorded_spec import (
    numeric_batch_size,
    rate_of,
    spec_of_fit,
    training_examples,
)
from kerasbatch.runs.training.failures import describe_failure, traceback_of
from kerasbatch.spec.passed.fingerprint import fingerprint

_NAME = re.compile(r"batch_size=\d+-[0-9a-f]{8}")
"""The names of runs; that in a checkpoint may be forged."""


@contextlib.contextmanager
def recorded(
    model: keras.Model,
    arguments: FitArguments,
    experiment: Path,
    seed: int | None,
    run_id: str,
) -> Iterator["Recording"]:
    """Yield a recording, which an error of the training ends; arguments as in `Recording`."""
    recording = Recording(model, arguments, experiment, seed, run_id)
    try:
        yield recording
    except BaseException as error:
        with contextlib.suppress(KerasbatchError, OSError):  # the error of the training counts
            recording.finish(error=error)
        raise


class Recording:
    """The run directory of a `fit`.

    Args:
        model: the model, before its training.
        arguments: the arguments of `fit`.
        experiment: the directory of the experiment.
        seed: the seed of the order, or None.
        run_id: the name of a run that has not ended, and goes on; empty for a new one.
    """

    def __init__(
        self,
        model: keras.Model,
        arguments: FitArguments,
        experiment: Path,
        seed: int | None,
        run_id: str,
    ) -> None:
        examples = training_examples(arguments)
        size = numeric_batch_size(arguments.batch_size, examples)
        self._model, self._experiment = model, Experiment(experiment.absolute())
        self._data = fingerprint([arguments.x, arguments.y])
        epochs = max(int(arguments.epochs), 1)
        self._spec = spec_of_fit(
            experiment.name, model, self._data, epochs=epochs, batch_size=size, seed=seed or 0
        )
        self._rate = rate_of(model)
        self._started = provenance.utc_now()
        self._counter = StepCounter(examples, size)
        self.recorder = Recorder(examples, size, on_row=lambda row: self._write())
        self.parts = {"counter": self._counter, "recorder": self.recorder}
        self._directory = self._open(run_id, size)
        self._tables = TableWriter(self._directory)

    def _open(self, run_id: str, size: int) -> RunDirectory:
        """Return the directory of the run that goes on, unless it has ended; else a new one."""
        self._is_new = not (_NAME.fullmatch(run_id) and self._goes_on(self._experiment.run(run_id)))
        name = f"batch_size={size}-{secrets.token_hex(4)}" if self._is_new else run_id
        directory = self._experiment.run(name)
        if self._is_new:
            directory.start(self._spec)
        return directory

    def _goes_on(self, directory: RunDirectory) -> bool:
        """Return whether a run is one of this training that has not finished."""
        try:
            spec = read_stored_spec(directory.path / SPEC).spec
        except (FileNotFoundError, KerasbatchError):
            return False
        # Keras numbers the names of optimizers across a process, and the spec has their hashes.
        mine, other = (
            (one.name, one.data, one.batch_size, one.length, one.seed) for one in (self._spec, spec)
        )
        return mine == other and not directory.is_finished()

    @property
    def run_id(self) -> str:
        """The name of the run."""
        return self._directory.run_id

    @property
    def callbacks(self) -> list[PlannedCallback]:
        """The callbacks that count and record."""
        return list(self.parts.values())

    def _write(self) -> None:
        """Write the tables if that is due."""
        rows = {"history.csv": self.recorder.rows, "steps.csv": self._counter.rows}
        columns = {"history.csv": HISTORY_COLUMNS, "steps.csv": STEP_COLUMNS}
        for name, table in rows.items():
            self._tables.put(name, 0, tuple(table), columns[name])
        self._tables.write_if_due()

    def added_to(self, arguments: FitArguments) -> FitArguments:
        """Return arguments of `fit` with the callbacks that count and record."""
        callbacks = keras.tree.flatten(arguments.callbacks or [])
        return arguments.replaced(callbacks=[*callbacks, *self.callbacks])

    def complete(self, report: api.Report) -> None:
        """Finish the run of a training that ended; warn if its record cannot be written."""
        try:
            self.finish(report=report)
        except (KerasbatchError, OSError) as error:
            message = f"the training ended, and its record could not be written: {error}"
            warnings.warn(message, stacklevel=3)

    def finish(self, report: api.Report | None = None, error: BaseException | None = None) -> None:
        """Write all files of the run, and the table of the experiment.

        Args:
            report: the engine of a training that ended, or None.
            error: the exception that ended it, or None.
        """
        if not self._counter.has_begun:
            if self._is_new:
                shutil.rmtree(self._directory.path)
            return
        self.recorder.pause()
        self._write()
        self._tables.write()
        with self._experiment.locked(trusted=True):
            record = self._directory.finish(self._record(report, error))
            table = RunsCsv(self._experiment)
            table.put(self._directory.run_id, record)
            table.write()

    def _record(self, report: api.Report | None, error: BaseException | None) -> dict[str, Any]:
        counter, total = self._counter, self._planned_steps()
        step = counter.observed_steps
        status, message = RunStatus.DONE, f"took {step:,} of {total:,} planned steps"
        if error is not None:
            status, message = describe_failure(error, step, total)
            counter.end("interrupted" if status == RunStatus.INTERRUPTED else "failed")
        engine = None if report is None else report.engine
        return {
            "run_id": self._directory.run_id,
            "status": status,
            "message": message,
            "swept": {},
            "spec": self._spec.plain(),
            "row": self._row(engine, report, status),
            "difference": "" if error else counter.plan.difference,
            "engine": {
                "name": engine,
                "why": "" if report is None else report.why,
                "jit_compile": None,
            },
            "notice": "recorded by kerasbatch.fit",
            "error": traceback_of(error),
            "classes": None,
            "chance_level": {},
            "data_fingerprint": self._data,
            "data_description": {},
            "started": self._started,
            "ended": provenance.utc_now(),
            **provenance.provenance(),
            "git_commit": provenance.git_commit(Path.cwd()),
        }

    def _planned_steps(self) -> int:
        return self._counter.plan.total_steps if self._counter.rows else 0

    def _row(self, engine: str | None, report: api.Report | None, status: RunStatus) -> Any:
        counter, seconds = self._counter, round(self.recorder.train_seconds, 6) or None
        plan, step = counter.plan, counter.observed_steps
        counts = [row["observed_examples"] for row in counter.rows]
        examples = None if None in counts else sum(counts)
        rows = self.recorder.rows
        prefix = "val_" if rows and "val_loss" in rows[-1] else "train_"
        return RunRow(
            run_id=self._directory.run_id,
            status=status,
            data_used="object",
            train_examples=plan.train_examples,
            batch_size=plan.batch_size,
            epochs=plan.position(step).epochs_done,
            optimizer=type(self._model.optimizer).__name__,
            learning_rate=self._rate,
            base_learning_rate=self._rate,
            seed=self._spec.seed,
            engine=engine,
            planned_steps=plan.total_steps,
            observed_steps=step,
            document_steps=plan.document_steps_at(step),
            step_check=counter.verdict(),
            examples=examples,
            train_seconds=seconds,
            compile_seconds=None if report is None else report.compile_seconds,
            evaluate_seconds=None,
            examples_per_second=per_second(examples, seconds),
            steps_per_second=per_second(step, seconds),
            peak_memory_mb=None,
        ).with_metrics(last_and_best(rows, prefix, None))
