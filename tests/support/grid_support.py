"""Whole grids of real trainings, written as the directories of an experiment.

They were trained before searches were there: every rate with every seed, none given up.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kerasbatch.columns import HISTORY_COLUMNS, STEP_COLUMNS
from kerasbatch.planning import plan_budget
from kerasbatch.records import provenance
from kerasbatch.records.experiment import Experiment
from kerasbatch.records.last_metrics import last_and_best
from kerasbatch.records.run_id import run_id
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.prepare.prepared_run import Cap, DataInfo, PreparedRun
from kerasbatch.runs.training.outcome import Outcome
from kerasbatch.runs.training.record import run_record
from kerasbatch.search.group_search import RunRequest
from kerasbatch.search.seed_result import seed_result
from kerasbatch.search.sweep_search import SweepSearch
from kerasbatch.spec.learning_rate import resolve_learning_rate
from kerasbatch.spec.reader import parse_spec
from kerasbatch.spec.sweep.expand import expand
from kerasbatch.types import Row

GRIDS = Path(__file__).parents[1] / "stored_runs/grids/whole_grids.npz"


class Grid:
    """The whole runs of a study, as they were trained."""

    def __init__(self, name: str) -> None:
        with np.load(GRIDS) as stored:
            parts = {key.split("/")[1]: stored[key] for key in stored if key.startswith(name)}
        self.name, self.text = name, bytes(parts["spec"]).decode()
        swept = json.loads(bytes(parts["swept"]))
        self.places = {json.dumps(each, sort_keys=True): i for i, each in enumerate(swept)}
        self.status, self.observed = parts["status"], parts["observed"]
        columns = ("run", "step", "seconds", "loss", "val_loss", "val_accuracy")
        table = pd.DataFrame({key: parts[key] for key in columns})
        self.histories = {
            number: table.loc[rows] for number, rows in table.groupby("run").groups.items()
        }


def write_grid(grid: Grid, folder: Path, *, capped: bool | None) -> tuple[Path, float]:
    """Write the runs of a grid as training would; return also all steps in terms of these.

    Args:
        grid: the grid.
        folder: the folder for the experiment.
        capped: whether settings are given up; None for the spec as it was, in which runs of digits
            do not stop at their target.
    """
    text = grid.text
    if capped is not None and "stop: true" not in text:
        text = text.replace("0.95}", "0.95, stop: true}")
    source = parse_spec(
        (text + ("cap: false\n" if capped is False else "")).encode(), Path(f"{grid.name}.yaml")
    )
    n = 1437 if grid.name.startswith("digits") else 55_000
    experiment = Experiment(folder / grid.name)
    experiment.path.mkdir(parents=True)
    experiment.write_spec(source.text or "")
    search, taken = SweepSearch(source.spec, expand(source), lambda run: n), {}
    while requests := search.ask():
        for request in requests:
            prepared, history, status = _run(grid, request, n)
            record = _record(prepared, history, status)
            directory = experiment.run(prepared.run_id)
            directory.start(prepared.single.spec)
            directory.write("history.csv", history, HISTORY_COLUMNS)
            directory.write("steps.csv", [dict.fromkeys(STEP_COLUMNS, 1)], STEP_COLUMNS)
            directory.finish(record | provenance.provenance())
            taken[prepared.run_id] = history[-1]["step"]
            result = seed_result(request.run.spec, record, history, request.cap)
            search.tell(request, lambda result=result: result)
    assert search.is_done
    return experiment.path, float(grid.observed.sum()) / sum(taken.values())


def _run(grid: Grid, request: RunRequest, n: int) -> tuple[PreparedRun, list[Row], str]:
    """Return a run with its history up to its target or its cap, and its status."""
    single, spec = request.run, request.run.spec
    number = grid.places[single.key_without(())]
    plan = plan_budget(n, spec.batch_size, spec.length)
    rows = grid.histories[number].drop(columns="run").to_dict("records")
    size = plan.batch_size
    history: list[Row] = []
    status = str(grid.status[number])
    for row in rows:
        position = plan.position(int(row["step"]))
        values = {key: None if value != value else value for key, value in row.items()}
        history.append({"epoch": position.epoch, "examples": position.examples, **values})
        target = spec.target
        is_reached = target is not None and target.is_reached_by(row["val_accuracy"])
        if row["step"] > 0 and target and target.stop and is_reached:
            status = "target"
            break
        if (
            request.cap is not None
            and row["step"] >= request.cap
            and row["val_accuracy"] is not None
        ):
            status = "capped"
            break
    rate = resolve_learning_rate(spec, plan)
    name = run_id(spec, single.swept, "f" * 64)
    cap = None if request.cap is None else Cap(request.cap, request.is_limit)
    info = DataInfo("mnist" if n > size and n > 2000 else "digits", "f" * 64, None, True, 10)
    return PreparedRun(single, plan, rate, name, info, "", cap=cap), history, status


def _record(prepared: PreparedRun, history: list[Row], status: str) -> dict[str, Any]:
    last = history[-1]
    outcome = Outcome(
        status=RunStatus(status),
        message=status,
        engine="fused",
        why="",
        jit_compile=True,
        step_check="ok",
        observed_steps=int(last["step"]),
        observed_examples=int(last["examples"]),
        train_seconds=float(last["seconds"]),
        compile_seconds=None,
        evaluate_seconds=None,
        metrics=last_and_best(history, "val_", None),
        reached=last if status == "target" else None,
        chance_level={"val_accuracy": 0.1},
    )
    return run_record(prepared, outcome, None)
