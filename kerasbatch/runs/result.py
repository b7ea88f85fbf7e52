"""A run that has ended, on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


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
    def status(self) -> str:
        """How it ended: done, target, diverged, interrupted or failed."""
        return str(self.record["status"])

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
