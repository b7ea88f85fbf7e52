"""The weights of a model at the evaluations of a run, if its spec records them."""

from collections import Counter
from collections.abc import Iterator

import keras
import numpy as np

from kerasbatch.runs.training.recorded_rows import RecordedRows
from kerasbatch.spec.schema import Spec
from kerasbatch.types import Row


class WeightsRecorder(RecordedRows):
    """Records every single weight at every evaluation.

    Args:
        spec: the spec of the run.
        model: its model.
    """

    def __init__(self, spec: Spec, model: keras.Model) -> None:
        super().__init__()
        self._model = model if "weights" in spec.record else None

    def on_evaluation(self, row: Row) -> None:
        """Record the weights of a row of the history."""
        if self._model is not None:
            self.rows.append({"step": row["step"], **dict(named_weights(self._model))})


def named_weights(model: keras.Model) -> Iterator[tuple[str, float]]:
    """Yield the name and value of every single weight, such as dense/kernel[0,1].

    Keras numbers layers across the process; here they are numbered within the model.
    """
    counts: Counter[str] = Counter()
    for layer in model.layers:
        kind = keras.utils.get_registered_name(type(layer)).split(">")[-1].lower()
        prefix = f"{kind}_{counts[kind]}" if counts[kind] else kind
        counts[kind] += 1
        for variable in layer.trainable_variables:
            inner = variable.path.split(f"{layer.name}/", 1)[-1]
            values = variable.numpy()
            for index in np.ndindex(*values.shape):
                suffix = f"[{','.join(map(str, index))}]" if index else ""
                yield f"{prefix}/{inner}{suffix}", float(values[index])
