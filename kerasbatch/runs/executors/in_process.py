"""The executor of a single run: this process itself."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from kerasbatch.engine.keras_private import without_tensorflow
from kerasbatch.errors import WorkerError
from kerasbatch.records.run_status import RunStatus
from kerasbatch.runs.executors.base import Executor, RunQueue
from kerasbatch.runs.executors.kept import kept_state
from kerasbatch.runs.messages import Message, ProgressUpdate, RunEnded
from kerasbatch.runs.prepare.checks import check_all
from kerasbatch.runs.prepare.prepared_run import CheckedRuns, PreparedRun
from kerasbatch.runs.stop_request import StopRequest
from kerasbatch.runs.training.job import DEFAULT_TRAINING, TrainingSettings
from kerasbatch.spec.sweep.single_run import SingleRun
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
        self._singles = singles
        self._stack = ExitStack()
        if not access.trusted:  # code of the user may need TensorFlow
            self._stack.enter_context(without_tensorflow())
        self._kept = self._stack.enter_context(kept_state(singles, access, settings))

    def check(self, waiting: Callable[[], None]) -> CheckedRuns:
        """Check all runs."""
        notices = list[str]()
        self._kept.loader.report_to(notices.append)
        return check_all(self._singles, self._kept.loader, notices, self._kept.models)

    def work(self, queue: RunQueue, stop: StopRequest) -> bool:
        """Train run after run, until one is interrupted."""
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

            self._kept.trainer.train(run, emit)
            if interrupted:
                return False
        return True

    def close(self) -> None:
        """Keep the state for the next single run."""
        self._stack.close()
