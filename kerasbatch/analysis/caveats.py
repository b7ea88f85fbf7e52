"""What keeps a comparison from concluding, in words, with the rows and runs concerned."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pandas as pd
from scipy import stats

from kerasbatch.analysis.comparison import ENDED, RATE, TO_TARGET, Question, contenders
from kerasbatch.errors import counted
from kerasbatch.spec import keras_names
from kerasbatch.spec.data_keys import KerasData
from kerasbatch.stepcheck import is_mismatch

CONFIDENCE = 0.95
VERSIONS = ("kerasbatch", "keras", "tensorflow", "numpy", "python")


@dataclass(frozen=True)
class Caveat:
    """A reason not to conclude.

    Args:
        code: one word for it, as the CSV has it.
        message: the same for a person.
        runs: the runs concerned, as experiment/run.
        rows: the rows of the table concerned, by their numbers.
    """

    code: str
    message: str
    runs: tuple[str, ...]
    rows: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What caveats look at.

    Args:
        question: what was asked.
        table: the rows of the comparison.
        runs: all runs, with the number of their row in `row`.
        chosen: those of the chosen settings.
        records: their records, by experiment/run.
    """

    question: Question
    table: pd.DataFrame
    runs: pd.DataFrame
    chosen: pd.DataFrame
    records: Mapping[str, Mapping[str, Any]]

    def label(self, row: Any) -> str:
        """Return a row as a person calls it: batch_size 16."""
        values = self.table.loc[row, list(self.question.by)]
        return ", ".join(f"{key} {_plain(value)}" for key, value in values.items())

    def labels(self, rows: Sequence[Any]) -> str:
        """Return rows as a person calls them."""
        if len(self.question.by) == 1:
            values = self.table.loc[list(rows), self.question.by[0]]
            return f"{self.question.by[0]} {', '.join(map(_plain, values))}"
        return "; ".join(self.label(row) for row in rows)

    def over(self, code: str, what: str, concerned: pd.DataFrame) -> Iterator[Caveat]:
        """Yield a caveat of the rows that some runs belong to, if there are any."""
        if len(concerned):
            rows = tuple(sorted({int(row) for row in concerned["row"]}))
            yield Caveat(code, f"{self.labels(rows)}: {what}", tuple(concerned["run"]), rows)

    def against(self, code: str, message: str, best: Any, others: Sequence[Any]) -> Caveat:
        """Return a caveat of rows that cannot be told from the best one."""
        rows = sorted([best, *others])
        runs = self.chosen[self.chosen["row"].isin(rows)]["run"]
        return Caveat(code, message, tuple(runs), tuple(rows))


def caveats(evidence: Evidence) -> list[Caveat]:
    """Return everything that keeps the comparison from concluding."""
    return [caveat for find in FINDERS for caveat in find(evidence)]


def grid_edge(evidence: Evidence) -> Iterator[Caveat]:
    """The best learning rate is the least or the greatest that was tried."""
    at_edge, alone = [], []
    groups: Any = evidence.runs.groupby("row")
    for row, tried in groups:
        told: Any = evidence.table.loc[row]
        if evidence.question.goal is not None and not told["reached"]:
            continue  # then nothing was chosen
        rates = sorted(tried[RATE].dropna().unique())
        chosen = told.get(RATE)
        if len(rates) == 1:
            alone.append(row)
        elif rates and chosen in (rates[0], rates[-1]):
            at_edge.append(row)
    chosen_runs = evidence.chosen
    what = "the best learning rate is at the edge of its grid; a better one may lie beyond"
    yield from evidence.over("grid_edge", what, chosen_runs[chosen_runs["row"].isin(at_edge)])
    what = "only one learning rate was tried; another may suit this size better"
    yield from evidence.over("grid_edge", what, chosen_runs[chosen_runs["row"].isin(alone)])


def one_seed(evidence: Evidence) -> Iterator[Caveat]:
    """One run is an anecdote."""
    single = evidence.table.index[evidence.table["seeds"] == 1]
    what = "one seed only; another may tell otherwise"
    yield from evidence.over("one_seed", what, evidence.chosen[evidence.chosen["row"].isin(single)])


def within_spread(evidence: Evidence) -> Iterator[Caveat]:
    """The difference to the best row lies within the spread of seeds.

    Paired over the seeds that both have: a t interval of the differences, of logarithms where what
    it took to the target is compared.
    """
    for column, best in _judged(evidence):
        values: Any = evidence.chosen.pivot_table(index="seed", columns="row", values=column)
        if best not in values:
            continue
        if evidence.question.goal is not None:
            values = np.log(values)
        others = [row for row in values.columns if row != best]
        close = [row for row in others if _may_be_equal(values[row] - values[best])]
        if close:
            message = (
                f"{evidence.labels(close)}: the difference to {evidence.label(best)} in {column} "
                f"lies within the spread of seeds (paired t interval, {CONFIDENCE:.0%})"
            )
            yield evidence.against("within_spread", message, best, close)


def _judged(evidence: Evidence) -> Iterator[tuple[str, Any]]:
    """Yield the columns that say which row was best, and that row."""
    table, question = evidence.table, evidence.question
    if question.goal is not None:
        rows = contenders(table)
        for column in TO_TARGET if len(rows) else ():
            yield column, rows[column].idxmin()
    elif question.judged is not None and table[question.judged].notna().any():
        lower = keras_names.lower_is_better(question.judged.partition("_")[2])
        values = table[question.judged]
        yield question.judged, values.idxmin() if lower else values.idxmax()


def _may_be_equal(differences: "pd.Series[float]") -> bool:
    """Tell whether paired differences may well be 0; of fewer than two pairs, nobody knows."""
    known = differences.replace([np.inf, -np.inf], np.nan).dropna().to_numpy()
    if len(known) < 2:
        return False
    error = float(stats.sem(known))
    if error == 0:
        return bool(known.mean() == 0)
    low, high = stats.t.interval(CONFIDENCE, len(known) - 1, known.mean(), error)
    return bool(low <= 0 <= high)


def not_reached(evidence: Evidence) -> Iterator[Caveat]:
    """Some seeds did not reach the target, or nobody knows whether they would have."""
    if evidence.question.goal is None:
        return
    chosen = evidence.chosen
    missed = chosen[~chosen["reached"] & ~chosen["unknown"]]
    groups: Any = missed.groupby("row")
    for row, runs in groups:
        seeds = int(evidence.table["seeds"][row])
        what = f"{len(runs)} of {counted(seeds, 'seed')} did not reach the target"
        yield from evidence.over("not_reached", what, runs)
    what = "cut off, or stopped at an easier target: whether the target would be reached is unknown"
    yield from evidence.over("not_reached", what, chosen[chosen["unknown"]])


def coarse(evidence: Evidence) -> Iterator[Caveat]:
    """Evaluations lie too far apart to tell two rows apart.

    The target was passed somewhere between two evaluations; where these spans of two rows overlap,
    either may have been first.
    """
    if evidence.question.goal is None:
        return
    spans = evidence.chosen[evidence.chosen["reached"]].groupby("row")
    for column, best in _judged(evidence):
        name = column.removesuffix("_to_target")
        least, most = spans[f"{name}_before"].median(), spans[column].median()
        close = [row for row in most.index if row != best and least[row] < most[best]]
        if close:
            message = (
                f"{evidence.labels(close)}: evaluations are too far apart to tell the {name} from "
                f"those of {evidence.label(best)} ({least[best]:,.6g} to {most[best]:,.6g}); "
                "evaluate more often"
            )
            yield evidence.against("coarse", message, best, close)


def mixed(evidence: Evidence) -> Iterator[Caveat]:
    """Runs of different data, code, versions or machines are compared."""
    told = {
        "data": lambda record: record.get("data_fingerprint"),
        "versions": lambda record: tuple((record.get("versions") or {}).get(v) for v in VERSIONS),
        "machines": lambda record: tuple(sorted((record.get("machine") or {}).items())),
        "states of own code": _own_code,
    }
    for what, key in told.items():
        found = {key(evidence.records[run]) for run in evidence.chosen["run"]}
        if len(found) > 1:
            rows = tuple(map(int, evidence.table.index))
            message = f"{len(found)} different {what} are mixed"
            yield Caveat("mixed", message, tuple(evidence.chosen["run"]), rows)


def _own_code(record: Mapping[str, Any]) -> Any:
    """Return the commit of a run whose spec names Python code, which is a part of its numbers."""
    spec = record.get("spec") or {}
    named = [spec.get(part) for part in ("data", "model")]
    own = any(isinstance(part, dict) and "python" in part for part in named)
    return record.get("git_commit") if own else None


def fallback(evidence: Evidence) -> Iterator[Caveat]:
    """Other data stood in for those that were asked for."""
    asked = [
        ((evidence.records[run].get("spec") or {}).get("data") or {}).get("name")
        for run in evidence.chosen["run"]
    ]
    used = evidence.chosen["data_used"]
    other = [want is not None and want != have for want, have in zip(asked, used, strict=True)]
    what = "trained on fallback data, not on those that the spec names"
    yield from evidence.over("fallback", what, evidence.chosen[other])


def step_check(evidence: Evidence) -> Iterator[Caveat]:
    """Steps were not those planned."""
    wrong = evidence.chosen["step_check"].map(lambda check: is_mismatch(str(check)))
    yield from evidence.over("step_check", "the step check failed", evidence.chosen[wrong])


def test_target(evidence: Evidence) -> Iterator[Caveat]:
    """What was chosen by is the data set's own test part: its value is too good from now on."""
    on_test = []
    for run in evidence.chosen["run"]:
        spec = evidence.records[run].get("spec") or {}
        given, row = spec.get("validation"), evidence.records[run].get("row") or {}
        has_val = any(key.startswith("val_") for key in row)
        own_test = given == "test" or (given is None and _has_test(row))
        on_test.append(has_val and own_test)
    what = (
        "chosen on the data set's own test part; take validation from the training data "
        "(validation: {fraction: 0.1}), and the test metrics are measured once, at the end"
    )
    yield from evidence.over("test_target", what, evidence.chosen[on_test])


def _has_test(row: Mapping[str, Any]) -> bool:
    """Tell whether the data of a run have a test part of their own: those of Keras do."""
    return row.get("data_used") in get_args(KerasData)


def budgets(evidence: Evidence) -> Iterator[Caveat]:
    """Rows had budgets of different kinds of length: neither equal examples nor equal steps."""
    if evidence.question.goal is not None:
        return
    chosen = evidence.chosen.assign(
        planned_examples=evidence.chosen["planned_steps"] * evidence.chosen["batch_size"]
    )
    spans = chosen.groupby("row")[["planned_steps", "planned_examples"]].median()
    equal_steps = spans["planned_steps"].max() <= 1.05 * spans["planned_steps"].min()
    sizes = chosen.groupby("row")["batch_size"].max()
    off = (spans["planned_examples"] - spans["planned_examples"].min()) / sizes.max()
    if not equal_steps and (off > chosen["epochs"].max() + 1).any():
        rows = tuple(map(int, evidence.table.index))
        message = (
            "budgets differ, in steps and in examples; compare with a target, or equal budgets"
        )
        yield Caveat("budgets", message, tuple(chosen["run"]), rows)


def engines(evidence: Evidence) -> Iterator[Caveat]:
    """Seconds of different engines are no measure of batch sizes."""
    ended = evidence.chosen[evidence.chosen["status"].isin(ENDED)]
    names = sorted(ended["engine"].dropna().unique())
    if len(names) > 1:
        rows = tuple(sorted(ended["row"].unique()))
        message = f"seconds are of different engines: {', '.join(names)}"
        yield Caveat("engines", message, tuple(ended["run"]), rows)


FINDERS: tuple[Callable[[Evidence], Iterator[Caveat]], ...] = (
    grid_edge,
    one_seed,
    within_spread,
    not_reached,
    coarse,
    mixed,
    fallback,
    step_check,
    test_target,
    budgets,
    engines,
)


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return f"{int(value):,}"
    return (
        f"{value:,}"
        if isinstance(value, int | np.integer)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )
