"""The parts of a run that observe its evaluations: recorded weights and noise, and saved models."""

from collections.abc import Mapping

from kerasbatch.runs.messages import Emit
from kerasbatch.runs.training.checkpointing.checkpointer import StatePart
from kerasbatch.runs.training.job import TrainingJob
from kerasbatch.runs.training.noise_recorder import NoiseRecorder
from kerasbatch.runs.training.periodic_models import PeriodicModels
from kerasbatch.runs.training.saved_models import SavedModels
from kerasbatch.runs.training.weights_recorder import WeightsRecorder
from kerasbatch.types import Row


class Observers:
    """The observers of the evaluations of a run.

    Args:
        job: the input of the training.
        noise: records the gradient noise.
        emit: receives the files of saved models.
    """

    def __init__(self, job: TrainingJob, noise: NoiseRecorder, emit: Emit) -> None:
        self._job, self.noise = job, noise
        self.weights = WeightsRecorder(job.spec, job.model)
        self._saved = SavedModels(job.spec, job.model, job.prefix)
        self._periodic = PeriodicModels(job, emit)

    def on_evaluation(self, row: Row) -> None:
        """Process a new row of history.csv; the model has the weights of that row."""
        for observer in (self.weights, self.noise, self._saved, self._periodic):
            observer.on_evaluation(row)

    @property
    def parts(self) -> Mapping[str, StatePart]:
        """Those with a state, by name, for checkpoints."""
        return {
            "weights": self.weights,
            "noise": self.noise,
            "saved": self._saved,
            "periodic": self._periodic,
        }

    def save(self, emit: Emit) -> None:
        """Emit the models that are saved at the end."""
        for file in self._saved.files(self._job.data, self._job.code):
            emit(file)
