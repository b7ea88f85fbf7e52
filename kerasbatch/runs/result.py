"""A run that has ended, on disk."""

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasbatch.records.run_directory import RunDirectory
from kerasbatch.records.run_status import RunStatus
from kerasbatch.records.stored_files import StoredFileError, read_stored
from kerasbatch.spec.passed.objects import PassedObjects

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from kerasbatch.inference.saved_model import SavedModel


def load_run(path: str | PathLike[str]) -> "Result":
    """Return a run on disk, of this or of an earlier process.

    Args:
        path: the directory of the run.

    Raises:
        SpecError: if it is not a run that has ended, or its files have changed.
    """
    directory = RunDirectory(Path(path))
    record = directory.checked_record()
    return Result(directory.path, record, record.get("swept") or {}, reused=True)


@dataclass(frozen=True)
class Result:
    """A run that has ended, on disk.

    Args:
        directory: the directory of its files.
        record: the contents of record.json.
        swept: the swept keys and values of this run.
        reused: whether an earlier command finished it.
        objects: the objects that this process passed for it.
    """

    directory: Path
    record: Mapping[str, Any]
    swept: Mapping[str, Any] = field(default_factory=dict)
    reused: bool = False
    objects: PassedObjects = field(default_factory=PassedObjects, repr=False, compare=False)

    def __fspath__(self) -> str:
        """Return the directory, so that a result stands for it: `compare(results)`."""
        return str(self.directory)

    @property
    def status(self) -> RunStatus:
        """Its status: done, target, diverged, interrupted or failed."""
        return RunStatus(self.record["status"])

    @property
    def message(self) -> str:
        """A description of its end."""
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
        """The recorded weights: a step, and a column for each weight."""
        return self._table("weights.csv")

    @property
    def noise(self) -> "pd.DataFrame":
        """The recorded gradient noise at every evaluation."""
        return self._table("noise.csv")

    def model(self, which: str | None = None, *, trust: bool = False) -> "keras.Model":
        """Load the model that the run saved, compiled as in training.

        Args:
            which: `last`, `best`, or like `checkpoint-1200`; None takes the best if it was saved.
            trust: allow the Python code of the run's spec.

        Raises:
            SpecError: if there is no such model, it has changed on disk, or it needs trust.
        """
        return self._saved_model(which, trust).model

    def predict(self, x: Any, which: str | None = None, *, trust: bool = False) -> Any:
        """Predict with the saved model; columns, scaling and labels are those of the training.

        Args:
            x: a DataFrame with the columns of the training, in any order; or an array of shape
                (n, ...) like the data before standardizing or scaling. Further columns are
                ignored.
            which: `last`, `best`, or like `checkpoint-1200`; None takes the best if it was saved.
            trust: allow the Python code of the run's spec.

        Returns:
            The label of each row, as text if labels were text; or numbers in the units of the
            target, shape (n,), or (n, outputs) for several numbers. Of a model with several
            outputs, what the model returns, by their names.

        Raises:
            SpecError: if there is no such model, or x does not fit the training data.
        """
        from kerasbatch.inference.encode import encode_examples
        from kerasbatch.inference.outputs import model_outputs, predicted_labels

        saved = self._saved_model(which, trust)
        examples, notices = encode_examples(saved, x)
        for notice in notices:
            warnings.warn(notice, stacklevel=2)
        outputs = model_outputs(saved, examples)
        return outputs if isinstance(outputs, dict) else predicted_labels(saved, outputs)

    def _saved_model(self, which: str | None, trust: bool) -> "SavedModel":
        from kerasbatch.inference.saved_model import load_saved_model

        return load_saved_model(self.directory, which=which, trust=trust, objects=self.objects)

    def _repr_html_(self) -> str:
        """Show the run in a notebook, with all text escaped."""
        import pandas as pd

        row = pd.Series(self.row, name=self.directory.name).to_frame()
        return f"<p>{escape(self.message)}</p>{row.to_html(escape=True, na_rep='')}"

    def step_before(self, step: int) -> int:
        """Return the step of the evaluation before the one at `step`."""
        steps = self.history["step"]
        return int(steps[steps < step].max())

    def _table(self, name: str) -> "pd.DataFrame":
        import pandas as pd

        try:
            return pd.read_csv(io.BytesIO(read_stored(self.directory / name)))
        except StoredFileError as error:
            raise StoredFileError(f"{self.directory}: its {name} {error}") from error
