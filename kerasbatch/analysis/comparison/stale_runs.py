"""Texts about stale runs: those that the spec of their experiment no longer asks for."""

from collections.abc import Collection

from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.text import counted


def stale_line(stale: Collection[str], *, included: bool = False) -> str:
    """Return a sentence about stale runs, which are left out or included."""
    are, them = ("is", "it") if len(stale) == 1 else ("are", "them")
    reason = f"the spec of the experiment was edited and no longer asks for {them}"
    fate = "included" if included else "left out"
    hint = "" if included else f" (--all includes {them})"
    return f"{counted(len(stale), 'run')} {are} {fate}: {reason}{hint}"


def no_runs_reason(every: Loaded) -> str:
    """Return the reason why there are no runs: none could be read, or all are stale."""
    problems = [f"{place} {problem}" for place, problem in every.problems.items()]
    stale = [stale_line(every.stale)] if every.stale else []
    return "; ".join([*problems, *stale])
