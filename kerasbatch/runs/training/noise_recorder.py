"""The noise of the gradient at the evaluations of a run, where its spec records it."""

import keras

from kerasbatch.columns import NOISE_COLUMNS
from kerasbatch.data.run_data import RunData
from kerasbatch.engine.noise.meter import NoiseMeter
from kerasbatch.engine.noise.totals import NotFiniteError
from kerasbatch.spec.schema import Spec
from kerasbatch.types import Row


class NoiseRecorder:
    """Measures the noise of the training data, every time of other examples.

    Args:
        spec: the spec of the run.
        model: its model.
        data: its data.

    Raises:
        SpecError: if the noise of this model cannot be measured.
    """

    def __init__(self, spec: Spec, model: keras.Model, data: RunData) -> None:
        self.rows: list[Row] = []
        self._seed = spec.seed
        records = "noise" in spec.record
        self._meter = NoiseMeter(model, data.train, data.scale) if records else None

    def look(self, row: Row) -> None:
        """Measure at a row of the history; where a gradient is not finite, cells are empty."""
        if self._meter is None:
            return
        step, seen = row["step"], row["examples"]
        try:
            found = self._meter.measure(seed=self._seed, draw=len(self.rows) + 1)
            self.rows.append(found.row(step, seen))
        except NotFiniteError:
            self.rows.append(dict.fromkeys(NOISE_COLUMNS) | {"step": step, "examples": seen})
