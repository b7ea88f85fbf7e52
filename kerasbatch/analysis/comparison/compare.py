"""The comparison of runs.

comparison = kb.compare("results/digits_batch_sizes", target="val_accuracy>=0.95")
comparison.table, comparison.best, comparison.caveats
"""

from collections.abc import Iterable

from kerasbatch.analysis.comparison.best import best_rows
from kerasbatch.analysis.comparison.caveats.caveat import Caveat, ComparisonContext, close_rows
from kerasbatch.analysis.comparison.caveats.find import find_caveats
from kerasbatch.analysis.comparison.caveats.rate_edges import sizes_at_edge
from kerasbatch.analysis.comparison.critical_batch_size import fit_steps
from kerasbatch.analysis.comparison.question import build_question
from kerasbatch.analysis.comparison.result import Comparison
from kerasbatch.analysis.comparison.selection import choose_settings, judge_runs, summarize_rows
from kerasbatch.analysis.comparison.stale_runs import no_runs_reason
from kerasbatch.analysis.comparison.text.recommendation import recommendation
from kerasbatch.analysis.comparison.unfinished import unfinished_runs
from kerasbatch.analysis.loading.load import AnyPath, Loaded, load
from kerasbatch.errors import Fault, SpecError


def compare(
    paths: AnyPath | Iterable[AnyPath] | Loaded,
    by: str | Iterable[str] = "batch_size",
    target: str | None = None,
    *,
    fit: bool = False,
    all_runs: bool = False,
) -> Comparison:
    """Compare runs: one row per value of `by`, each with the learning rate that suits it best.

    Args:
        paths: results folders, experiments or runs; results of this process; or the `Loaded` that
            `load` returned.
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
    ranking = {
        name: best.with_close(close_rows(caveats, best.column))
        for name, best in best_rows(table, context.chosen, question)
    }
    edges = sizes_at_edge(table, caveats) if "batch_size" in table else ()
    return Comparison(
        table=table.assign(caveats=[_codes(caveats, row) for row in table.index]),
        ranking=ranking,
        recommendation=recommendation(context, ranking, caveats),
        caveats=caveats,
        fit=fit_steps(context.chosen, question, edges) if fit else None,
        question=question,
        problems=loaded.problems,
        chosen=chosen,
        unfinished=tuple(unfinished_runs(runs, question, loaded.records)),
        stale=() if all_runs else every.stale,
    )


def _codes(caveats: Iterable[Caveat], row: int) -> str:
    return ";".join(dict.fromkeys(caveat.code for caveat in caveats if row in caveat.rows))
