"""The labels of paths of gradient descent: the notes' name of the method, and other settings."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kerasbatch.analysis.loading.load import Loaded

RATE = "optimizer.learning_rate"
"""The key of the learning rate in a sweep."""


@dataclass(frozen=True)
class PathLabels:
    """The labels of runs, by experiment/run.

    Args:
        run: the method and all settings that differ.
        method: the same without the seed, and without the learning rate if `rate` has it.
        rate: the learning rate, where a method was run with several; else empty.
    """

    run: Mapping[str, str]
    method: Mapping[str, str]
    rate: Mapping[str, str]


def path_labels(loaded: Loaded, runs: Collection[str]) -> PathLabels:
    """Return the labels of finished runs.

    A setting that follows from the batch size, like a budget of its own, is in no label.

    Args:
        loaded: the runs.
        runs: the finished ones, by experiment/run.
    """
    hidden = ["batch_size", *_settings_by_batch_size(loaded)]
    rates = {run: _rate(loaded, run) for run in runs}
    at_any_rate = _labels(loaded, runs, [*hidden, "seed", RATE])
    every = _labels(loaded, runs, hidden)
    pairs = {(at_any_rate[run], rates[run]) for run in runs}
    if len(pairs) == len(set(at_any_rate.values())):
        return PathLabels(every, _labels(loaded, runs, [*hidden, "seed"]), dict.fromkeys(runs, ""))
    return PathLabels(every, at_any_rate, rates)


def _settings_by_batch_size(loaded: Loaded) -> list[str]:
    """Return the settings with a single value at every batch size, but for the learning rate."""
    by_size = loaded.runs.astype(str).groupby("batch_size")
    others = [key for key in loaded.swept if key not in {"batch_size", RATE}]
    sizes = loaded.runs["batch_size"].nunique()
    return [key for key in others if sizes > 1 and by_size[key].nunique().max() <= 1]


def _labels(loaded: Loaded, runs: Iterable[str], left_out: Iterable[str]) -> dict[str, str]:
    settings = loaded.labels_without(*left_out)
    return {run: _method(loaded.records[run]["row"], settings[run]) for run in runs}


def _method(row: Mapping[str, Any], settings: str) -> str:
    """Return the notes' name of the method of a run, and its other settings."""
    size = row["batch_size"]
    method = f"mini-batch, b = {size:,}"
    if size == row["train_examples"]:
        method = f"full batch, b = {size:,}"
    elif size == 1:
        method = "SGD, b = 1"
    return ", ".join(filter(None, [method, settings]))


def _rate(loaded: Loaded, run: str) -> str:
    """Return the learning rate in the spec of a run, before any rule of the batch size."""
    rate = loaded.records[run]["row"]["base_learning_rate"]
    if rate is None:
        schedule = loaded.specs[run]["optimizer"]["learning_rate"]
        rate = json.dumps(schedule).replace('"', "")
    return f"learning rate {rate}"
