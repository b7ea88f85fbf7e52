"""The checkpoint from which a run goes on: its own, or that of a shorter run of the same kind."""

from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any

from kerasbatch.records import provenance
from kerasbatch.records.checkpoints.checkpoint_folder import Checkpoint
from kerasbatch.records.experiment import Experiment
from kerasbatch.records.file_names import OWN_FILES
from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.runs.prepare.prepared_run import PreparedRun, ResumePoint
from kerasbatch.runs.progress import Watcher
from kerasbatch.steps import Plan


def resume_point(
    experiment: Experiment, prepared: PreparedRun, watcher: Watcher
) -> ResumePoint | None:
    """Return the checkpoint from which a run goes on, or None; notify of it, and of damaged ones.

    Args:
        experiment: the experiment of the run.
        prepared: the run.
        watcher: is notified.
    """
    own = experiment.run(prepared.run_id)
    for checkpoint in own.checkpoints.newest():
        if isinstance(checkpoint, str):
            watcher.notice(f"{prepared.run_id}: {checkpoint}")
        elif checkpoint.facts.get("run_id") != prepared.run_id:
            message = f"the checkpoint of step {checkpoint.step:,} is of another run"
            watcher.notice(f"{prepared.run_id}: {message}")
        else:
            return _resume(checkpoint, prepared, watcher)
    if own.checkpoints.has_any():
        watcher.notice(f"{prepared.run_id}: no checkpoint can be used; it trains from the start")
    shorter = list(_of_shorter_runs(experiment, prepared))
    if not shorter:
        return None
    return _resume(max(shorter, key=lambda checkpoint: checkpoint.step), prepared, watcher)


def _of_shorter_runs(experiment: Experiment, prepared: PreparedRun) -> Iterator[Checkpoint]:
    """Yield the checkpoints of runs that differ from a run in their shorter budget alone."""
    spec = prepared.single.spec
    if spec.checkpoint is None or spec.saved_every is not None or prepared.family is None:
        return
    for other in experiment.runs():
        if other.run_id != prepared.run_id and not (other.path / OWN_FILES).exists():
            yield from (each for each in _whole(other) if _begins(prepared, each))


def _whole(directory: RunDirectory) -> Iterator[Checkpoint]:
    return (each for each in directory.checkpoints.newest() if isinstance(each, Checkpoint))


def _begins(prepared: PreparedRun, checkpoint: Checkpoint) -> bool:
    """Return whether a run has the state of a checkpoint of another run at the same step.

    A run is evaluated at its last step, and ends an epoch there, even where a longer one does not.
    """
    facts, plan, step = checkpoint.facts, prepared.plan, checkpoint.step
    if facts.get("family") != prepared.family or step > plan.total_steps:
        return False
    kind, amount = facts["budget"]
    shorter = plan.with_budget(kind, amount)
    is_cut = shorter.ends_inside_an_epoch and step == shorter.total_steps
    return not is_cut and _points(prepared, plan, step) == _points(prepared, shorter, step)


def _points(prepared: PreparedRun, plan: Plan, last: int) -> list[int]:
    """Return the steps of the evaluations of a plan up to a step."""
    every = prepared.single.spec.evaluate_every
    points = plan.evaluation_steps(every.kind, every.amount)
    return list(takewhile(lambda step: step <= last, points))


def _resume(checkpoint: Checkpoint, prepared: PreparedRun, watcher: Watcher) -> ResumePoint:
    differs = _differences(checkpoint.facts, provenance.provenance())
    place = f"goes on after step {checkpoint.step:,} of {prepared.plan.total_steps:,}"
    other = checkpoint.facts["run_id"]
    is_own = other == prepared.run_id
    source = "" if is_own else f", which {other} has trained"
    marked = f", with {', '.join(differs)}: its numbers may differ" if differs else ""
    watcher.notice(f"{prepared.run_id} {place}{source}{marked}")
    entry = {"step": checkpoint.step, "differs": differs} | ({} if is_own else {"run": other})
    entries = (*checkpoint.facts.get("resumed", ()), entry)
    return ResumePoint(checkpoint.path, is_own, entries)


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return versions and parts of the machine that are others than those of a checkpoint."""
    return [
        f"{name} {now[kind].get(name)} (before: {before})"
        for kind in ("versions", "machine")
        for name, before in then[kind].items()
        if now[kind].get(name) != before
    ]
