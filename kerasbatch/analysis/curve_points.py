"""Training and validation over steps, examples or seconds, as points: a line for each run."""

from dataclasses import dataclass

import numpy as np

from kerasbatch.analysis.compare import Comparison
from kerasbatch.analysis.loaded import Loaded, run_names
from kerasbatch.analysis.target import TAKEN
from kerasbatch.errors import Fault, SpecError
from kerasbatch.shared_types import Array

MAX_LINES = 120
"""Runs that are drawn at the most."""


@dataclass(frozen=True)
class Curve:
    """One run.

    Args:
        batch_size: its batch size.
        run: its name.
        label: what tells it from the others.
        x: what it took to each evaluation, shape (evaluations,).
        training: the running mean while the weights moved, nan for the untrained model.
        evaluated: the same metric at fixed weights.
    """

    batch_size: int
    run: str
    label: str
    x: Array
    training: Array
    evaluated: Array


@dataclass(frozen=True)
class Curves:
    """The runs of a picture.

    Args:
        metric: the column at fixed weights, such as val_accuracy.
        curves: the runs, by batch size.
        left_out: how many runs are not drawn, since there are too many.
        target: the value to reach, or None.
    """

    metric: str
    curves: tuple[Curve, ...]
    left_out: int
    target: float | None


def curves(loaded: Loaded, found: Comparison, cost: str) -> Curves:
    """Return the curves of the runs at the best learning rate of each batch size.

    Args:
        loaded: the runs.
        found: their comparison by batch size; the metric of its target is drawn, or that by which
            it judged.
        cost: `steps`, `examples` or `seconds`.

    Raises:
        SpecError: if nothing was evaluated.
    """
    goal, metric = found.question.goal, found.question.judged
    metric = goal.metric if goal else metric
    if metric is None or metric not in loaded.history:
        raise SpecError([Fault(("curves",), "no run has an evaluation to draw")])
    chosen = found.chosen.sort_values(["batch_size", "seed"], kind="stable")
    drawn = chosen.head(MAX_LINES)
    history, column = loaded.history, TAKEN[cost]
    named = history.assign(run=run_names(history)).groupby("run")
    made, plain = [], metric.partition("_")[2]
    for run, size in zip(drawn["run"], drawn["batch_size"], strict=True):
        if run in named.groups:
            rows = named.get_group(run)
            training = rows[plain] if plain in rows else np.full(len(rows), np.nan)
            parts = (
                np.asarray(part, dtype=float) for part in (rows[column], training, rows[metric])
            )
            made.append(Curve(int(size), run, loaded.labels[run], *parts))
    return Curves(metric, tuple(made), len(chosen) - len(drawn), goal.value if goal else None)
