"""The comparison of runs, as an object.

comparison = kb.compare("results/digits_batch_sizes", target="val_accuracy>=0.95")
comparison.table, comparison.best, comparison.caveats
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kerasbatch.analysis.comparison.caveat import Caveat, ComparisonContext
from kerasbatch.analysis.comparison.caveats import find_caveats
from kerasbatch.analysis.comparison.critical_batch_size import Fit, NoFit, fit_steps
from kerasbatch.analysis.comparison.question import Question, build_question
from kerasbatch.analysis.comparison.selection import (
    best_rows,
    choose_settings,
    judge_runs,
    summarize_rows,
)
from kerasbatch.analysis.comparison.stale_runs import no_runs_reason
from kerasbatch.analysis.comparison.unfinished import unfinished_runs
from kerasbatch.analysis.loading.load import Loaded, load
from kerasbatch.errors import Fault, SpecError
from kerasbatch.records.files import write_text
from kerasbatch.text import escape_formula


@dataclass(frozen=True)
class Comparison:
    """The best value of a key, and the caveats.

    Attributes:
        table: one row per value; the columns of the CSV.
        best: by `steps`, `examples` and `seconds`: the values of the best row, and its cost.
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
    best: Mapping[str, Mapping[str, Any]]
    caveats: tuple[Caveat, ...]
    fit: Fit | NoFit | None
    question: Question
    problems: Mapping[str, str]
    chosen: pd.DataFrame
    unfinished: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        """Return the table and caveats as HTML for notebooks, with all text escaped."""
        from html import escape

        lines = [
            f"<p>{escape(caveat.code)}: {escape(caveat.message)}</p>" for caveat in self.caveats
        ]
        return self.table.to_html(escape=True, index=False) + "".join(lines)

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
            "caveats": [
                {"code": caveat.code, "message": caveat.message, "runs": caveat.runs}
                for caveat in self.caveats
            ],
            "fit": None if self.fit is None else _finite(asdict(self.fit)),
            "unfinished": self.unfinished,
            "stale": self.stale,
        }
        return json.dumps(content, indent=2, default=_json_value, ensure_ascii=False) + "\n"


def compare(
    paths: str | Path | Iterable[str | Path] | Loaded,
    by: str | Iterable[str] = "batch_size",
    target: str | None = None,
    *,
    fit: bool = False,
    all_runs: bool = False,
) -> Comparison:
    """Compare runs: one row per value of `by`, each with the learning rate that suits it best.

    Args:
        paths: results folders, experiments or runs; or the `Loaded` that `load` returned.
        by: the column, or columns, whose values make the rows.
        target: a metric and its bound, like `val_accuracy>=0.97`; by default the target that all
            runs recorded.
        fit: also fit the steps to the target by S = S_min (1 + B_crit / b).
        all_runs: include stale runs: those that the experiment's spec, edited since, no longer
            asks for.

    Raises:
        SpecError: if there are no runs, or they lack a key, a metric or the target, or they differ
            in a setting that is neither compared nor tuned.
    """
    every = paths if isinstance(paths, Loaded) else load(paths)
    loaded = every if all_runs else every.current()
    if loaded.runs.empty:
        raise SpecError(
            [Fault(("compare",), f"there are no runs to compare: {no_runs_reason(every)}")]
        )
    question = build_question(loaded, [by] if isinstance(by, str) else list(by), target)
    runs = judge_runs(loaded, question)
    chosen = choose_settings(runs, question)
    table = summarize_rows(runs, chosen, question)
    numbers = table[list(question.by)].assign(row=table.index)
    context = ComparisonContext(
        question,
        table,
        runs.merge(numbers, on=list(question.by)),
        chosen.merge(numbers, on=list(question.by)),
        loaded,
    )
    caveats = tuple(find_caveats(context))
    return Comparison(
        table=table.assign(caveats=[_codes(caveats, row) for row in table.index]),
        best=best_rows(table, question),
        caveats=caveats,
        fit=fit_steps(context.chosen, question, _sizes_at_edge(table, caveats)) if fit else None,
        question=question,
        problems=loaded.problems,
        chosen=chosen,
        unfinished=tuple(unfinished_runs(runs, question, loaded.records)),
        stale=() if all_runs else every.stale,
    )


def _sizes_at_edge(table: pd.DataFrame, caveats: Iterable[Caveat]) -> set[int]:
    """Return the batch sizes whose best learning rate may lie beyond those that were tried."""
    rows = {row for caveat in caveats if caveat.code == "grid_edge" for row in caveat.rows}
    return {int(table.loc[row, "batch_size"]) for row in rows} if "batch_size" in table else set()


def _codes(caveats: Iterable[Caveat], row: int) -> str:
    return ";".join(dict.fromkeys(caveat.code for caveat in caveats if row in caveat.rows))


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
