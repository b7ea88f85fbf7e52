"""Which run next, for which worker: those that share a program together, the longest first."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence

from kerasbatch.runs.prepare.prepared_run import PreparedRun

Program = tuple[str, int, int]
STEP_SECONDS, EXAMPLE_SECONDS = 1e-4, 5e-6
"""What a step and an example of it are guessed to take before any was measured; guesses decide
about the order only."""


class Scheduler:
    """The runs that are still to be trained.

    Args:
        runs: the runs.
    """

    def __init__(self, runs: Iterable[PreparedRun]) -> None:
        self._waiting: dict[Program, list[PreparedRun]] = defaultdict(list)
        self._steps: dict[Program, int] = defaultdict(int)
        for run in sorted(runs, key=lambda run: run.plan.total_steps):
            self._waiting[run.program].append(run)
            self._steps[run.program] += run.plan.total_steps
        self._held: dict[int, Program] = {}
        self._measured: dict[Program, list[float]] = defaultdict(list)
        self._known: dict[Program, float] = {}
        self._proportion = 1.0

    def next(self, worker: int) -> PreparedRun | None:
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
        run = self._waiting[program].pop()
        self._steps[program] -= run.plan.total_steps
        return run

    def put_back(self, run: PreparedRun) -> None:
        """Take a run back that was handed out in vain."""
        self._waiting[run.program].append(run)
        self._steps[run.program] += run.plan.total_steps

    def measured(self, run: PreparedRun, steps: int, seconds: float) -> None:
        """Learn from a run what a step of its program takes, evaluation included."""
        if steps:
            self._measured[run.program].append(seconds / steps)
            self._known[run.program] = statistics.median(self._measured[run.program])
            ratios = [known / _guess(program) for program, known in self._known.items()]
            self._proportion = statistics.median(ratios)

    def seconds_left(self, running: Sequence[float], workers: int) -> float:
        """Return how long the rest will take, as far as can be told.

        Args:
            running: the seconds that are left of the runs that go on.
            workers: how many runs go on at a time.
        """
        longest = [self._step_seconds(p) * runs[-1].plan.total_steps for p, runs in self._left()]
        waiting = sum(self._waiting_seconds(program) for program, _ in self._left())
        return max([(sum(running) + waiting) / workers, *running, *longest])

    def _left(self) -> list[tuple[Program, list[PreparedRun]]]:
        return [(program, runs) for program, runs in self._waiting.items() if runs]

    def _waiting_seconds(self, program: Program) -> float:
        return self._step_seconds(program) * self._steps[program]

    def _step_seconds(self, program: Program) -> float:
        """Return what was measured, else a guess in the proportion that others were measured in."""
        return self._known.get(program, _guess(program) * self._proportion)


def _guess(program: Program) -> float:
    _, batch_size, _ = program
    return STEP_SECONDS + EXAMPLE_SECONDS * batch_size


def makespan(works: Iterable[float], workers: int) -> float:
    """Return in how many seconds all work is done, by workers that take the longest first.

    Args:
        works: the seconds of every piece.
        workers: how many there are.
    """
    ends = [0.0] * workers
    for seconds in sorted(works, reverse=True):
        first = ends.index(min(ends))
        ends[first] += seconds
    return max(ends)
