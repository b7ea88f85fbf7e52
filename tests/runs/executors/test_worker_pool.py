"""The work of all pools, with scripted workers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_executor import SPEC, FakeExecutor

import kerasbatch as kb
from kerasbatch.runs.executors.worker_failure import WorkerFailure
from kerasbatch.runs.executors.worker_pool import Worker, WorkerPool
from kerasbatch.runs.executors.worker_protocol import Order, WorkerReady
from kerasbatch.runs.messages import Message, RunEnded
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, PreparedRun
from kerasbatch.runs.stop_request import StopRequest
from kerasbatch.spec import reader, sweep

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
        self.left = list(FakeExecutor(sweep.expand(source)).check(lambda: None).runs)
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
