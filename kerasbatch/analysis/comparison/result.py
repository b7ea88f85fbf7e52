"""A comparison of runs, as an object with a table and its other forms."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kerasbatch.analysis.comparison.best import Best, best_values
from kerasbatch.analysis.comparison.caveats.caveat import Caveat, caveat_lines
from kerasbatch.analysis.comparison.critical_batch_size import Fit, NoFit
from kerasbatch.analysis.comparison.question import Question
from kerasbatch.atomic_files import write_text
from kerasbatch.text import escape_formula


@dataclass(frozen=True)
class Comparison:
    """The best value of a key, and the caveats.

    Attributes:
        table: one row per value; the columns of the CSV.
        ranking: the best row by `steps`, `examples` and `seconds`, or else by the judged metric,
            with the rows that cannot be told from it.
        recommendation: the row to take, and what to run next, in one line.
        caveats: the reasons not to draw a conclusion.
        fit: the critical batch size, or the reason why it is unknown; None if not requested.
        question: the compared keys, and the rules by which settings were chosen.
        problems: the reason why a run or path could not be read, by run or path.
        chosen: the runs that the rows of the table summarize.
        unfinished: a description of every run that is not finished: it is running, was killed or
            interrupted, or failed.
        stale: the runs that are left out, because the spec of their experiment has been edited and
            no longer asks for them; as experiment/run.
    """

    table: pd.DataFrame
    ranking: Mapping[str, Best]
    recommendation: str
    caveats: tuple[Caveat, ...]
    fit: Fit | NoFit | None
    question: Question
    problems: Mapping[str, str]
    chosen: pd.DataFrame
    unfinished: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()

    @property
    def best(self) -> dict[str, dict[str, Any]]:
        """The keys and the value of the best row by every criterion, and the values that tie."""
        return {
            name: best_values(best, self.table, self.question.by)
            for name, best in self.ranking.items()
        }

    def _repr_html_(self) -> str:
        """Return the table and caveats as HTML for notebooks, with all text escaped."""
        from html import escape

        lines = [f"{code}: {message}" for code, message in caveat_lines(self.caveats).items()]
        paragraphs = "".join(f"<p>{escape(line)}</p>" for line in [*lines, self.recommendation])
        return self.table.to_html(escape=True, index=False) + paragraphs

    def to_csv(self) -> str:
        """Return the table as CSV for a spreadsheet: no text is a formula."""
        return str(self.table.map(escape_formula).to_csv(index=False))

    def to_markdown(self) -> str:
        """Return the table as Markdown."""
        rows = [list(map(str, self.table.columns)), ["---:"] * len(self.table.columns)]
        rows += [
            [_markdown_cell(value) for value in row] for row in self.table.itertuples(index=False)
        ]
        return "".join(f"| {' | '.join(row)} |\n" for row in rows)

    def write_csv(self, file: Path) -> None:
        """Write the table as CSV, atomically."""
        write_text(file, self.to_csv())

    def to_json(self) -> str:
        """Return table, best, caveats and fit as JSON."""
        content = {
            "table": [
                {key: None if value != value else value for key, value in row.items()}
                for row in self.table.to_dict("records")
            ],
            "best": self.best,
            "recommendation": self.recommendation,
            "caveats": [
                {"code": caveat.code, "message": caveat.message, "runs": caveat.runs}
                for caveat in self.caveats
            ],
            "fit": None if self.fit is None else _finite(asdict(self.fit)),
            "unfinished": self.unfinished,
            "stale": self.stale,
        }
        return json.dumps(content, indent=2, default=_json_value, ensure_ascii=False) + "\n"


def _markdown_cell(value: Any) -> str:
    """Format a value for Markdown; a missing value is empty."""
    if value is None or value != value:
        return ""
    integral = isinstance(value, float) and value.is_integer()
    text = (
        f"{value:.0f}" if integral else f"{value:.6g}" if isinstance(value, float) else str(value)
    )
    return text.replace("|", "\\|")


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values without infinite ones, which JSON does not have."""
    return {key: None if value == np.inf else value for key, value in values.items()}


def _json_value(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
