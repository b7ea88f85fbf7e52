"""A run that has ended, on disk."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasbatch.records.run_status import RunStatus

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from kerasbatch.spec.schema import Saved
    from kerasbatch.types import Array


@dataclass(frozen=True)
class Result:
    """A run that has ended, on disk.

    Args:
        directory: where its files are.
        record: the contents of record.json.
        swept: the swept keys and values of this run.
        reused: True if it had been finished by an earlier command.
    """

    directory: Path
    record: Mapping[str, Any]
    swept: Mapping[str, Any] = field(default_factory=dict)
    reused: bool = False

    @property
    def status(self) -> RunStatus:
        """How it ended: done, target, diverged, interrupted or failed."""
        return RunStatus(self.record["status"])

    @property
    def message(self) -> str:
        """How it ended, in words."""
        return str(self.record["message"])

    @property
    def row(self) -> Mapping[str, Any]:
        """Its row in runs.csv."""
        return dict(self.record["row"])

    @property
    def history(self) -> "pd.DataFrame":
        """One row per evaluation, the columns of history.csv."""
        return self._table("history.csv")

    @property
    def steps(self) -> "pd.DataFrame":
        """One row per epoch, the columns of steps.csv."""
        return self._table("steps.csv")

    @property
    def weights(self) -> "pd.DataFrame":
        """The path of the weights, where they were recorded: step, and a column for each weight."""
        return self._table("weights.csv")

    @property
    def noise(self) -> "pd.DataFrame":
        """The noise of the gradient at every evaluation, where it was recorded."""
        return self._table("noise.csv")

    def model(self, which: "Saved | None" = None, *, trust: bool = False) -> "keras.Model":
        """Load the model that the run kept, compiled as it was trained.

        Args:
            which: `last` or `best`; None takes the best where there is one.
            trust: let the run's spec run Python code.

        Raises:
            SpecError: if there is no such model, it was changed on disk, or needs trust.
        """
        from kerasbatch.inference.saved_model import load_model

        return load_model(self.directory, which=which, trust=trust)

    def predict(self, x: Any, which: "Saved | None" = None, *, trust: bool = False) -> "Array":
        """Predict with the model that the run kept; columns, scaling and labels as in training.

        Args:
            x: a DataFrame with the columns of the training, in any order and beside others; or an
                array of shape (n, ...) as the data had it before standardizing or scaling.
            which: `last` or `best`; None takes the best where there is one.
            trust: let the run's spec run Python code.

        Returns:
            The label of each row, as text where the labels were text; or numbers in the target's
            own units, shape (n,), or (n, outputs) of several.

        Raises:
            SpecError: if there is no such model, or x does not fit what it was trained on.
        """
        from kerasbatch.inference.predict import encode_examples, model_outputs, predicted_labels
        from kerasbatch.inference.saved_model import load_saved_model

        kept = load_saved_model(self.directory, which=which, trust=trust)
        examples, notices = encode_examples(kept, x)
        for notice in notices:
            warnings.warn(notice, stacklevel=2)
        return predicted_labels(kept, model_outputs(kept, examples))

    def _repr_html_(self) -> str:
        """Show the run in a notebook, as text that can do nothing."""
        import pandas as pd

        row = pd.Series(self.row, name=self.directory.name).to_frame()
        return f"<p>{escape(self.message)}</p>{row.to_html(escape=True, na_rep='')}"

    def step_before(self, step: int) -> int:
        """Return the step of the evaluation before the one at `step`."""
        steps = self.history["step"]
        return int(steps[steps < step].max())

    def _table(self, name: str) -> "pd.DataFrame":
        import pandas as pd

        return pd.read_csv(self.directory / name)
