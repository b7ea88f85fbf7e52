"""The draft of a spec for a model, and data, of somebody's own code."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kerasbatch.array_trees import example_shape, length
from kerasbatch.data.encoding.classes import are_classes
from kerasbatch.data.python_arrays import python_arrays
from kerasbatch.errors import SpecError
from kerasbatch.first_spec.draft import Draft, Task, add_training, classification, regression
from kerasbatch.models.example_layout import ExampleLayout
from kerasbatch.models.own_model import model_of_function
from kerasbatch.spec.data_schema import PythonData
from kerasbatch.spec.section_schema import PythonModel
from kerasbatch.spec.trust import Access
from kerasbatch.types import Array


def draft_of_code(build: str | None, load: str, folder: Path) -> Draft:
    """Return the draft of a spec for functions of own code, which are called.

    Args:
        build: the function that builds the model, `mine.py:build`; None for a preset.
        load: the function that returns the data.
        folder: the folder of the spec.

    Raises:
        SpecError: if a function fails, or returns something else.
    """
    access = Access(folder, trusted=True)
    arrays = python_arrays(PythonData(kind="python", python=load), access)
    if isinstance(arrays.y, dict | tuple):
        message = (
            f"{load} returns several targets; write the spec by hand, as in docs/how-to/own-code.md"
        )
        raise SpecError.at((), message)
    y = arrays.y
    task = _task(y)
    draft = Draft("Which batch size trains this model best?")
    draft.add("data", {"python": load})
    examples = length(arrays.x)
    if arrays.y_test is None:
        draft.add("validation", {"fraction": 0.2})
        examples = round(0.8 * examples)
    if build is None:
        add_training(draft, task, examples)
        return draft
    layout = ExampleLayout(example_shape(arrays.x), task.classes, _outputs(y, task))
    model = model_of_function(PythonModel(kind="python", python=build), layout, access)
    draft.add("model", {"python": build})
    add_training(draft, task, examples, model=None)
    if model.compiled:
        leave_to_model(draft, ("optimizer", "loss", "metrics"))
    return draft


def leave_to_model(draft: Draft, keys: Sequence[str]) -> None:
    """Remove keys that the code of the model decides."""
    draft.entries = [(key, value) for key, value in draft.entries if key not in keys]
    draft.notes.append(f"the code of the model decides {', '.join(keys)}")


def _outputs(y: Array, task: Task) -> int:
    return task.classes or int(np.prod(y.shape[1:], dtype=int))


def _task(y: Array) -> Task:
    if y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1):
        values, counts = np.unique(np.asarray(y).ravel(), return_counts=True)
        if are_classes(values, len(y)):
            return classification(len(values), float(counts.max() / counts.sum()))
    return regression()
