"""The state that a process keeps from one single run to the next: data, model, programs, checks.

It lies in the global state of Keras: `keras.utils.clear_session` lets go of it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kerasbatch.array_files import file_state
from kerasbatch.data.builtin import local_file
from kerasbatch.engine import keras_private
from kerasbatch.runs.prepare.checks import CheckedModels
from kerasbatch.runs.prepare.data_loader import DataLoader
from kerasbatch.runs.training.job import TrainingSettings
from kerasbatch.runs.training.trainer import Trainer
from kerasbatch.spec.data_schema import BuiltInData, ObjectData
from kerasbatch.spec.named_paths import data_files, has_passed_code, names_code
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.spec.trust import Access, data_folder

MAX_KEPT_DATA = 2**30
"""The bytes of data from which on they are not kept."""
_NAME = "kerasbatch_kept_runs"


@dataclass
class Kept:
    """The kept state of runs of one folder.

    Args:
        loader: their data.
        trainer: the last model.
        models: the models that were checked.
    """

    loader: DataLoader
    trainer: Trainer
    models: CheckedModels = field(default_factory=dict)


@contextmanager
def kept_state(
    singles: Sequence[SingleRun], access: Access, settings: TrainingSettings
) -> Iterator[Kept]:
    """Yield the state of the last single run, if it had the same data; else a new one.

    Args:
        singles: the runs.
        access: the files and code that their specs may use.
        settings: the thresholds of every training.
    """
    state: dict[Any, Kept] = keras_private.global_state(_NAME, dict)
    key = _key(singles, access, settings)
    kept = state.pop(key, None)
    state.clear()  # a run inside a callback of another one has a state of its own
    if kept is None:
        loader = DataLoader(access)
        kept = Kept(loader, Trainer(loader, settings))
    yield kept
    state.clear()
    if key is not None and not kept.loader.fell_back and kept.loader.size <= MAX_KEPT_DATA:
        state[key] = kept


def _key(singles: Sequence[SingleRun], access: Access, settings: TrainingSettings) -> Any:
    """Return what the state depends on; None for code or objects of the user."""
    specs = [single.spec for single in singles]
    if any(names_code(spec) or has_passed_code(spec) for spec in specs):
        return None
    if any(isinstance(spec.data, ObjectData) for spec in specs):
        return None
    files = {str(access.absolute(name)) for spec in specs for name in data_files(spec)}
    named = {spec.data.name for spec in specs if isinstance(spec.data, BuiltInData)}
    files |= {str(file) for name in named if (file := local_file(name))}
    places = data_folder(), os.environ.get("KERAS_HOME")
    return access, places, settings, frozenset((file, file_state(file)) for file in files)
