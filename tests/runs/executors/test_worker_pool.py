"""The work of all pools, with scripted workers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from fake_executor import SPEC, FakeExecutor

import kerasbatch as kb
from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.executors.worker_pool import Worker, WorkerPool
from kerasbatch.runs.executors.worker_protocol import Order, StateChanged, WorkerReady
from kerasbatch.runs.messages import Message, RunEnded
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, PreparedRun
from kerasbatch.runs.stop_request import StopRequest
from kerasbatch.spec import reader
from kerasbatch.spec.sweep.expand import expand
from kerasbatch.user_code.snapshot import CodeSnapshot

ENDED = RunEnded({"status": "done"})


class Puppet(Worker):
    """Does nothing by itself."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.killed = 0

    def order(self, order: Order) -> None:
        pass

    def kill(self) -> None:
        self.killed += 1

    def close(self) -> None:
        pass

    def output(self) -> str:
        return ""

    def exit_failure(self) -> WorkerFailure:
        return WorkerFailure("crashed", "it is gone")


class Puppets(WorkerPool[Puppet]):
    """One worker at a time, which tells what a script says."""

    def __init__(self, *script: Any, timeout: float | None = None) -> None:
        super().__init__(timeout)
        self._workers = [Puppet(0)]
        self._script = iter(script)
        self.started = 1

    def _messages(self) -> Iterator[tuple[Puppet, Any]]:
        yield self._workers[0], next(self._script)

    def _replacement(self, lost: Puppet) -> Puppet:
        self.started += 1
        return Puppet(lost.number)

    def check(self, waiting: Callable[[], None]) -> CheckedRuns:
        raise NotImplementedError

    def close(self) -> None:
        pass


class Queue:
    """A queue of three runs that records messages."""

    def __init__(self) -> None:
        source = reader.spec_from_dict(SPEC | {"sweep": {"seed": [0, 1, 2]}})
        self.left = list(FakeExecutor(expand(source)).check(lambda: None).runs)
        self.received: list[tuple[str, str]] = []
        self.ended: set[str] = set()

    def next_run(self, worker: int, code: str | None = "") -> PreparedRun | None:
        return self.left.pop(0) if self.left and code == "" else None

    def has_runs(self) -> bool:
        return bool(self.left)

    def is_ended(self, run: PreparedRun) -> bool:
        return run.run_id in self.ended

    def on_message(self, run: PreparedRun, message: Message) -> None:
        self.received.append((run.run_id, "message"))

    def on_failure(self, run: PreparedRun, failure: WorkerFailure) -> None:
        self.received.append((run.run_id, failure.status))

    def tick(self) -> None:
        pass


def test_a_successor_that_dies_while_it_begins_costs_nothing() -> None:
    """It gets a successor too; the run of the first is lost, the others are trained."""
    pool, queue = Puppets(WorkerReady(), None, None, WorkerReady(), ENDED, ENDED), Queue()
    assert pool.work(queue, StopRequest()) is True
    assert queue.received == [("seed=0", "crashed"), ("seed=1", "message"), ("seed=2", "message")]
    assert pool.started == 3


def test_workers_that_never_begin_end_the_sweep() -> None:
    """After three in a row."""
    pool = Puppets(WorkerReady(), None, None, None, None)
    with pytest.raises(kb.WorkerError, match="it is gone"):
        pool.work(Queue(), StopRequest())


def test_a_worker_that_was_given_up_gets_no_other_run() -> None:
    """Its run took too long, and ended while it was being killed."""
    pool, queue = (
        Puppets(
            WorkerReady(), WorkerReady(), ENDED, None, WorkerReady(), ENDED, ENDED, timeout=0.0
        ),
        Queue(),
    )
    first = pool._workers[0]
    pool._timeout = -1.0
    messages = pool._messages

    def then_in_time() -> Iterator[tuple[Puppet, Any]]:
        for worker, message in messages():
            if message is None:
                pool._timeout = None
            yield worker, message

    pool._messages = then_in_time  # type: ignore[method-assign]
    assert pool.work(queue, StopRequest()) is True
    assert first.killed == 1
    assert queue.received == [(f"seed={seed}", "message") for seed in range(3)]


class CodeQueue(Queue):
    """Two runs of own code, then one without; a worker may train runs of its own code only."""

    def __init__(self) -> None:
        super().__init__()
        code = (CodeSnapshot("m.py:build", {"m.py": b""}),)
        self.left = [replace(run, code=code) for run in self.left[:2]] + self.left[2:]

    def next_run(self, worker: int, code: str | None = "") -> PreparedRun | None:
        for number, run in enumerate(self.left):
            if code in ("", run.code_key):
                return self.left.pop(number)
        return None


def test_a_worker_that_ran_own_code_is_replaced_before_other_code() -> None:
    """And not between two runs of the same code."""
    pool, queue = Puppets(WorkerReady(), ENDED, ENDED, WorkerReady(), ENDED), CodeQueue()
    first = pool._workers[0]
    assert pool.work(queue, StopRequest()) is True
    assert [status for _, status in queue.received] == ["message"] * 3
    assert (pool.started, first.killed) == (2, 1)


def test_a_worker_whose_state_has_changed_trains_nothing_more() -> None:
    """Not even the same code."""
    changed, ready = StateChanged(["the working directory"]), WorkerReady()
    pool = Puppets(ready, changed, ENDED, ready, changed, ENDED, ready, ENDED)
    assert pool.work(CodeQueue(), StopRequest()) is True
    assert pool.started == 3


def test_a_run_that_was_ended_is_left_by_its_worker() -> None:
    """Its late messages and the end of its process change nothing."""
    queue = Queue()
    queue.ended.add("seed=0")
    pool = Puppets(WorkerReady(), WorkerReady(), ENDED, None, WorkerReady(), ENDED, ENDED)
    first = pool._workers[0]
    assert pool.work(queue, StopRequest()) is True
    assert first.killed == 1
    assert queue.received == [("seed=1", "message"), ("seed=2", "message")]
