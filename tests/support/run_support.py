"""Runs a spec into a folder, and what is compared of it."""

from pathlib import Path
from typing import Any

import pandas as pd

import kerasbatch as kb
from kerasbatch.records.experiment import Experiment
from kerasbatch.runs.executors.in_process import InProcessExecutor
from kerasbatch.runs.runner import train_all
from kerasbatch.runs.stop_request import StopRequest
from kerasbatch.runs.training.job import DEFAULT_TRAINING, TrainingSettings
from kerasbatch.spec import reader
from kerasbatch.spec.sweep.expand import expand
from kerasbatch.spec.trust import Access


def run(spec: dict[str, Any], folder: Path, **options: Any) -> kb.Result:
    return kb.run(spec, results=folder, **options)


def run_here(
    spec: dict[str, Any],
    folder: Path,
    settings: TrainingSettings = DEFAULT_TRAINING,
    watcher: kb.Watcher | None = None,
) -> list[kb.Result]:
    """Train runs in this process, with thresholds of a test."""
    source = reader.spec_from_dict(spec)
    access = Access(source.folder)
    executor = InProcessExecutor(expand(source), access, settings)
    experiment = Experiment(folder / source.spec.name)
    return train_all(
        source,
        experiment,
        executor,
        access,
        workers=1,
        rerun=False,
        watcher=watcher or kb.Watcher(),
        stop=StopRequest(),
    )


def numbers(result: kb.Result) -> pd.DataFrame:
    """The history without its clock."""
    return result.history.drop(columns="seconds")
