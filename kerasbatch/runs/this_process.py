"""The crew of a single run: this process itself."""

from collections.abc import Callable, Sequence

from kerasbatch.runs.crew import Crew, Desk
from kerasbatch.runs.data_loader import DataLoader
from kerasbatch.runs.messages import Ended, Message, Moved
from kerasbatch.runs.prepare import check_all
from kerasbatch.runs.prepared import Checked, Prepared
from kerasbatch.runs.trainer import Trainer
from kerasbatch.spec.access import Access
from kerasbatch.spec.sweep import SingleRun


class ThisProcess(Crew):
    """Trains runs here, one after the other.

    Args:
        singles: the runs.
        access: what they may reach.
    """

    def __init__(self, singles: Sequence[SingleRun], access: Access) -> None:
        self._singles = singles
        self._notices: list[str] = []
        self._loader = DataLoader(access, self._notices.append)

    def check(self, waiting: Callable[[], None]) -> Checked:
        """Check all runs here."""
        return check_all(self._singles, self._loader, self._notices)

    def work(self, desk: Desk) -> bool:
        """Train run after run, until one is interrupted."""
        trainer = Trainer(self._loader)
        while (run := desk.next_run(0)) is not None:
            interrupted = False

            def tell(message: Message, run: Prepared = run) -> None:
                nonlocal interrupted
                desk.hear(run, message)
                if isinstance(message, Moved):
                    desk.tick()
                    desk.heed()
                if isinstance(message, Ended):
                    interrupted = message.record["status"] == "interrupted"

            trainer.train(run, tell)
            if interrupted:
                return False
        return True

    def close(self) -> None:
        """There is nobody to let go."""
