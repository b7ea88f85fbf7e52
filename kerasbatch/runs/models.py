"""The model of a run: built anew, or the last one with fresh weights where only those differ."""

import json

import keras

from kerasbatch.engine.variables import transplant
from kerasbatch.runs.prepare import Prepared
from kerasbatch.spec.keys import PythonModel
from kerasbatch.workload import model
from kerasbatch.workload.data import Data


class Models:
    """Builds the model of a run, or gives the last one fresh weights where only those differ.

    A model that is used again keeps its compiled programs, so a sweep over seeds, learning rates
    or budgets does not pay for compilation again.
    """

    def __init__(self) -> None:
        self._structure = ""
        self._last: keras.Model | None = None

    def get(self, prepared: Prepared, data: Data) -> keras.Model:
        """Return a model with the initial weights of the run's seed."""
        spec, size, access = prepared.single.spec, prepared.plan.batch_size, prepared.loader.access
        fresh = model.build(spec, data.input_shape, data.classes, size, access)
        structure = _structure(prepared, data)
        if self._last is not None and structure == self._structure:
            transplant(fresh, self._last)
            return self._last
        self._last, self._structure = fresh, structure
        return fresh

    def forget(self) -> None:
        """Use the last model no more: its training did not end well."""
        self._last = None


def _structure(prepared: Prepared, data: Data) -> str:
    """Describe all that is built into a compiled model; the learning rate is a variable."""
    spec = prepared.single.spec
    plain = spec.plain()
    parts = [plain[part] for part in ("model", "loss", "metrics", "precision", "optimizer")]
    if prepared.rate.value is not None:
        parts[-1].pop("learning_rate", None)
    own = isinstance(spec.model, PythonModel)  # whose state nobody knows
    shape = [data.input_shape, data.classes, prepared.rate.arguments, own and id(prepared)]
    return json.dumps([parts, shape], sort_keys=True)
