"""The models that a run saves: the last one, and the best of its evaluations.

They are returned as the content of files in Keras' own format; this module writes no file.
"""

import json
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from kerasbatch.data.run_data import RunData
from kerasbatch.engine.model_state import all_variables, assign_values, copy_values, preserve
from kerasbatch.models.logits import losses_by_output, takes_logits
from kerasbatch.models.serialization import keras_file_content
from kerasbatch.records.checkpoints.packed_state import State
from kerasbatch.records.file_names import MODELS, PREPROCESSING
from kerasbatch.runs.messages import SavedFile
from kerasbatch.search.judged_metric import lower_is_better
from kerasbatch.spec import keras_registry
from kerasbatch.spec.schema import Spec
from kerasbatch.types import Row


class SavedModels:
    """Keeps the models that the spec saves.

    The best model is that of the evaluation whose target metric is best, or its loss if there is
    no target. The untrained model does not count.

    Args:
        spec: a single-run spec.
        model: its model.
        prefix: the prefix of metrics at fixed weights.
    """

    def __init__(self, spec: Spec, model: keras.Model, prefix: str) -> None:
        self._saved, self._model = spec.saved_models, model
        self._metric = spec.target.metric if spec.target else f"{prefix}loss"
        self._lower = lower_is_better(spec.target, self._metric)
        self._best: tuple[float, list[Any]] | None = None

    def on_evaluation(self, row: Row) -> None:
        """Keep the weights if they are the best so far."""
        if "best" not in self._saved or row["step"] == 0:
            return
        value = float(row[self._metric])
        if self._best is None or self._is_better(value, self._best[0]):
            self._best = value, copy_values(all_variables(self._model))

    def state(self) -> State:
        """Return the best value and its variables, for a checkpoint."""
        if self._best is None:
            return None
        value, variables = self._best
        return value, [np.asarray(variable) for variable in variables]

    def restore(self, state: State) -> None:
        """Continue with the best model of a checkpoint."""
        self._best = state

    def _is_better(self, value: float, best: float) -> bool:
        if best != best:
            return value == value
        return value < best if self._lower else value > best

    def files(self, data: RunData, code: str) -> Iterator[SavedFile]:
        """Yield the files to save; the weights of the model do not change.

        Args:
            data: the data that it was trained on.
            code: a hash of its Python code; empty if there is none.
        """
        if not self._saved or ("last" not in self._saved and self._best is None):
            return
        yield SavedFile(PREPROCESSING, preprocessing_content(self._model, data, code))
        if "last" in self._saved:
            yield SavedFile(MODELS["last"], keras_file_content(self._model))
        if self._best is not None:
            variables = all_variables(self._model)
            with preserve(variables):
                assign_values(variables, self._best[1])
                yield SavedFile(MODELS["best"], keras_file_content(self._model))


def preprocessing_content(model: keras.Model, data: RunData, code: str) -> bytes:
    """Return the preprocessing of inputs and the meaning of outputs, as JSON."""
    losses = losses_by_output(model, model.loss)
    logits = [name for name in data.target_classes or () if takes_logits(losses, name)]
    content = {
        "input_shape": data.input_shape,
        "classes": data.classes,
        "outputs": data.outputs,
        **({} if data.target_classes is None else {"target_classes": data.target_classes}),
        "scale": data.scale,
        "from_logits": takes_logits(model.loss),
        **({"logit_outputs": logits} if logits else {}),
        "gives_scores": type(model.loss).__name__ in keras_registry.SIGNED_LOSSES,
        "code": code,
        "preprocessing": dict(data.preprocessing),
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
