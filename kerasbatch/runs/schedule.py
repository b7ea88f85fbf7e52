"""Which run next, for which worker: those that share a program together, the longest first."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping

from kerasbatch.runs.prepared import Prepared

Program = tuple[str, int, int]
STEP_SECONDS, EXAMPLE_SECONDS = 1e-4, 5e-6
"""What a step and an example of it are guessed to take before any was measured; guesses decide
about the order only."""


class Schedule:
    """The runs that are still to be trained.

    Args:
        runs: the runs.
        seconds_per_step: what is known of programs already.
    """

    def __init__(
        self, runs: Iterable[Prepared], seconds_per_step: Mapping[Program, float] | None = None
    ) -> None:
        self._waiting: dict[Program, list[Prepared]] = defaultdict(list)
        self._measured: dict[Program, list[float]] = defaultdict(list)
        for program, seconds in (seconds_per_step or {}).items():
            self._measured[program].append(seconds)
        for run in sorted(runs, key=lambda run: run.plan.total_steps):
            self._waiting[run.program].append(run)
        self._held: dict[int, Program] = {}

    def next(self, worker: int) -> Prepared | None:
        """Hand out a run: of the program that the worker has, else the longest work that waits.

        Work that no other worker has begun comes first; then that of others is shared, at the
        price of one more compilation.
        """
        waiting = {program for program, runs in self._waiting.items() if runs}
        if not waiting:
            return None
        if (program := self._held.get(worker)) not in waiting:
            held = {other for each, other in self._held.items() if each != worker}
            program = max(sorted(waiting - held or waiting), key=self._waiting_seconds)
        self._held[worker] = program
        return self._waiting[program].pop()

    def measured(self, run: Prepared, steps: int, seconds: float) -> None:
        """Learn from a run what a step of its program takes, evaluation included."""
        if steps:
            self._measured[run.program].append(seconds / steps)

    def seconds(self, run: Prepared, steps: int | None = None) -> float:
        """Return what a run, or so many of its steps, will take, as far as can be told."""
        return self._step_seconds(run.program) * (run.plan.total_steps if steps is None else steps)

    def waiting(self) -> list[Prepared]:
        """Return the runs that nobody has begun."""
        return [run for runs in self._waiting.values() for run in runs]

    def _waiting_seconds(self, program: Program) -> float:
        return sum(self.seconds(run) for run in self._waiting[program])

    def _step_seconds(self, program: Program) -> float:
        """Return what was measured, else a guess in the proportion that others were measured in."""
        if mine := self._measured.get(program):
            return statistics.median(mine)
        known = {other: statistics.median(them) for other, them in self._measured.items()}
        ratios = [seconds / _guess(other) for other, seconds in known.items()]
        return _guess(program) * (statistics.median(ratios) if ratios else 1.0)


def _guess(program: Program) -> float:
    _, batch_size, _ = program
    return STEP_SECONDS + EXAMPLE_SECONDS * batch_size


def finish_seconds(running: Iterable[float], waiting: Iterable[float], workers: int) -> float:
    """Return in how many seconds all work is done, by workers that take the longest first.

    Args:
        running: the seconds that are left of the runs that go on.
        waiting: the seconds of the others.
        workers: how many there are.
    """
    busy = sorted(running, reverse=True)
    ends = (busy + [0.0] * workers)[: max(workers, len(busy))]
    for seconds in sorted(waiting, reverse=True):
        first = ends.index(min(ends))
        ends[first] += seconds
    return max(ends, default=0.0)
