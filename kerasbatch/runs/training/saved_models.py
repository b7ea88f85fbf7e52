"""The models that a run keeps: the last one, and the best of its evaluations.

They are handed on as the content of files in Keras' own format; who writes them is somebody else.
"""

import json
from collections.abc import Iterator
from typing import Any

import keras

from kerasbatch.data.run_data import RunData
from kerasbatch.engine.model_state import all_variables, assign_values, copy_values, preserve
from kerasbatch.models.serialization import keras_file_content
from kerasbatch.records.run_directory import MODELS, PREPROCESSING
from kerasbatch.runs.messages import SavedFile
from kerasbatch.spec import keras_registry
from kerasbatch.spec.schema import Spec
from kerasbatch.types import Row


class SavedModels:
    """Watches a training for the models that its spec wants to keep.

    The best is that of the evaluation whose target metric, or else loss, is best; the untrained
    model is none.

    Args:
        spec: a single-run spec.
        model: its model.
        prefix: what the names of metrics at fixed weights begin with.
    """

    def __init__(self, spec: Spec, model: keras.Model, prefix: str) -> None:
        self._saved, self._model = spec.save, model
        target = spec.target
        self._metric = target.metric if target else f"{prefix}loss"
        name = self._metric.removeprefix(prefix)
        self._lower = target.at_most is not None if target else keras_registry.lower_is_better(name)
        self._best: tuple[float, list[Any]] | None = None
        self._best_before: tuple[float, list[Any]] | None = None

    def look_again(self, row: Row) -> None:
        """Look at the last row once more: it was measured anew, with other weights."""
        self._best = self._best_before
        self.look(row)

    def look(self, row: Row) -> None:
        """Look at the row of an evaluation, while the model is as it was evaluated."""
        if "best" not in self._saved or row["step"] == 0:
            return
        value, self._best_before = float(row[self._metric]), self._best
        if self._best is None or self._is_better(value, self._best[0]):
            self._best = value, copy_values(all_variables(self._model))

    def _is_better(self, value: float, best: float) -> bool:
        if best != best:
            return value == value
        return value < best if self._lower else value > best

    def files(self, data: RunData, code: str) -> Iterator[SavedFile]:
        """Yield the files to keep; the model ends as it is.

        Args:
            data: what it was trained on.
            code: what tells its own Python code from other code; empty where there is none.
        """
        if not self._saved or ("last" not in self._saved and self._best is None):
            return
        yield SavedFile(PREPROCESSING, _preprocessing(data, code))
        if "last" in self._saved:
            yield SavedFile(MODELS["last"], keras_file_content(self._model))
        if self._best is not None:
            variables = all_variables(self._model)
            with preserve(variables):
                assign_values(variables, self._best[1])
                yield SavedFile(MODELS["best"], keras_file_content(self._model))


def _preprocessing(data: RunData, code: str) -> bytes:
    """Return all that turns data as they come into what the model gets, and its outputs back."""
    facts = {
        "input_shape": list(data.input_shape),
        "classes": data.classes,
        "scale": data.scale,
        "code": code,
        "preprocessing": dict(data.preprocessing),
    }
    return (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()
