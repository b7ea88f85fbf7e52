"""The paths of gradient descent, and their exact objective.

They need runs of a linear regression with one slope that recorded their weights: the weights at
every evaluation, and the objective in the record.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.analysis.plots.path_labels import path_labels
from kerasbatch.columns import RUN_KEYS
from kerasbatch.errors import Fault, SpecError
from kerasbatch.types import Array


@dataclass(frozen=True)
class Objective:
    """J(theta) = minimum + 1/2 (theta - optimum)' hessian (theta - optimum).

    Args:
        weights: the columns of theta in weights.csv, intercept first.
        optimum: its argmin, shape (2,).
        hessian: shape (2, 2).
        minimum: its minimum.
    """

    weights: tuple[str, ...]
    optimum: Array
    hessian: Array
    minimum: float

    def __call__(self, theta: Array) -> Array:
        """Return J of thetas, shape (..., 2) -> (...)."""
        away = theta - self.optimum
        squared: Array = np.einsum("...i,ij,...j->...", away, self.hessian, away)
        return self.minimum + squared / 2


@dataclass(frozen=True)
class Trajectory:
    """The path of one run.

    Args:
        label: the notes' name of its method, and its other settings.
        method: the label of its line, which runs with other seeds share.
        rate: its learning rate, where a method was run with several; else empty.
        theta: the weights at every evaluation, shape (evaluations, 2).
        steps: shape (evaluations,).
        examples: the same.
        seconds: of training, the same; undisturbed by evaluations if all runs have measured that.
        objective: J at every evaluation.
    """

    label: str
    method: str
    rate: str
    theta: Array
    steps: Array
    examples: Array
    seconds: Array
    objective: Array


def trajectories(loaded: Loaded) -> tuple[Objective, list[Trajectory]]:
    """Return the objective of all runs, and their paths, in the order of the table.

    Raises:
        SpecError: if no run has a path, or the objectives of runs differ.
    """
    objectives = {
        key: objective
        for key, record in loaded.records.items()
        if (objective := _objective(record))
    }
    if not objectives or loaded.weights.empty:
        message = (
            "no run has a path to draw: it needs record: [weights], a model of one Dense(1) with a "
            "single column of data, and the loss half_mse or mse"
        )
        raise SpecError([Fault(("contour",), message)])
    first, *others = objectives.values()
    if any(not _same(first, other) for other in others):
        message = "the runs descend on different objectives; choose those of one experiment"
        raise SpecError([Fault(("contour",), message)])
    return first, list(_trajectories(loaded, objectives, first))


def _objective(record: Mapping[str, Any]) -> Objective | None:
    recorded = record.get("objective")
    if not recorded or len(recorded["weights"]) != 2:
        return None
    names, optimum = tuple(recorded["weights"]), np.array(recorded["optimum"])
    return Objective(names, optimum, np.array(recorded["hessian"]), float(recorded["minimum"]))


def _same(one: Objective, other: Objective) -> bool:
    return np.allclose(one.optimum, other.optimum) and np.allclose(one.hessian, other.hessian)


def _trajectories(
    loaded: Loaded, objectives: Mapping[str, Objective], objective: Objective
) -> Iterator[Trajectory]:
    clock = loaded.history[[*RUN_KEYS, "step", "examples", "seconds"]]
    if missing := [name for name in objective.weights if name not in loaded.weights]:
        raise SpecError([Fault(("contour",), f"weights.csv has no column {missing[0]}")])
    labels = path_labels(loaded, objectives)
    is_undisturbed = all("train_seconds" in loaded.records[run]["objective"] for run in objectives)
    rows_of_runs = loaded.weights.merge(clock, on=[*RUN_KEYS, "step"])
    for place, rows in rows_of_runs.groupby(list(RUN_KEYS), sort=False):
        run = "/".join(map(str, place))
        if run in objectives:
            theta = rows[list(objective.weights)].to_numpy()
            yield Trajectory(
                label=labels.run[run],
                method=labels.method[run],
                rate=labels.rate[run],
                theta=theta,
                steps=rows["step"].to_numpy(),
                examples=rows["examples"].to_numpy(),
                seconds=_undisturbed_seconds(rows, loaded.records[run]["objective"])
                if is_undisturbed
                else rows["seconds"].to_numpy(),
                objective=objective(theta),
            )


def _undisturbed_seconds(rows: pd.DataFrame, objective: Mapping[str, Any]) -> Array:
    """Return the seconds of the same training without evaluations, evenly over its steps.

    An evaluation after every step interrupts the compiled program of a training. The clocks are
    never mixed: all runs of a picture have these seconds, or none.
    """
    steps: Array = rows["step"].to_numpy()
    seconds: Array = steps * (float(objective["train_seconds"]) / max(1, int(steps[-1])))
    return seconds
