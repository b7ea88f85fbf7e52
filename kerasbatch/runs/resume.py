"""The checkpoint from which a run goes on: its own, or that of a shorter run of the same kind."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice, takewhile

from kerasbatch.records.checkpoints.checkpoint_folder import Checkpoint
from kerasbatch.records.experiment import Experiment
from kerasbatch.records.file_names import CHECKPOINTS, OWN_FILES
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
        elif problem := _problem(checkpoint, prepared, own):
            message = f"the checkpoint of step {checkpoint.step:,} {problem}"
            watcher.notice(f"{prepared.run_id}: {message}")
        else:
            own.checkpoints.delete_after(checkpoint.step)
            return _resume(checkpoint, prepared, watcher)
    if own.checkpoints.has_any():
        watcher.notice(f"{prepared.run_id}: no checkpoint can be used; it trains from the start")
    shorter = _of_shorter_runs(experiment, prepared)
    longest = max(shorter, key=lambda checkpoint: checkpoint.step, default=None)
    return None if longest is None else _resume(longest, prepared, watcher)


def _problem(checkpoint: Checkpoint, prepared: PreparedRun, directory: RunDirectory) -> str | None:
    """Return the reason why a run cannot go on from a checkpoint in its directory, or None."""
    facts, spec = checkpoint.facts, prepared.single.spec
    if facts["run_id"] != prepared.run_id:
        return "is of another run"
    if spec.engine not in ("auto", facts["engine"]):
        return f"is of the engine {facts['engine']}, and engine is {spec.engine}"
    if missing := _missing_model(facts["models"], directory):
        return f"belongs to {missing}, which is missing"
    stateful = [kept for kept in spec.plain()["save"] if kept != "last"]
    if any(kept not in facts["saved"] for kept in stateful):
        return "was written without the models that save asks for"
    return None


def _missing_model(kept: Sequence[str], directory: RunDirectory) -> str | None:
    """Return a model of a checkpoint that is missing, and was not pushed out by later ones."""
    missing = [name for name in kept if not (directory.path / name).is_file()]
    if not missing:
        return None
    saved = [path.name for path in directory.path.glob(CHECKPOINTS)]
    later = [name for name in saved if _step(name) > _step(kept[-1])]
    is_pushed_out = missing == kept[: len(missing)] and len(missing) <= len(later)
    return None if is_pushed_out else missing[0]


def _step(name: str) -> int:
    """Return the step in the name of a saved model."""
    digits = "".join(character for character in name if character.isdecimal())
    return int(digits or 0)


def _of_shorter_runs(experiment: Experiment, prepared: PreparedRun) -> Iterator[Checkpoint]:
    """Yield the last checkpoint of each run that differs from a run in a shorter budget alone."""
    spec = prepared.single.spec
    if spec.checkpoint is None or spec.saved_every is not None or prepared.family is None:
        return
    for other in experiment.runs():
        if other.run_id != prepared.run_id and not (other.path / OWN_FILES).exists():
            newest = other.checkpoints.newest(partial(_begins, prepared))
            whole = (checkpoint for checkpoint in newest if isinstance(checkpoint, Checkpoint))
            yield from islice(whole, 1)


def _begins(prepared: PreparedRun, checkpoint: Checkpoint) -> bool:
    """Return whether a run has the state of a checkpoint of another run at the same step.

    A run is evaluated at its last step, and ends an epoch there, even where a longer one does not.
    """
    facts, plan, step = checkpoint.facts, prepared.plan, checkpoint.step
    spec = prepared.single.spec
    is_same = facts.get("family") == prepared.family and facts["saved"] == spec.plain()["save"]
    if not is_same or step > plan.total_steps or spec.engine not in ("auto", facts["engine"]):
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
    place = f"goes on after step {checkpoint.step:,} of {prepared.plan.total_steps:,}"
    facts = checkpoint.facts
    other = facts["run_id"]
    is_own = other == prepared.run_id
    source = "" if is_own else f", which {other} has trained"
    watcher.notice(f"{prepared.run_id} {place}{source}")
    differs: list[str] = []  # only the process that trains knows
    entry = {"step": checkpoint.step, "differs": differs} | ({} if is_own else {"run": other})
    return ResumePoint(checkpoint.path, is_own, facts, (*facts.get("resumed", ()), entry))
