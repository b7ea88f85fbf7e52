"""The checkpoint from which an unfinished run goes on."""

from collections.abc import Mapping
from typing import Any

from kerasbatch.records import provenance
from kerasbatch.records.checkpoints.checkpoint_folder import Checkpoint
from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.runs.prepare.prepared_run import PreparedRun, ResumePoint
from kerasbatch.runs.progress import Watcher


def resume_point(
    directory: RunDirectory, prepared: PreparedRun, watcher: Watcher
) -> ResumePoint | None:
    """Return the last whole checkpoint of a run; notify of it, and of damaged ones.

    Args:
        directory: the directory of the run.
        prepared: the run.
        watcher: is notified.
    """
    for checkpoint in directory.checkpoints.newest():
        if isinstance(checkpoint, str):
            watcher.notice(f"{prepared.run_id}: {checkpoint}")
        elif checkpoint.facts.get("run_id") != prepared.run_id:
            message = f"the checkpoint of step {checkpoint.step:,} is of another run"
            watcher.notice(f"{prepared.run_id}: {message}")
        else:
            return _resume(checkpoint, prepared, watcher)
    if directory.checkpoints.has_any():
        watcher.notice(f"{prepared.run_id}: no checkpoint can be used; it trains from the start")
    return None


def _resume(checkpoint: Checkpoint, prepared: PreparedRun, watcher: Watcher) -> ResumePoint:
    differs = _differences(checkpoint.facts, provenance.provenance())
    place = f"goes on after step {checkpoint.step:,} of {prepared.plan.total_steps:,}"
    marked = f", with {', '.join(differs)}: its numbers may differ" if differs else ""
    watcher.notice(f"{prepared.run_id} {place}{marked}")
    entry = {"step": checkpoint.step, "differs": differs}
    return ResumePoint(checkpoint.path, (*checkpoint.facts.get("resumed", ()), entry))


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return versions and parts of the machine that are others than those of a checkpoint."""
    return [
        f"{name} {now[kind].get(name)} (before: {before})"
        for kind in ("versions", "machine")
        for name, before in then[kind].items()
        if now[kind].get(name) != before
    ]
