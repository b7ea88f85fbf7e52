"""The executor of a single run: this process itself."""

from collections.abc import Callable, Sequence

from kerasbatch.errors import WorkerError
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.executors.base import Executor, RunQueue
from kerasbatch.runs.messages import Message, ProgressUpdate, RunEnded
from kerasbatch.runs.prepare.checks import check_all
from kerasbatch.runs.prepare.data_loader import DataLoader
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, PreparedRun
from kerasbatch.runs.stop_request import StopRequest
from kerasbatch.runs.training.job import DEFAULT_TRAINING, TrainingSettings
from kerasbatch.runs.training.trainer import Trainer
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.spec.trust import Access


class InProcessExecutor(Executor):
    """Trains runs in this process, one after the other.

    Args:
        singles: the runs.
        access: the files and code that their specs may use.
        settings: the thresholds of every training.
    """

    def __init__(
        self,
        singles: Sequence[SingleRun],
        access: Access,
        settings: TrainingSettings = DEFAULT_TRAINING,
    ) -> None:
        self._singles, self._settings = singles, settings
        self._notices: list[str] = []
        self._loader = DataLoader(access, self._notices.append)

    def check(self, waiting: Callable[[], None]) -> CheckedRuns:
        """Check all runs."""
        return check_all(self._singles, self._loader, self._notices)

    def work(self, queue: RunQueue, stop: StopRequest) -> bool:
        """Train run after run, until one is interrupted."""
        trainer = Trainer(self._loader, self._settings)
        while (run := queue.next_run(0)) is not None:
            interrupted = False

            def emit(message: Message, run: PreparedRun = run) -> None:
                nonlocal interrupted
                queue.on_message(run, message)
                if isinstance(message, ProgressUpdate):
                    queue.tick()
                    stop.raise_if_requested()
                    if queue.is_ended(run):
                        raise WorkerError("the run was ended")
                if isinstance(message, RunEnded):
                    interrupted = message.record["status"] == RunStatus.INTERRUPTED

            trainer.train(run, emit)
            if interrupted:
                return False
        return True

    def close(self) -> None:
        """Do nothing: there are no workers."""
