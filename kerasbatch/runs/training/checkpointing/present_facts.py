"""The versions, machine and threads of a process that trains, which decide the last bits."""

from collections.abc import Mapping
from typing import Any

from kerasbatch.engine.environment import thread_count
from kerasbatch.records import provenance

_THREADS = "threads"


def present_facts() -> dict[str, Any]:
    """Return the facts of this process, which stand in its checkpoints."""
    return {**provenance.provenance(), _THREADS: thread_count()}


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what is another in this process than in the one that wrote a checkpoint.

    Args:
        before: the facts of a checkpoint.
        now: the facts of this process.
    """
    differs = [
        f"{name} {now[kind].get(name)} (before: {value})"
        for kind in ("versions", "machine")
        for name, value in before[kind].items()
        if now[kind].get(name) != value
    ]
    if before.get(_THREADS) not in (None, now[_THREADS]):
        differs.append(f"{now[_THREADS]} threads (before: {before[_THREADS]})")
    return differs
