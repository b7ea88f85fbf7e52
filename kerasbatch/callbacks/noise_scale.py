"""The callback that measures the noise of the gradient; usable in any `model.fit`.

noise = kerasbatch.NoiseScale(x, y)
model.fit(x, y, batch_size=16, epochs=5, callbacks=[noise])
noise.history     # a DataFrame, the columns of noise.csv
"""

from typing import TYPE_CHECKING, Any

import keras

from kerasbatch.engine.keras_private import batches_counted
from kerasbatch.engine.noise.meter import Examples, NoiseMeter, noise_meter
from kerasbatch.types import Row

if TYPE_CHECKING:
    import pandas as pd


class NoiseScale(keras.callbacks.Callback):
    """Measures the noise scale of the untrained model, and at the end of every epoch.

    Args:
        x: the examples that `fit` trains on: arrays of shape (n, ...), or lists or dicts of them.
        y: their labels or numbers.
        sample_weight: their weights, shape (n,).
        examples: the number of examples of a measurement, as in `gradient_noise`.
        seed: the seed of the draws; every measurement draws other examples.

    Attributes:
        rows: the measurements; the number of examples that `fit` has used is unknown here: None.

    Raises:
        SpecError: as `gradient_noise`, when the training begins.
    """

    accepts_blocks = True

    def __init__(
        self,
        x: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        examples: Examples = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self._data = (x, y, sample_weight)
        self._examples, self._seed = examples, seed
        self._meter: NoiseMeter | None = None
        self._updates = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Measure the untrained model."""
        self.rows.clear()
        self._meter = noise_meter(self.model, *self._data)
        self._updates = batches_counted(self.model.optimizer)
        self._measure()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Measure the current model."""
        self._measure()

    def _measure(self) -> None:
        if self._meter is None:
            raise ValueError("no training has begun")
        step = batches_counted(self.model.optimizer) - self._updates
        noise = self._meter.measure(self._examples, seed=self._seed, draw=len(self.rows) + 1)
        self.rows.append(noise.row(step, None))

    @property
    def history(self) -> "pd.DataFrame":
        """The rows as a DataFrame with the columns of noise.csv."""
        import pandas as pd

        return pd.DataFrame(self.rows)
