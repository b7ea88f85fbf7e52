"""The order of runs: runs that share a program go to one worker, the longest work first."""

import bisect
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence

from kerasbatch.runs.prepare.prepared_run import PreparedRun

Program = tuple[str, int, int]
STEP_SECONDS, EXAMPLE_SECONDS = 1e-4, 5e-6
"""The assumed time of a step, and of an example in it, before the first measurement; they only
decide the order."""


class Scheduler:
    """The runs that wait for a worker."""

    def __init__(self) -> None:
        self._waiting: dict[Program, list[PreparedRun]] = defaultdict(list)
        self._steps: dict[Program, int] = defaultdict(int)
        self._held: dict[int, Program] = {}
        self._measured: dict[Program, list[float]] = defaultdict(list)
        self._medians: dict[Program, float] = {}
        self._proportion = 1.0

    def next(self, worker: int, code: str | None = "") -> PreparedRun | None:
        """Return a run of the program that the worker has compiled, else of the longest work.

        Programs that no other worker has compiled come first; then workers share a program, at
        the price of one more compilation. A worker leaves a shared program for one that nobody has
        compiled: it may be the start of a search, on which further runs depend.

        Args:
            worker: the number of the worker.
            code: as in `RunQueue.next_run`.
        """

        def is_allowed(run: PreparedRun) -> bool:
            return code == "" or (code is not None and code == run.code_key)

        waiting = {program for program, runs in self._left() if any(map(is_allowed, runs))}
        if not waiting:
            return None
        held = {other for number, other in self._held.items() if number != worker}
        program = self._held.get(worker)
        if program not in waiting or (program in held and waiting - held):
            program = max(sorted(waiting - held or waiting), key=self._waiting_seconds)
        self._held[worker] = program
        runs = self._waiting[program]
        last = next(i for i in reversed(range(len(runs))) if is_allowed(runs[i]))
        run = runs.pop(last)
        self._steps[program] -= _longest(run)
        return run

    def add(self, run: PreparedRun) -> None:
        """Let a run wait for a worker."""
        bisect.insort(self._waiting[run.program], run, key=_longest)
        self._steps[run.program] += _longest(run)

    def has_runs(self) -> bool:
        """Return whether any run waits."""
        return bool(self._left())

    def put_back(self, run: PreparedRun) -> None:
        """Return a run to the queue; its worker was lost."""
        self._waiting[run.program].append(run)
        self._steps[run.program] += _longest(run)

    def measured(self, run: PreparedRun, steps: int, seconds: float) -> None:
        """Record the time of a step of a run's program, evaluation included."""
        if steps:
            self._measured[run.program].append(seconds / steps)
            self._medians[run.program] = statistics.median(self._measured[run.program])
            ratios = [median / _guess(program) for program, median in self._medians.items()]
            self._proportion = statistics.median(ratios)

    def seconds_left(self, running: Sequence[float], workers: int) -> float:
        """Estimate the time of all remaining work.

        Args:
            running: the remaining seconds of each run in training.
            workers: the number of runs at a time.
        """
        longest = [self._step_seconds(p) * _longest(runs[-1]) for p, runs in self._left()]
        waiting = sum(self._waiting_seconds(program) for program, _ in self._left())
        return max([(sum(running) + waiting) / workers, *running, *longest])

    def _left(self) -> list[tuple[Program, list[PreparedRun]]]:
        return [(program, runs) for program, runs in self._waiting.items() if runs]

    def _waiting_seconds(self, program: Program) -> float:
        return self._step_seconds(program) * self._steps[program]

    def _step_seconds(self, program: Program) -> float:
        """Return the measured time, else a guess scaled by the measurements of other programs."""
        return self._medians.get(program, _guess(program) * self._proportion)


def _longest(run: PreparedRun) -> int:
    """Return the most steps that a run takes, about."""
    return run.cap.steps if run.cap else run.plan.total_steps


def _guess(program: Program) -> float:
    _, batch_size, _ = program
    return STEP_SECONDS + EXAMPLE_SECONDS * batch_size


def makespan(works: Iterable[float], workers: int) -> float:
    """Return the seconds until all work is done by workers that take the longest first.

    Args:
        works: the seconds of every task.
        workers: the number of workers.
    """
    ends = [0.0] * workers
    for seconds in sorted(works, reverse=True):
        first = ends.index(min(ends))
        ends[first] += seconds
    return max(ends)
