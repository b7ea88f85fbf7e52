"""The crew of a single run: this process itself."""

from collections.abc import Callable, Sequence

from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.executors.base import Desk, Executor
from kerasbatch.runs.messages import Message, ProgressUpdate, RunEnded
from kerasbatch.runs.prepare.checks import check_all
from kerasbatch.runs.prepare.data_loader import DataLoader
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, PreparedRun
from kerasbatch.runs.training.trainer import Trainer
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.spec.trust import Access


class InProcessExecutor(Executor):
    """Trains runs here, one after the other.

    Args:
        singles: the runs.
        access: what they may reach.
    """

    def __init__(self, singles: Sequence[SingleRun], access: Access) -> None:
        self._singles = singles
        self._notices: list[str] = []
        self._loader = DataLoader(access, self._notices.append)

    def check(self, waiting: Callable[[], None]) -> CheckedRuns:
        """Check all runs here."""
        return check_all(self._singles, self._loader, self._notices)

    def work(self, desk: Desk) -> bool:
        """Train run after run, until one is interrupted."""
        trainer = Trainer(self._loader)
        while (run := desk.next_run(0)) is not None:
            interrupted = False

            def tell(message: Message, run: PreparedRun = run) -> None:
                nonlocal interrupted
                desk.hear(run, message)
                if isinstance(message, ProgressUpdate):
                    desk.tick()
                    desk.heed()
                if isinstance(message, RunEnded):
                    interrupted = message.record["status"] == RunStatus.INTERRUPTED

            trainer.train(run, tell)
            if interrupted:
                return False
        return True

    def close(self) -> None:
        """There is nobody to let go."""
