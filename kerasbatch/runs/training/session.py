"""One training, from a spec and its data to an outcome."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import merge

import keras

from kerasbatch.array_files import changed_file_message
from kerasbatch.callbacks.evaluation_relay import EvaluationRelay
from kerasbatch.callbacks.progress import ProgressReporter
from kerasbatch.callbacks.recorder import Recorder
from kerasbatch.callbacks.step_counter import StepCounter
from kerasbatch.callbacks.stopping import Stopping
from kerasbatch.engine.options import Arrays, FitOptions, Needs
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.training.start import Training, start
from kerasbatch.errors import EngineError
from kerasbatch.models.callbacks import make_callbacks
from kerasbatch.records.checkpoints.packed_state import State
from kerasbatch.records.run_status import RunStatus
from kerasbatch.records.stored_files import StoredFileError
from kerasbatch.runs.messages import Emit, Notice, ProgressUpdate
from kerasbatch.runs.prepare.prepared_run import ResumePoint
from kerasbatch.runs.training.averaged_weights import AveragedWeights
from kerasbatch.runs.training.checkpointing.checkpointer import StatePart, checkpoint_steps
from kerasbatch.runs.training.checkpointing.present_facts import differences, present_facts
from kerasbatch.runs.training.checkpointing.writer import make_checkpointer
from kerasbatch.runs.training.failures import failure_status, not_started
from kerasbatch.runs.training.job import TrainingJob
from kerasbatch.runs.training.job_stream import example_stream
from kerasbatch.runs.training.noise_recorder import NoiseRecorder
from kerasbatch.runs.training.observers import Observers
from kerasbatch.runs.training.outcome import Outcome
from kerasbatch.runs.training.summary import TrainingEnd, summarize
from kerasbatch.runs.training.table_stream import TableStream
from kerasbatch.types import Progress, Row


def train(job: TrainingJob, emit: Emit) -> Outcome:
    """Train, and emit progress and rows; every end of the training is an outcome.

    Args:
        job: the input of the training.
        emit: receives progress and new rows, often.
    """
    with contextlib.ExitStack() as stack:
        try:
            _refuse_changed_files(job)
            folder = stack.enter_context(job.own_directory())
            callbacks = make_callbacks(job.spec, job.access, folder)
            stream = stack.enter_context(example_stream(job))
            evaluated = job.data.evaluated  # without validation, a copy of examples
            # First, since plain `fit` trains by a step of ours, which measures other things too.
            noise = NoiseRecorder(job.spec, job.model, job.data)
            training = _begin(job, stream, callbacks, evaluated)
        except BaseException as error:  # user code may raise anything
            return not_started(job.plan, error)
        measure = training.evaluator(evaluated)
        try:
            session = _Session(job, training, callbacks, noise, measure, emit)
        except StoredFileError as error:  # the checkpoint was damaged a moment ago
            return not_started(job.plan, error)
        return session.run()


def _resumed_state(resume: ResumePoint, emit: Emit) -> State:
    """Return the state from which a training goes on; mark it if the process is another kind."""
    if differs := differences(resume.facts, present_facts()):
        resume.mark(differs)
        emit(Notice(f"goes on with {', '.join(differs)}: its numbers may differ"))
    return resume.state()


def _refuse_changed_files(job: TrainingJob) -> None:
    """Raise an error if a data file has changed since its fingerprint was taken."""
    if changed := changed_file_message(job.data.files):
        raise EngineError(changed)


def _begin(
    job: TrainingJob,
    stream: ExampleStream,
    callbacks: Sequence[keras.callbacks.Callback],
    evaluated: Arrays,
) -> Training:
    """Choose the engine and compile."""
    spec = job.spec
    return start(
        job.model,
        stream,
        engine=spec.engine if job.resume is None else job.resume.engine,
        needs=Needs(record_steps="steps" in spec.record, stop_when_diverged=True),
        cuts=merge(_evaluation_steps(job), checkpoint_steps(spec.checkpoint, job.plan)),
        options=FitOptions(callbacks=callbacks),
        evaluated=evaluated,
        settings=job.engine_settings,
    )


def _evaluation_steps(job: TrainingJob) -> Iterator[int]:
    every = job.spec.evaluate_every
    return job.plan.evaluation_steps(every.kind, every.amount)


class _Session:
    """A training with its callbacks and the observers of its evaluations."""

    def __init__(
        self,
        job: TrainingJob,
        training: Training,
        callbacks: Sequence[keras.callbacks.Callback],
        noise: NoiseRecorder,
        measure: Callable[[], dict[str, float]],
        emit: Emit,
    ) -> None:
        start = None if job.resume is None else _resumed_state(job.resume, emit)
        self._job, self._training, self._emit, self._callbacks = job, training, emit, callbacks
        plan, self._measure = job.plan, measure
        self._averages = AveragedWeights(job.model, list(callbacks))
        self._counter = StepCounter(
            plan.train_examples,
            plan.batch_size,
            plan=plan,
            counts=training.counts,
            examples_match=training.examples_match,
        )
        self._recorder = Recorder(
            plan.train_examples,
            plan.batch_size,
            plan=plan,
            evaluate=self._evaluate,
            points=_evaluation_steps(job),
            on_row=self._on_evaluation,
            measures_untrained=start is None,
        )
        self._relay = EvaluationRelay(
            plan, lambda: self._recorder.rows[-1], callbacks, self._averages.for_callbacks
        )
        self._stopping = Stopping(
            plan,
            diverged_loss=lambda: training.diverged_loss,
            evaluated_loss=f"{job.prefix}loss",
            target=job.spec.target,
            cap=job.cap.steps if job.cap else None,
        )
        self._observers = Observers(job, noise, emit)
        self._tables = TableStream(
            emit,
            history=self._recorder.rows,
            steps=self._counter.rows,
            losses=training.step_losses,
            noise=noise.rows,
            weights=self._observers.weights.rows,
            columns=job.history_columns,
        )
        self._reporter = ProgressReporter(plan, self._on_progress)
        self._checkpointer = make_checkpointer(
            job, training, callbacks, self._parts(), self._recorder, emit, start
        )

    def _parts(self) -> Mapping[str, StatePart]:
        """Return our own parts with a state, by name."""
        return {
            "counter": self._counter,
            "recorder": self._recorder,
            "stopping": self._stopping,
            "progress": self._reporter,
            "relay": self._relay,
            **self._observers.parts,
        }

    def run(self) -> Outcome:
        """Train to any end, and emit all rows."""
        error: BaseException | None = None
        last_metrics: dict[str, float] = {}
        try:
            self._fit()
            last_metrics |= self._restored_metrics()
            last_metrics |= self._test_metrics()
            _refuse_changed_files(self._job)
            self._observers.save(self._emit)
        except BaseException as failure:  # user code may raise anything
            error = failure
        self._recorder.pause()
        if error is not None:
            self._on_error(error)
        self._tables.send()
        end = TrainingEnd(self._counter, self._recorder, self._stopping, self._relay)
        return summarize(self._job, self._training, end, last_metrics, error)

    def _evaluate(self) -> dict[str, float]:
        with self._averages.in_place():
            return self._job.prefixed(self._measure())

    def _on_evaluation(self, row: Row) -> None:
        with self._averages.in_place():
            self._observers.on_evaluation(row)
            self._stopping.on_evaluation(row)
        self._tables.on_evaluation(row)

    def _on_progress(self, progress: Progress) -> None:
        self._tables.send_if_due()
        with self._checkpointer.deferred_stop():
            self._emit(ProgressUpdate(progress))

    def _fit(self) -> None:
        """Train until the budget, the target, divergence or an interrupt."""
        ours = [self._counter, self._recorder, self._stopping, self._reporter, self._relay]
        epoch, steps = self._checkpointer.position
        callbacks = [*ours, *self._callbacks, self._checkpointer]
        self._training.fit(FitOptions(callbacks, initial_epoch=epoch, initial_steps=steps))
        self._averages.end()
        self._counter.ending = self._counter.ending or self._stopping.ending
        diverged = self._stopping.diverged
        if diverged and self._recorder.rows[-1]["step"] < self._counter.observed_steps:
            self._recorder.record(diverged.step, {"loss": diverged.loss})

    def _restored_metrics(self) -> dict[str, float]:
        """Return the metrics of the weights that EarlyStopping restored at the end."""
        return self._recorder.measure() if self._relay.restored_epoch() else {}

    def _test_metrics(self) -> dict[str, float]:
        """Return the test metrics, if validation came from the training data."""
        x, y = self._job.data.x_test, self._job.data.y_test
        if x is None or y is None or self._stopping.diverged:
            return {}
        measured = self._training.evaluator((x, y))()
        return {f"test_{name}": value for name, value in measured.items()}

    def _on_error(self, error: BaseException) -> None:
        """End the step check; measure and save an interrupted model."""
        status = failure_status(error)
        if status != RunStatus.INTERRUPTED:
            self._counter.end("out_of_memory" if status == RunStatus.OUT_OF_MEMORY else "failed")
            return
        self._counter.end("interrupted")
        self._averages.finalize()
        with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C does not wait
            self._measure_interrupted()
        with contextlib.suppress(KeyboardInterrupt):
            self._observers.save(self._emit)

    def _measure_interrupted(self) -> None:
        """Evaluate the weights at the interrupt, if that is quick."""
        rows, step = self._recorder.rows, self._counter.observed_steps
        if not rows or rows[-1]["step"] >= step:
            return
        seconds = self._recorder.evaluate_seconds / len(rows)
        if seconds <= self._job.settings.quick_evaluation:
            self._recorder.record(step, {})
