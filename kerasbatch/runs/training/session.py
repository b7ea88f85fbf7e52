"""One training, from a spec and its data to an outcome: the engine, its callbacks, its tables."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import keras

from kerasbatch.array_files import changed_file
from kerasbatch.callbacks.evaluation_relay import EvaluationRelay
from kerasbatch.callbacks.progress import ProgressReporter
from kerasbatch.callbacks.recorder import Recorder
from kerasbatch.callbacks.step_counter import StepCounter
from kerasbatch.callbacks.stopping import Stopping
from kerasbatch.columns import HISTORY_COLUMNS
from kerasbatch.data.run_data import RunData
from kerasbatch.engine.options import FitOptions, Needs
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.training.start import Training, start
from kerasbatch.errors import EngineError
from kerasbatch.models.callbacks import make_callbacks
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.messages import Emit, ProgressUpdate
from kerasbatch.runs.training.failures import describe_failure, not_started, traceback_of
from kerasbatch.runs.training.noise_recorder import NoiseRecorder
from kerasbatch.runs.training.outcome import Outcome, end_status, last_and_best
from kerasbatch.runs.training.saved_models import SavedModels
from kerasbatch.runs.training.table_stream import TableStream, named_weights
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access
from kerasbatch.steps import Plan
from kerasbatch.types import Progress, Row

QUICK_EVALUATION = 2.0
"""Seconds that an evaluation may take to be made once more when a training is interrupted."""


@dataclass(frozen=True)
class TrainingJob:
    """What there is to train.

    Args:
        spec: a single-run spec.
        model: its model, fresh and compiled.
        data: its data.
        plan: its counts.
        access: what the spec may reach.
        code: what tells the Python code of the model from other code.
    """

    spec: Spec
    model: keras.Model
    data: RunData
    plan: Plan
    access: Access
    code: str = ""

    @property
    def prefix(self) -> str:
        """What the names of metrics at fixed weights begin with."""
        return "train_" if self.data.x_val is None else "val_"

    @property
    def history_columns(self) -> list[str]:
        """The columns of history.csv."""
        logged = list(self.spec.logged_metrics())
        return [*HISTORY_COLUMNS, *logged, *(self.prefix + name for name in logged)]


def train(job: TrainingJob, tell: Emit) -> Outcome:
    """Train and tell the rows; whatever happens in the training ends in an outcome.

    Args:
        job: what to train.
        tell: hears of progress, often, and of new rows.
    """
    try:
        _refuse_changed_files(job)
        callbacks = make_callbacks(job.spec, job.access)
        training = _begin(job, callbacks)
        noise = NoiseRecorder(job.spec, job.model, job.data)
    except (Exception, KeyboardInterrupt, SystemExit) as error:  # own code may raise anything
        return not_started(job.plan, error)
    return _Session(job, training, callbacks, noise, tell).run()


def _refuse_changed_files(job: TrainingJob) -> None:
    """Raise an error where the data are no more what their fingerprint was taken of."""
    if changed := changed_file(job.data.files):
        raise EngineError(changed)


def _begin(job: TrainingJob, callbacks: Sequence[keras.callbacks.Callback]) -> Training:
    """Choose the engine and compile."""
    spec, every = job.spec, job.spec.evaluate_every
    return start(
        job.model,
        ExampleStream(job.data.train, job.plan, spec.seed, spec.sampling, job.data.scale),
        engine=spec.engine,
        needs=Needs(record_steps="steps" in spec.record, stop_when_diverged=True),
        cuts=job.plan.evaluation_steps(every.kind, every.amount),
        callbacks=callbacks,
        evaluated=job.data.evaluated,
    )


class _Session:
    """A training with the callbacks that watch it and the tables that they fill."""

    def __init__(
        self,
        job: TrainingJob,
        training: Training,
        callbacks: Sequence[keras.callbacks.Callback],
        noise: NoiseRecorder,
        tell: Emit,
    ) -> None:
        self._job, self._training, self._tell = job, training, tell
        self._callbacks, self._noise = callbacks, noise
        self._kept = SavedModels(job.spec, job.model, job.prefix)
        every, plan = job.spec.evaluate_every, job.plan
        self._measure = training.evaluator(job.data.evaluated)
        self._tested: dict[str, float] = {}
        self._restored: dict[str, float] = {}
        self._counter = StepCounter(
            plan.train_examples,
            plan.batch_size,
            plan=plan,
            right_examples=training.saw_the_right_examples,
        )
        self._recorder = Recorder(
            plan.train_examples,
            plan.batch_size,
            plan=plan,
            evaluate=lambda: _prefixed(self._measure(), job.prefix),
            points=plan.evaluation_steps(every.kind, every.amount),
            on_row=self._on_row,
        )
        target = job.spec.target
        self._stopping = Stopping(
            plan,
            diverged_loss=lambda: training.diverged_loss,
            evaluated_loss=f"{job.prefix}loss",
            reaches=lambda row: (
                target is not None and bool(target.is_reached_by(row[target.metric]))
            ),
            stop_at_target=target is not None and target.stop,
        )
        self._evaluations = EvaluationRelay(plan, lambda: self._recorder.rows[-1], callbacks)
        self._tables = TableStream(
            tell,
            history=self._recorder.rows,
            steps=self._counter.rows,
            losses=training.step_losses,
            noise=noise.rows,
            columns=job.history_columns,
        )

    def run(self) -> Outcome:
        """Train to whatever end, and tell all rows."""
        error: BaseException | None = None
        try:
            self._fit()
            self._test()
            _refuse_changed_files(self._job)
            self._keep()
        except (Exception, KeyboardInterrupt, SystemExit) as failure:  # own code may raise anything
            error = failure
        self._recorder.pause()
        if error is not None:
            self._counter.end("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
            self._measure_where_it_stopped(error)
            self._keep_in_spite_of(error)
        self._tables.send()
        return self._outcome(error)

    def _on_row(self, row: Row) -> None:
        if "weights" in self._job.spec.record:
            weights = dict(named_weights(self._job.model))
            self._tables.weights.append({"step": row["step"], **weights})
        self._noise.look(row)
        self._stopping.look(row)
        self._kept.look(row)
        self._tables.send_if_due()

    def _on_progress(self, progress: Progress) -> None:
        self._tables.send_if_due()
        self._tell(ProgressUpdate(progress))

    def _fit(self) -> None:
        """Train until the budget, the target, divergence or an interrupt."""
        reporter = ProgressReporter(self._job.plan, self._on_progress)
        watching = [self._counter, self._recorder, self._stopping, reporter, self._evaluations]
        self._training.fit(FitOptions(callbacks=[*watching, *self._callbacks]))
        self._counter.ending = self._counter.ending or self._stopping.ending
        at = self._stopping.diverged
        if at and self._recorder.rows[-1]["step"] < self._counter.observed_steps:
            self._recorder.record(at.step, {"loss": at.loss})
        if getattr(self._job.model.optimizer, "use_ema", False):
            # At its end, fit put the averages in place of the weights.
            self._recorder.rows[-1].update(self._recorder.measure())
            self._kept.look_again(self._recorder.rows[-1])
        if self._restored_epoch():
            self._restored = self._recorder.measure()

    def _restored_epoch(self) -> int | None:
        """Return the epoch (from 1) whose weights EarlyStopping has put back at the end, if any."""
        for each in self._callbacks:
            is_stopping = isinstance(each, keras.callbacks.EarlyStopping)
            if is_stopping and each.restore_best_weights and each.best_weights is not None:
                return int(each.best_epoch) + 1
        return None

    def _test(self) -> None:
        """Measure the test metrics, once, where validation came from the training data."""
        x, y = self._job.data.x_test, self._job.data.y_test
        if x is not None and y is not None and not self._stopping.diverged:
            self._tested = _prefixed(self._training.evaluator((x, y))(), "test_")

    def _keep(self) -> None:
        """Hand on the models that the spec wants to keep."""
        for file in self._kept.files(self._job.data, self._job.code):
            self._tell(file)

    def _keep_in_spite_of(self, error: BaseException) -> None:
        """Keep what an interrupted training has learned."""
        if isinstance(error, KeyboardInterrupt):
            with contextlib.suppress(KeyboardInterrupt):  # once more: do not wait for it
                self._keep()

    def _measure_where_it_stopped(self, error: BaseException) -> None:
        """After an interrupt, measure the weights as they are now, if that is quick."""
        rows, step = self._recorder.rows, self._counter.observed_steps
        if not isinstance(error, KeyboardInterrupt) or not rows or rows[-1]["step"] >= step:
            return
        if self._recorder.evaluate_seconds / len(rows) <= QUICK_EVALUATION:
            with contextlib.suppress(KeyboardInterrupt):  # once more: do not wait for it
                self._recorder.record(step, {})

    def _outcome(self, error: BaseException | None) -> Outcome:
        job, counter, training = self._job, self._counter, self._training
        step = counter.observed_steps
        if error is not None:
            status, message = describe_failure(error, step, job.plan.total_steps)
            message += self._lost() if status == RunStatus.INTERRUPTED else ""
        else:
            by = self._stopped_by()
            status, message = end_status(job.plan, self._stopping, job.spec.target, step, by)
            if epoch := self._restored_epoch():
                message += f"; the weights at the end are those of epoch {epoch}"
        examples = [row["observed_examples"] for row in counter.rows]
        return Outcome(
            status=status,
            message=message,
            engine=training.name,
            why=training.why,
            jit_compile=training.jit_compile,
            step_check=counter.verdict(),
            observed_steps=step,
            observed_examples=None if None in examples else sum(examples),
            train_seconds=_rounded(self._recorder.train_seconds),
            compile_seconds=_rounded(training.compile_seconds),
            evaluate_seconds=_rounded(self._recorder.evaluate_seconds),
            metrics=last_and_best(self._trained_rows(), job.prefix) | self._restored | self._tested,
            reached=self._stopping.reached,
            error=traceback_of(error),
        )

    def _stopped_by(self) -> str | None:
        """Say which callback of the spec has stopped the training."""
        if not self._job.model.stop_training:
            return None
        by = self._evaluations.stopped_by
        return f"stopped by {type(by).__name__ if by else 'a callback'}"

    def _trained_rows(self) -> list[Row]:
        """The untrained model is neither last nor best of a run that trained."""
        return [row for row in self._recorder.rows if row["step"] > 0]

    def _lost(self) -> str:
        """Say which losses an interrupt took: those of a block that was not read yet."""
        lost = self._counter.observed_steps - len(self._training.step_losses)
        if "steps" not in self._job.spec.record or lost <= 0:
            return ""
        return f"; the losses of the last {lost:,} were not read in time"


def _prefixed(measured: dict[str, float], prefix: str) -> dict[str, float]:
    return {prefix + name: value for name, value in measured.items()}


def _rounded(seconds: float | None) -> float | None:
    return round(seconds, 6) if seconds else None
