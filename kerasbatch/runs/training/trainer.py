"""Trains checked runs in this process, one after the other; it writes no file."""

from dataclasses import replace
from pathlib import Path

import keras

from kerasbatch.data.run_data import RunData
from kerasbatch.engine import keras_private
from kerasbatch.engine.model_state import build_optimizer, copy_model_state
from kerasbatch.errors import SpecError
from kerasbatch.inference.initial_weights import assign_initial_weights
from kerasbatch.models.build import build_model
from kerasbatch.records import provenance
from kerasbatch.records.run_status import RunStatus
from kerasbatch.records.stored_files import hash_stored
from kerasbatch.runs.messages import Emit, RunEnded
from kerasbatch.runs.prepare.data_loader import DataLoader
from kerasbatch.runs.prepare.prepared_run import PreparedRun
from kerasbatch.runs.training.failures import not_started
from kerasbatch.runs.training.initial_state import InitialState
from kerasbatch.runs.training.job import DEFAULT_TRAINING, TrainingJob, TrainingSettings
from kerasbatch.runs.training.objective import run_objective
from kerasbatch.runs.training.outcome import Outcome
from kerasbatch.runs.training.record import run_record
from kerasbatch.runs.training.session import train
from kerasbatch.spec.named_paths import (
    builds_anew,
    file_names,
    has_passed_code,
    names_code,
)
from kerasbatch.spec.section_schema import EvaluateEvery
from kerasbatch.spec.stored_schema import skipped_layers
from kerasbatch.spec.trust import Access
from kerasbatch.user_code import calls

DENSE = 10
"""Steps for each evaluation; a run with at most this many is timed once more."""
LONGEST = 10.0
"""The longest training in seconds that is timed once more."""


class Trainer:
    """Trains runs; data, the last model and its compiled programs are kept between runs.

    Args:
        loader: loads the data.
        settings: the thresholds of every training.
    """

    def __init__(self, loader: DataLoader, settings: TrainingSettings = DEFAULT_TRAINING) -> None:
        self._loader, self._settings = loader, settings
        self._models = ModelCache(loader.access)

    def train(self, prepared: PreparedRun, emit: Emit) -> None:
        """Train a run, and emit its end, whatever it is.

        Args:
            prepared: the run.
            emit: receives progress, rows and the end.
        """
        started, memory, objective = provenance.utc_now(), provenance.PeakMemory(), None
        try:
            with calls.pinned(prepared.code, self._loader.access):
                job = self._job(prepared)
                objective = run_objective(job.spec, job.model, job.data)
                outcome = train(job, emit)
        except BaseException as error:  # user code raises anything
            outcome = not_started(prepared.plan, error)
        if outcome.error:
            self._models.forget()
        record = run_record(prepared, outcome, memory.megabytes())
        if objective:
            if not outcome.error:
                record["message"] += objective.ending()
            record["objective"] = objective.record | self._undisturbed(prepared, job, outcome)
        emit(
            RunEnded(
                {**record, "started": started, "ended": provenance.utc_now()}
                | provenance.provenance()
            )
        )

    def _undisturbed(
        self, prepared: PreparedRun, job: TrainingJob, outcome: Outcome
    ) -> dict[str, float]:
        """Return the seconds of the same training without evaluations, where those were dense.

        An evaluation after every step interrupts the compiled program. Nothing is measured for a
        training that did not take all of its steps, or that uses code of the user.
        """
        spec, steps = job.spec, job.plan.total_steps
        every = spec.evaluate_every
        evaluations = sum(1 for _ in job.plan.evaluation_steps(every.kind, every.amount))
        is_whole = outcome.status == RunStatus.DONE and outcome.observed_steps == steps
        is_short = outcome.train_seconds is not None and outcome.train_seconds <= LONGEST
        is_own = spec.callbacks or builds_anew(spec) or names_code(spec)
        if evaluations * DENSE < steps or not is_whole or not is_short or is_own:
            return {}
        quiet = replace(
            job,
            spec=spec.model_copy(
                update={
                    "evaluate_every": EvaluateEvery(steps=steps),
                    "record": (),
                    "checkpoint": None,
                }
            ),
            model=self._models.get(prepared, job.data),
            resume=None,
            settings=replace(job.settings, engine=job.engine_settings),
        )
        again = train(quiet, lambda message: None)
        if again.status != RunStatus.DONE or again.train_seconds is None:
            self._models.forget()
            return {}
        return {"train_seconds": again.train_seconds}

    def _job(self, prepared: PreparedRun) -> TrainingJob:
        """Load the data and build the model; they must be those of the check."""
        spec, access = prepared.single.spec, self._loader.access
        data = self._loader(spec)
        if data.fingerprint != prepared.data.fingerprint:
            files = " and ".join(file_names(spec)) or "its data"
            message = f"{files} changed after the runs were checked; run the same command again"
            raise SpecError.at(("data",), message)
        model = self._models.get(prepared, data)
        return TrainingJob(
            spec=spec,
            model=model,
            data=data,
            plan=prepared.plan,
            access=access,
            logged=prepared.logged,
            directory=None if prepared.directory is None else Path(prepared.directory),
            checkpoints=None if prepared.checkpoints is None else Path(prepared.checkpoints),
            code=prepared.model_code,
            run_id=prepared.run_id,
            family=prepared.family,
            cap=prepared.cap,
            resume=prepared.resume,
            settings=self._settings,
        )


def _assign_weights(model: keras.Model, prepared: PreparedRun) -> None:
    """Give a model the initial weights of its run, which must be those of the check."""
    weights = prepared.weights
    if weights is None:
        return
    if hash_stored(weights.file) != weights.sha256:
        message = f"{weights.file} changed after the runs were checked; run the same command again"
        raise SpecError.at(("initial_weights",), message)
    skip = skipped_layers(prepared.single.spec.initial_weights)
    assign_initial_weights(model, weights.file, skip)


class ModelCache:
    """Builds the model of a run, or reuses the last one with new weights.

    A reused model keeps its compiled programs, so a sweep over seeds, learning rates or budgets
    does not compile again. User code may keep a state of its own; its models are built anew.

    Args:
        access: the files and code that specs may use.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._program_key = ""
        self._last: tuple[keras.Model, InitialState] | None = None

    def get(self, prepared: PreparedRun, data: RunData) -> keras.Model:
        """Return a model with the initial weights of the run: of its seed, or of a file."""
        model = self._drawn(prepared, data)
        _assign_weights(model, prepared)
        return model

    def _drawn(self, prepared: PreparedRun, data: RunData) -> keras.Model:
        """Return a model with the weights of the run's seed."""
        spec, rate = prepared.single.spec, prepared.rate
        if builds_anew(spec):
            self._last = None
            return build_model(spec, data, rate, self._access)
        if self._last is None or prepared.program_key != self._program_key:
            model = build_model(spec, data, rate, self._access)
            build_optimizer(model)
            self._last = model, InitialState(model, spec.seed)
            self._program_key = prepared.program_key
            return model
        model, state = self._last
        has_code = prepared.code or has_passed_code(spec)  # it may use TensorFlow's seed
        if state.knows(spec.seed) and not has_code:
            state.restore(model, spec.seed, rate)
        else:
            fresh = build_model(spec, data, rate, self._access)
            state.verify(fresh, spec.seed)
            copy_model_state(fresh, model)
            if rate.is_scheduled:
                keras_private.schedule(model).copy_from(keras_private.schedule(fresh))
        return model

    def forget(self) -> None:
        """Forget the last model, whose training failed."""
        self._last = None
