"""The model of a run: built anew, or the last one with fresh weights where only those differ."""

import keras

from kerasbatch.engine import keras_private
from kerasbatch.engine.variables import transplant
from kerasbatch.runs.prepared import Prepared
from kerasbatch.spec.access import Access
from kerasbatch.spec.keys import PythonModel
from kerasbatch.workload import model
from kerasbatch.workload.data import Data


class Models:
    """Builds the model of a run, or gives the last one fresh weights where only those differ.

    A model that is used again keeps its compiled programs, so a sweep over seeds, learning rates
    or budgets does not pay for compilation again. Own code may keep a state of its own, which
    nobody knows; its models are built anew.

    Args:
        access: what the specs may reach.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._structure = ""
        self._last: keras.Model | None = None

    def get(self, prepared: Prepared, data: Data) -> keras.Model:
        """Return a model with the initial weights of the run's seed."""
        spec, rate = prepared.single.spec, prepared.rate
        fresh = model.build(spec, data, rate, self._access)
        known = self._last is not None and prepared.structure == self._structure
        if known and not isinstance(spec.model, PythonModel):
            transplant(fresh, self._last)
            if rate.warmup_steps:
                keras_private.schedule(self._last).become(keras_private.schedule(fresh))
            return self._last
        self._last, self._structure = fresh, prepared.structure
        return fresh

    def forget(self) -> None:
        """Use the last model no more: its training did not end well."""
        self._last = None
