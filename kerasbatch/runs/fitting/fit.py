"""`kerasbatch.fit`: the drop-in for `model.fit`, also recorded as a run, or with checkpoints."""

import contextlib
import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from kerasbatch.engine.fit import api
from kerasbatch.engine.fit.arguments import bind_arguments
from kerasbatch.runs.fitting.checkpointed import checkpointed_fit
from kerasbatch.runs.fitting.recording import recorded

_OURS = ("seed", "engine", "jit_compile", "settings")


def fit(
    model: keras.Model,
    *args: Any,
    results: str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: Mapping[str, float] | None = None,
    **kwargs: Any,
) -> keras.callbacks.History:
    """Train a compiled Keras model as `model.fit` does; see `kerasbatch.engine.fit.api.fit`.

    Args:
        model: a compiled model.
        *args: the positional arguments of `model.fit`.
        results: the directory of an experiment, such as `results/mine`: the training becomes a new
            run in it, with history, step check and record, which `compare`, `report` and `load`
            read. The data must be arrays, and trained on in whole epochs.
        checkpoint: a folder for the checkpoints of this training. If it holds one, the training
            goes on from there, and ends like an undisturbed one; a larger `epochs` trains what is
            missing. Ctrl-C and SIGTERM write one more. The data must be arrays.
        checkpoint_every: the distance of checkpoints, by default {"epochs": 1}; or like
            {"steps": 1000} or {"minutes": 10}.
        **kwargs: the named arguments of `model.fit`, and `seed`, `engine`, `jit_compile` and
            `settings`.

    Returns:
        Keras' History, with a Report as `history.kerasbatch`.

    Raises:
        SpecError: if the data or a number are wrong, or cannot be recorded; or if `checkpoint`
            holds those of another training.
        EngineError: if `engine` is fused and cannot work, or if only Keras can train, which has no
            checkpoints.
        DirectoryInUseError: if another process uses the folder of checkpoints.
    """
    ours = {name: kwargs.pop(name) for name in _OURS if name in kwargs}
    arguments = bind_arguments(model, args, kwargs)
    with contextlib.ExitStack() as stack:
        recording, is_recorded = None, results is not None
        saved = stack.enter_context(
            checkpointed_fit(checkpoint, checkpoint_every, model, arguments, ours, is_recorded)
        )
        if results is not None and not (saved and saved.is_recorded_in(Path(results))):
            run_id = saved.run_id if saved else ""
            recording = stack.enter_context(
                recorded(model, arguments, Path(results), ours.get("seed"), run_id)
            )
        if saved:
            history = saved.train(recording)
        else:
            arguments = recording.added_to(arguments) if recording else arguments
            history = api.train(model, arguments, **ours)
        if recording:
            recording.complete(history.kerasbatch)
        return history


fit.__signature__ = inspect.signature(api.fit).replace(  # type: ignore[attr-defined]
    parameters=[
        *inspect.signature(api.fit).parameters.values(),
        *(inspect.signature(fit).parameters[name] for name in ("results", "checkpoint")),
        inspect.signature(fit).parameters["checkpoint_every"],
    ]
)
