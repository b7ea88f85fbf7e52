"""One training, from a spec and its data to an outcome: the engine, its callbacks, its end."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass

import keras
import tensorflow as tf

from kerasbatch.callbacks.recorder import HISTORY_COLUMNS, Recorder
from kerasbatch.callbacks.step_counter import Row, StepCounter
from kerasbatch.callbacks.watching import Diverged, Progress, Reporter, StopAtTarget
from kerasbatch.engine.feed import Feed
from kerasbatch.engine.start import Options, Training, start
from kerasbatch.errors import KerasbatchError, shortened
from kerasbatch.records.files import RunDirectory
from kerasbatch.runs.tables import Tables, named_weights
from kerasbatch.spec import keras_names
from kerasbatch.spec.keys import Spec
from kerasbatch.stepcheck import Ending
from kerasbatch.steps import Plan
from kerasbatch.workload.data import Data


@dataclass(frozen=True)
class Outcome:
    """How a training ended and what it measured; None for what was not measured."""

    status: str
    message: str
    engine: str | None
    why: str
    jit_compile: bool | None
    step_check: str
    observed_steps: int
    observed_examples: int | None
    train_seconds: float | None
    compile_seconds: float | None
    evaluate_seconds: float | None
    metrics: dict[str, float]
    error: str | None = None


class Session:
    """One training: its model, engine, callbacks and tables.

    Args:
        spec: a single-run spec.
        model: its model, fresh and compiled.
        data: its data.
        plan: its counts.
        directory: where its tables go.
        report: hears of progress.
    """

    def __init__(
        self,
        spec: Spec,
        model: keras.Model,
        data: Data,
        plan: Plan,
        directory: RunDirectory,
        report: Callable[[Progress], None],
    ) -> None:
        self.model = model
        self.spec, self.data, self.plan = spec, data, plan
        self.compile_seconds: float | None = None
        self.tested: dict[str, float] = {}
        self.engine: Training | None = None
        self.prefix = "train_" if data.x_val is None else "val_"
        self.counter: StepCounter = StepCounter.of(plan, right_examples=self._right_examples)
        self.recorder: Recorder = Recorder.of(
            plan,
            evaluate=self._evaluate,
            points=plan.evaluation_steps(spec.evaluate_every.kind, spec.evaluate_every.amount),
            on_row=self._on_row,
        )
        self.diverged: Diverged = Diverged.of(
            plan, untrained=self._untrained_loss, stop=lambda: self._stop("diverged")
        )
        self.tables = Tables(directory, self.recorder.rows, self.counter.rows, self._columns())
        self.reporter: Reporter = Reporter.of(plan, report=self._reported_to(report))

    def run(self) -> Outcome:
        """Train and write the tables; whatever happens in the training ends in an outcome."""
        error: BaseException | None = None
        try:
            self._fit()
            self._test()
        except KeyboardInterrupt as interrupt:
            error = interrupt
        except Exception as failure:  # the user's model may raise anything
            error = failure
        return self._close(error)

    def _columns(self) -> list[str]:
        logged = list(self.spec.logged_metrics())
        return [*HISTORY_COLUMNS, *logged, *(self.prefix + name for name in logged)]

    def _reported_to(self, report: Callable[[Progress], None]) -> Callable[[Progress], None]:
        def on_progress(progress: Progress) -> None:
            self.tables.write_if_due()
            report(progress)

        return on_progress

    def _on_row(self, row: Row) -> None:
        if "weights" in self.spec.record:
            self.tables.weights.append({"step": row["step"], **dict(named_weights(self.model))})
        if row["step"] > 0:
            self.diverged.look(row[f"{self.prefix}loss"], row["step"])
        self.tables.write_if_due()

    def _start(self) -> Training:
        """Choose the engine and compile."""
        spec, every = self.spec, self.spec.evaluate_every
        arrays = (self.data.x_train, self.data.y_train)
        feed = Feed(arrays, self.plan, spec.seed, spec.sampling, self.data.scale)
        evaluated = self.data.evaluated
        started, self.compile_seconds = start(
            self.model,
            feed,
            engine=spec.engine,
            options=Options(record_steps="steps" in spec.record, stop_at_nan=True),
            cuts=self.plan.evaluation_steps(every.kind, every.amount),
            evaluated=evaluated,
        )
        self.tables.losses = started.step_losses
        self._measure = started.evaluator(evaluated)
        self.engine = started
        return started

    def _evaluate(self) -> dict[str, float]:
        return self._prefixed(self._measure(), self.prefix)

    def _right_examples(self, epoch: int, steps: int) -> bool | None:
        return self.engine.saw_the_right_examples(epoch, steps) if self.engine else None

    def _fit(self) -> None:
        """Compile, then train until the budget, the target, divergence or an interrupt."""
        started = self._start()
        callbacks: list[keras.callbacks.Callback] = [self.counter, self.recorder, self.diverged]
        if self.spec.target and self.spec.target.stop:
            stop = lambda: self._stop("target_reached")  # noqa: E731  # a name for one line
            callbacks.append(StopAtTarget(self._reaches_target, self.recorder, stop))
        started.fit([*callbacks, self.reporter])
        if self.diverged.at and self.recorder.rows[-1]["step"] < self.counter.observed_steps:
            self.recorder.record(self.diverged.at.step, {"loss": self.diverged.at.loss})
        if getattr(self.model.optimizer, "use_ema", False):
            # At its end, fit put the averages in place of the weights.
            self.recorder.rows[-1].update(self.recorder.measure())

    def _reaches_target(self, row: Row) -> bool:
        target = self.spec.target
        return target is not None and target.reached(row[target.metric])

    def _test(self) -> None:
        """Measure the test metrics, once, where validation came from the training data."""
        x, y = self.data.x_test, self.data.y_test
        if self.engine and x is not None and y is not None and not self.diverged.at:
            self.tested = self._prefixed(self.engine.evaluator((x, y))(), "test_")

    def _close(self, error: BaseException | None) -> Outcome:
        """Write the tables and say how the training ended."""
        self.recorder.pause()
        if error is not None:
            self.counter.end("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        try:
            self.tables.write()
        except OSError as failure:  # a full disk; the record may still fit
            error = failure
        status, message = self._ending(error)
        examples = [row["observed_examples"] for row in self.counter.rows]
        return Outcome(
            status=status,
            message=message,
            engine=self.engine.name if self.engine else None,
            why=self.engine.why if self.engine else "the training did not begin",
            jit_compile=self.engine.jit_compile if self.engine else None,
            step_check=self.counter.verdict(),
            observed_steps=self.counter.observed_steps,
            observed_examples=None if None in examples else sum(examples),
            train_seconds=_rounded(self.recorder.train_seconds),
            compile_seconds=_rounded(self.compile_seconds),
            evaluate_seconds=_rounded(self.recorder.evaluate_seconds),
            metrics=self._last_and_best() | self.tested,
            error="".join(traceback.format_exception(error)) if error else None,
        )

    def _ending(self, error: BaseException | None) -> tuple[str, str]:
        step, total = self.counter.observed_steps, self.plan.total_steps
        if isinstance(error, KeyboardInterrupt):
            return "interrupted", f"interrupted after {step:,} of {total:,} steps{self._lost()}"
        if isinstance(error, MemoryError | tf.errors.ResourceExhaustedError):
            return "out_of_memory", f"out of memory after {step:,} steps: {_first_line(error)}"
        if isinstance(error, KerasbatchError):
            return "failed", str(error)
        if error is not None:
            return "failed", f"{type(error).__name__}: {_first_line(error)}"
        if at := self.diverged.at:
            where = f"in epoch {at.epoch}, at step {at.step:,} of {total:,}"
            return "diverged", f"the loss was {at.loss:.6g} {where}; try a lower learning rate"
        if self.counter.ending == "target_reached" and self.spec.target:
            return "target", f"reached {self.spec.target.describe()} at step {step:,} of {total:,}"
        return "done", f"took {step:,} of {total:,} planned steps"

    def _lost(self) -> str:
        """Say which losses an interrupt took: those of a block that was not read yet."""
        lost = self.counter.observed_steps - len(self.tables.losses)
        if "steps" not in self.spec.record or lost <= 0:
            return ""
        return f"; the losses of the last {lost:,} were not read in time"

    def _stop(self, ending: Ending) -> None:
        self.counter.ending = self.counter.ending or ending
        self.model.stop_training = True

    def _untrained_loss(self) -> float | None:
        rows = self.recorder.rows
        return rows[0].get(f"{self.prefix}loss") if rows else None

    def _last_and_best(self) -> dict[str, float]:
        rows = self.recorder.rows
        last = {k: v for k, v in rows[-1].items() if k not in HISTORY_COLUMNS} if rows else {}
        best = {}
        for name in [key for key in last if key.startswith(self.prefix)]:
            values = [row[name] for row in rows if row[name] == row[name]]  # nan is never best
            if values:
                lower = keras_names.lower_is_better(name.removeprefix(self.prefix))
                best[f"best_{name}"] = min(values) if lower else max(values)
        return last | best

    @staticmethod
    def _prefixed(measured: dict[str, float], prefix: str) -> dict[str, float]:
        return {prefix + name: value for name, value in measured.items()}


def _rounded(seconds: float | None) -> float | None:
    return round(seconds, 6) if seconds else None


def _first_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return shortened(text, 300)
