"""The input of a training, and its thresholds."""

from dataclasses import dataclass

import keras

from kerasbatch.columns import HISTORY_COLUMNS
from kerasbatch.data.run_data import RunData
from kerasbatch.engine.settings import DEFAULT_SETTINGS, EngineSettings
from kerasbatch.runs.prepare.prepared_run import Cap
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
        cap: its end without its target, or None.
        settings: the thresholds.
    """

    spec: Spec
    model: keras.Model
    data: RunData
    plan: Plan
    access: Access
    code: str = ""
    cap: Cap | None = None
    settings: TrainingSettings = DEFAULT_TRAINING

    @property
    def prefix(self) -> str:
        """The prefix of metrics at fixed weights."""
        return "train_" if self.data.x_val is None else "val_"

    @property
    def history_columns(self) -> list[str]:
        """The columns of history.csv."""
        logged = list(self.spec.logged_metrics())
        return [*HISTORY_COLUMNS, *logged, *(self.prefix + name for name in logged)]

    def prefixed(self, metrics: dict[str, float]) -> dict[str, float]:
        """Return metrics at fixed weights with the prefix."""
        return {self.prefix + name: value for name, value in metrics.items()}
