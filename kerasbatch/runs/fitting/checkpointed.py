"""A `kerasbatch.fit(checkpoint=DIR)`: it writes checkpoints, and goes on from the last one."""

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from kerasbatch.engine.fit import api
from kerasbatch.engine.fit.arguments import FitArguments
from kerasbatch.engine.model_state import build_model
from kerasbatch.engine.obstacle import ObstacleError
from kerasbatch.engine.options import FitOptions
from kerasbatch.engine.settings import DEFAULT_SETTINGS
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.training.plain import KerasOwnTraining, PlainTraining
from kerasbatch.engine.training.start import Training
from kerasbatch.errors import EngineError, SpecError
from kerasbatch.records.checkpoints.checkpoint_folder import CheckpointFolder
from kerasbatch.records.checkpoints.packed_state import State
from kerasbatch.records.experiment import Experiment
from kerasbatch.records.stored_files import StoredFileError
from kerasbatch.runs.fitting.checkpoint_output import CheckpointOutput, StopCheck
from kerasbatch.runs.fitting.checkpoints import (
    checkpoint_distance,
    last_checkpoint,
    locked_folder,
    refuse_arguments,
)
from kerasbatch.runs.fitting.identity import fit_identity, unknown_parts
from kerasbatch.runs.fitting.recording import Recording
from kerasbatch.runs.progress import NoteWriter
from kerasbatch.runs.stop_request import StopRequest, handle_signals
from kerasbatch.runs.training.checkpointing.checkpointer import Checkpointer, checkpoint_steps
from kerasbatch.runs.training.checkpointing.present_facts import differences, present_facts
from kerasbatch.runs.training.checkpointing.training_state import CallbackStates, training_parts
from kerasbatch.spec.stored_schema import CheckpointEvery


@contextlib.contextmanager
def checkpointed_fit(
    path: str | os.PathLike[str] | None,
    every: Mapping[str, float] | None,
    model: keras.Model,
    arguments: FitArguments,
    ours: Mapping[str, Any],
    recorded: bool,
) -> Iterator["CheckpointedFit | None"]:
    """Yield a `fit` with checkpoints in a folder, which is locked for this process.

    Args:
        path: the folder; None yields None.
        every: the distance of checkpoints.
        model: a compiled model.
        arguments: the arguments of `fit`.
        ours: our own arguments.
        recorded: whether the training is recorded as a run.

    Raises:
        SpecError: if an argument has no checkpoints, or the folder those of another training.
        DirectoryInUseError: if another process uses the folder.
    """
    refuse_arguments(arguments, path, every)
    if path is None:
        yield None
        return
    distance = checkpoint_distance(every)
    with locked_folder(Path(path).resolve()) as folder:
        yield CheckpointedFit(folder, distance, model, arguments, ours, recorded)


class CheckpointedFit:
    """A `fit` with checkpoints.

    Args:
        folder: the folder of its checkpoints.
        every: their distance.
        model: a compiled model.
        arguments: the arguments of `fit`.
        ours: our own arguments.
        recorded: whether the training is recorded as a run.

    Attributes:
        run_id: the name of its run, if it has trained before and was recorded; else empty.

    Raises:
        SpecError: if the folder holds checkpoints of another training.
    """

    def __init__(
        self,
        folder: CheckpointFolder,
        every: CheckpointEvery,
        model: keras.Model,
        arguments: FitArguments,
        ours: Mapping[str, Any],
        recorded: bool,
    ) -> None:
        self._folder, self._every, self._model = folder, every, model
        self._arguments, self._ours, self._notes = arguments, dict(ours), NoteWriter()
        self._identity = fit_identity(model, arguments, ours) | {"results": str(recorded)}
        if unknown := unknown_parts(self._identity):
            self._notes.notice(f"{' and '.join(unknown)} cannot be compared with a checkpoint")
        self._start = last_checkpoint(folder, self._identity, arguments.epochs, ours)
        self._resumed: list[Any] = []
        self.run_id = str(self._start.facts["run_id"]) if self._start else ""

    def is_recorded_in(self, experiment: Path) -> bool:
        """Return whether the training has ended, and its run in an experiment is finished."""
        is_ended = self._start and self._start.facts["epochs"] == self._arguments.epochs
        if not is_ended or not experiment.is_dir():
            return False
        runs = Experiment(experiment).runs()
        return any(run.run_id == self.run_id and run.is_finished() for run in runs)

    def train(self, recording: Recording | None = None) -> keras.callbacks.History:
        """Train to the end, from the last checkpoint if there is one.

        Warnings name the line that called the caller of this function.

        Args:
            recording: the record of the training, or None.

        Raises:
            EngineError: if only Keras can train, which has no checkpoints.
        """
        state = self._resume()
        settings = replace(self._ours.pop("settings", DEFAULT_SETTINGS), any_length=True)
        started = api.start(
            self._model,
            self._arguments,
            settings=settings,
            cuts=lambda plan: checkpoint_steps(self._every, plan),
            **self._ours,
        )
        training = started.training
        if isinstance(training, KerasOwnTraining):
            raise EngineError(f"checkpoint cannot work here, because {training.obstacle}")
        if isinstance(training, PlainTraining):
            _build(self._model, _stream(training))
        with handle_signals(signal.SIGINT, signal.SIGTERM) as stop:
            options = self._options(started, training, recording, state, stop)
            try:
                with stop.deferred():
                    history = started.run(options)
                stop.raise_if_requested()
            except KeyboardInterrupt:
                place = f"{self._folder.path}: stopped; run it again to go on after step"
                self._notes.notice(f"{place} {self._folder.last_step():,}")
                raise
        self._folder.keep(1)
        return history

    def _resume(self) -> State | None:
        """Return the state of the checkpoint; its seed and its engine train on. Notify of it."""
        checkpoint = self._start
        if checkpoint is None:
            return None
        facts = checkpoint.facts
        self._identity = {**facts["training"], **self._identity}
        self._ours |= {"seed": facts["seed"], "engine": facts["engine"]}
        if facts["engine"] == "keras":
            self._ours["jit_compile"] = facts.get("jit_compile")
        differs = differences(facts, present_facts())
        marked = f", with {', '.join(differs)}: its numbers may differ" if differs else ""
        place = f"{self._folder.path}: the training goes on after step {checkpoint.step:,}"
        if facts["epochs"] == self._arguments.epochs:
            place = f"{self._folder.path}: all {facts['epochs']} epochs are trained already"
        self._notes.notice(f"{place}{marked}")
        self._resumed = [*facts["resumed"], {"step": checkpoint.step, "differs": differs}]
        try:
            return checkpoint.state()
        except StoredFileError as error:
            raise SpecError.at(("checkpoint",), f"{checkpoint.path} {error}") from error

    def _options(
        self,
        started: api.StartedFit,
        training: Training,
        recording: Recording | None,
        state: State | None,
        stop: StopRequest,
    ) -> FitOptions:
        """Return the options with the callbacks that write checkpoints, and the beginning."""
        options = started.options
        facts = self._facts(training, recording, started.jit_compile)
        theirs = [*options.callbacks, keras.callbacks.History()]  # before the checkpointer
        ours = recording.parts if recording else {}
        of_user = CallbackStates(theirs)
        checkpointer = Checkpointer(
            _stream(training).plan,
            self._every,
            training=training,
            parts=training_parts(self._model, training, ours, of_user),
            writer=CheckpointOutput(self._folder, facts, of_user.lost()),
            clock=recording.recorder if recording else None,
            start=state,
        )
        callbacks = [*theirs, *ours.values(), StopCheck(checkpointer, stop), checkpointer]
        epoch, steps = checkpointer.position if state else (options.initial_epoch, 0)
        return replace(options, callbacks=callbacks, initial_epoch=epoch, initial_steps=steps)

    def _facts(
        self, training: Training, recording: Recording | None, jit_compile: bool | None
    ) -> dict[str, Any]:
        """Return the facts of every checkpoint."""
        return {
            "engine": training.name,
            "run_id": recording.run_id if recording else "",
            "training": self._identity,
            "seed": _stream(training).seed,
            "budget": ["epochs", _stream(training).epochs],
            "saved": [],
            "models": [],
            "resumed": self._resumed,
            "jit_compile": jit_compile,
            **present_facts(),
        }


def _build(model: keras.Model, stream: ExampleStream) -> None:
    """Build all variables of a model, which Keras' `fit` builds in its first step.

    Raises:
        EngineError: if that is impossible.
    """
    example = keras.tree.map_structure(lambda array: array[:1], stream.arrays)
    try:
        build_model(model, example)
    except ObstacleError as obstacle:
        raise EngineError(f"checkpoint cannot work here, because {obstacle.reason}") from obstacle


def _stream(training: Training) -> ExampleStream:
    """Return the examples of a training on arrays."""
    assert training.stream is not None  # noqa: S101  # batches are refused before
    return training.stream
