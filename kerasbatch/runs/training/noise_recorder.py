"""The gradient noise at the evaluations of a run, if its spec records it."""

import keras

from kerasbatch.columns import NOISE_COLUMNS
from kerasbatch.data.run_data import RunData
from kerasbatch.engine.noise.meter import NoiseMeter
from kerasbatch.engine.noise.totals import NotFiniteError
from kerasbatch.runs.training.recorded_rows import RecordedRows
from kerasbatch.spec.schema import Spec
from kerasbatch.types import Row


class NoiseRecorder(RecordedRows):
    """Measures the gradient noise on training examples, other ones at every evaluation.

    Args:
        spec: the spec of the run.
        model: its model.
        data: its data.

    Raises:
        SpecError: if the noise of this model cannot be measured.
    """

    def __init__(self, spec: Spec, model: keras.Model, data: RunData) -> None:
        super().__init__()
        self._seed = spec.seed
        records = "noise" in spec.record
        self._meter = NoiseMeter(model, data.train, data.scale) if records else None

    def on_evaluation(self, row: Row) -> None:
        """Measure at a row of the history; a gradient that is not finite leaves cells empty."""
        if self._meter is None:
            return
        step, examples = row["step"], row["examples"]
        try:
            noise = self._meter.measure(seed=self._seed, draw=len(self.rows) + 1)
            self.rows.append(noise.row(step, examples))
        except NotFiniteError:
            self.rows.append(dict.fromkeys(NOISE_COLUMNS) | {"step": step, "examples": examples})
