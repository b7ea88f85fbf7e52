"""Trains checked runs in this process, one after the other; the files are somebody else's."""

from kerasbatch.records import provenance
from kerasbatch.runs import objective
from kerasbatch.runs.data_loader import DataLoader
from kerasbatch.runs.messages import Ended, Tell
from kerasbatch.runs.models import Models
from kerasbatch.runs.prepared import Prepared
from kerasbatch.runs.record import describe
from kerasbatch.runs.training import Job, train


class Trainer:
    """Trains runs; data, the last model and its compiled programs are kept between them.

    Args:
        loader: gives the data.
    """

    def __init__(self, loader: DataLoader) -> None:
        self._loader = loader
        self._models = Models(loader.access)

    def train(self, prepared: Prepared, tell: Tell) -> None:
        """Train a run; its end is told, whatever it is.

        Args:
            prepared: the run.
            tell: hears of progress, rows and the end.
        """
        spec = prepared.single.spec
        data = self._loader(spec)
        built = self._models.get(prepared, data)
        started, memory = provenance.now(), provenance.PeakMemory()
        outcome = train(
            Job(spec, built, data, prepared.plan, self._loader.access, prepared.code), tell
        )
        if outcome.error:
            self._models.forget()
        record = describe(prepared, outcome, memory.megabytes())
        if exact := objective.of_run(spec, built, data):
            record["objective"] = exact
        tell(Ended({**record, "started": started, "ended": provenance.now()} | provenance.here()))
