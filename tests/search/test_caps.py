"""Giving up a setting changes no choice: on made-up grids, and on whole grids of real trainings."""

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_support import Trained, searched

import kerasbatch as kb
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
STUDIES = ("digits_batch_sizes", "mnist_batch_sizes", "shallue_fig3")

RATES = [0.1, 0.2, 0.4, 0.8]


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from([1, 2, 3, 4]))
def test_a_cap_changes_no_choice(data: st.DataObject, count: int) -> None:
    """Whatever the seeds took, missed or diverged: the best whole setting is the same."""
    ends = st.one_of(st.integers(1, 40), st.just(float("inf")), st.just(float("nan")))
    pairs = [(rate, seed) for rate in RATES for seed in range(count)]
    steps = {pair: 10.0 * data.draw(ends) for pair in pairs}

    def steps_of(spec: Any) -> float:
        return steps[spec.optimizer.arguments["learning_rate"], spec.seed]

    sweep = {"optimizer.learning_rate": RATES, "seed": list(range(count))}
    capped, whole = Trained(steps_of), Trained(steps_of)
    searched(sweep, capped)
    searched(sweep, whole, cap=False)
    assert _choice(capped, count) == _choice(whole, count)
    assert len(whole.records) == len(RATES) * count
    assert capped.steps <= whole.steps


def _choice(trained: Trained, count: int) -> Any:
    """Return the best setting with all its seeds, by the rule in words of its own."""
    found = []
    for rate in RATES:
        ends = [trained.records.get((32, rate, seed)) for seed in range(count)]
        if any(end is None or end[0]["status"] == "capped" for end in ends):
            continue
        reached = [e[0]["row"]["observed_steps"] for e in ends if e and e[0]["status"] == "target"]
        if reached:
            found.append((-len(reached) / count, statistics.median(reached), rate, sorted(reached)))
    return min(found, default=None)


class _Grid:
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


@pytest.mark.parametrize("name", STUDIES)
def test_three_studies_have_the_same_answer(name: str, tmp_path: Path) -> None:
    """Table, best and caveats, of whole grids and of the same grids with settings given up."""
    grid = _Grid(name)
    whole, _ = _written(grid, tmp_path / "whole", capped=False)
    capped, saved = _written(grid, tmp_path / "capped", capped=True)
    before, after = kb.compare(whole), kb.compare(capped)
    pd.testing.assert_frame_equal(
        before.table.drop(columns="runs"), after.table.drop(columns="runs")
    )
    assert (before.best, before.recommendation) == (after.best, after.recommendation)
    shown = [[(c.code, c.message, c.rows) for c in found.caveats] for found in (before, after)]
    assert shown[0] == shown[1]
    assert saved > 1.3


def _written(grid: _Grid, folder: Path, *, capped: bool) -> tuple[Path, float]:
    """Write the runs of a grid as training would; return also all steps in terms of these."""
    text = (
        grid.text if "stop: true" in grid.text else grid.text.replace("0.95}", "0.95, stop: true}")
    )
    source = parse_spec(
        (text + ("" if capped else "cap: false\n")).encode(), Path(f"{grid.name}.yaml")
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


def _run(grid: _Grid, request: RunRequest, n: int) -> tuple[PreparedRun, list[Row], str]:
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
        if row["step"] > 0 and target and target.is_reached_by(row["val_accuracy"]):
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
        metrics=last_and_best(history, "val_"),
        reached=last if status == "target" else None,
        chance_level={"val_accuracy": 0.1},
    )
    return run_record(prepared, outcome, None)
