"""The input of a training, and its thresholds."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import keras

from kerasbatch.columns import HISTORY_COLUMNS
from kerasbatch.data.run_data import RunData
from kerasbatch.engine.settings import DEFAULT_SETTINGS, EngineSettings
from kerasbatch.records.file_names import OWN_FILES
from kerasbatch.runs.prepare.prepared_run import Cap, ResumePoint
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access
from kerasbatch.steps import Plan


@dataclass(frozen=True)
class TrainingSettings:
    """Thresholds of a training.

    Args:
        engine: the thresholds of the engine.
        quick_evaluation: the longest evaluation in seconds that follows an interrupt.
    """

    engine: EngineSettings = DEFAULT_SETTINGS
    quick_evaluation: float = 2.0


DEFAULT_TRAINING = TrainingSettings()


@dataclass(frozen=True)
class TrainingJob:
    """The input of a training.

    Args:
        spec: a single-run spec.
        model: its model, new and compiled.
        data: its data.
        plan: its counts.
        access: the files and code that the spec may use.
        code: a hash of the Python code of the model; empty if there is none.
        run_id: the name of the run.
        family: equal for runs that differ in the length of their budget alone, or None.
        cap: its end without its target, or None.
        resume: the checkpoint from which it goes on, or None.
        logged: the names of loss and metrics in Keras' logs.
        directory: the directory of the run, or None if it has none.
        checkpoints: the folder of its checkpoints; None sends them as messages.
        settings: the thresholds.
    """

    spec: Spec
    model: keras.Model
    data: RunData
    plan: Plan
    access: Access
    logged: tuple[str, ...]
    code: str = ""
    directory: Path | None = None
    checkpoints: Path | None = None
    run_id: str = ""
    family: str | None = None
    cap: Cap | None = None
    resume: ResumePoint | None = None
    settings: TrainingSettings = DEFAULT_TRAINING

    @contextlib.contextmanager
    def own_directory(self) -> Iterator[Path]:
        """Yield a folder that callbacks of the user may write into; an empty one is deleted."""
        if self.directory is None or not self.spec.callbacks:
            with tempfile.TemporaryDirectory() as folder:
                yield Path(folder)
            return
        own = self.directory / OWN_FILES
        own.mkdir(parents=True, exist_ok=True)
        try:
            yield own
        finally:
            with contextlib.suppress(OSError):  # it is not empty
                own.rmdir()

    @property
    def engine_settings(self) -> EngineSettings:
        """The thresholds of the engine; with checkpoints, they do not depend on the budget."""
        goes_on = self.spec.checkpoint is not None or self.resume is not None
        engine = self.settings.engine
        return replace(engine, any_length=engine.any_length or goes_on)

    @property
    def prefix(self) -> str:
        """The prefix of metrics at fixed weights."""
        return "train_" if self.data.x_val is None else "val_"

    @property
    def history_columns(self) -> list[str]:
        """The columns of history.csv."""
        evaluated = (self.prefix + name for name in self.logged)
        return [*HISTORY_COLUMNS, *self.logged, *evaluated]

    def prefixed(self, metrics: dict[str, float]) -> dict[str, float]:
        """Return metrics at fixed weights with the prefix."""
        return {self.prefix + name: value for name, value in metrics.items()}
