"""A short training at a small batch size that records the noise of its gradient."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import kerasbatch.runs.runner as runner
from kerasbatch.advice.cost_model import NoiseAt
from kerasbatch.advice.spec_variants import numeric_batch_size, spec_variant
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.result import Result
from kerasbatch.spec.learning_rate import rate_at
from kerasbatch.spec.reader import SpecSource

SMALL = 16
"""The batch size of the training: small, for many measurements of the noise in little time."""
GROWTH = 1.2
"""The factor between the steps of two evaluations."""
FEW_EVALUATIONS = 5
"""A target that is reached within so few evaluations leaves too few measurements."""


@dataclass(frozen=True)
class NoiseTraining:
    """The result of a noise training.

    Args:
        rows: the noise at each evaluation up to the target.
        batch_size: the batch size of the training.
        obstacle: the obstacle to an advice with its remedy, or None.
        steps_to_target: the steps up to the target, or None if it was not reached.
    """

    rows: tuple[NoiseAt, ...]
    batch_size: int
    obstacle: str | None
    steps_to_target: int | None = None


def run_noise_training(
    source: SpecSource, n: int, folder: Path, seconds: float, *, trust: bool
) -> NoiseTraining:
    """Train at the small size, with the learning rate that its rule gives.

    Args:
        source: a single-run spec; its target ends the training.
        n: the number of its training examples.
        folder: the folder for the run.
        seconds: the time limit.
        trust: whether the spec may run Python code.

    Returns:
        The noise at each evaluation, and the obstacle to an advice.
    """
    spec, small = source.spec, min(SMALL, n)
    changes: dict[str, Any] = {"evaluate_every": {"growth": GROWTH}, "save": [], "callbacks": []}
    if (rate := rate_at(spec, numeric_batch_size(spec, n), small)) is not None:
        changes["optimizer"] = {**spec.plain().get("optimizer", {}), "learning_rate": rate}
    if spec.target is not None:
        changes["target"] = {**spec.plain()["target"], "stop": True}
    variant = spec_variant(source, name="noise", batch_size=small, record=["noise"], **changes)
    result = runner.run(variant, results=folder, rerun=True, timeout=seconds, trust=trust)
    return _read_noise(result, small, has_target=spec.target is not None)


def _read_noise(result: Result, small: int, *, has_target: bool) -> NoiseTraining:
    has_noise = (result.directory / "noise.csv").is_file()
    table = result.noise if has_noise else pd.DataFrame()
    rows = tuple(
        NoiseAt(
            int(row["step"]),
            None if math.isnan(row["noise_scale"]) else float(row["noise_scale"]),
            float(row["low"]),
            float(row["high"]),
        )
        for row in table.to_dict("records")
        if not math.isnan(row["low"])
    )
    steps = result.row.get("steps_to_target")
    return NoiseTraining(rows, small, _obstacle(result, has_target), steps)


def _obstacle(result: Result, has_target: bool) -> str | None:
    status, row = result.status, result.row
    if status not in (RunStatus.DONE, RunStatus.TARGET, RunStatus.TIMEOUT):
        return f"the training at batch size {row['batch_size']} ended as {status}: {result.message}"
    if has_target and status != RunStatus.TARGET:
        extent = (
            "in the time that there was"
            if status == RunStatus.TIMEOUT
            else "in all steps that were planned"
        )
        message = f"the target was not reached {extent}"
        return f"{message}; an easier target, or a longer training, would decide"
    if has_target and len(result.history) <= FEW_EVALUATIONS:
        return (
            "the target was reached before there was anything to see; a harder one would decide, "
            "or, if its direction is wrong, the other of >= and <="
        )
    losses: Any = result.history.filter(regex="^(val|train)_loss$")
    if losses.empty or not losses.iloc[-1, 0] < losses.iloc[0, 0]:
        return "nothing was learned; another learning rate or model would decide"
    return None
