"""What plans and results look like in a terminal, as tables.

Functions here return rich tables; the commands print them.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from kerasbatch.records.run_row import RUN_COLUMNS, TARGET_COLUMNS
from kerasbatch.spec import sweep
from kerasbatch.steps import Plan

if TYPE_CHECKING:
    from kerasbatch.runs.bench import EngineSpeeds
    from kerasbatch.runs.plans import PlannedRun
    from kerasbatch.runs.result import Result


def plan_table(plan: Plan) -> Table:
    """Return the counts of one run, with the reason where s = n * e / b is another number."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    rule = "floor(n / b)" if plan.partial_batch == "drop" else "ceil(n / b)"
    for name, value, comment in (
        ("training examples, n", f"{plan.train_examples:,}", ""),
        ("batch size, b", f"{plan.batch_size:,}", ""),
        ("steps per epoch", f"{plan.steps_per_epoch:,}", rule),
        ("size of the last batch", f"{plan.last_batch_size:,}", "in every whole epoch"),
        ("epochs, e", number(plan.position(plan.total_steps).epochs_done), ""),
        (
            "total steps",
            f"{plan.total_steps:,}",
            f"budget: {plan.budget.amount:,} {plan.budget.kind}",
        ),
        ("the notes' s = n*e/b", number(plan.document_steps), plan.difference),
        ("examples seen", f"{plan.examples:,}", "repetitions counted"),
    ):
        table.add_row(name, value, comment)
    return table


def number(value: float) -> str:
    """Write a count: whole where it is whole, else with two decimals."""
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,.2f}"


def sweep_table(runs: "Sequence[PlannedRun]") -> Table:
    """Return one line per run of a sweep."""
    keys = list(runs[0].single.swept)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for key in keys:
        table.add_column(key.split(".")[-1])
    for name in ("n", "b", "steps/epoch", "last batch", "epochs", "steps", "n*e/b", "examples"):
        table.add_column(name, justify="right")
    for each in runs:
        plan = each.plan
        table.add_row(
            *(sweep.label(each.single.swept[key]) for key in keys),
            f"{plan.train_examples:,}",
            f"{plan.batch_size:,}",
            f"{plan.steps_per_epoch:,}",
            f"{plan.last_batch_size:,}",
            number(plan.position(plan.total_steps).epochs_done),
            f"{plan.total_steps:,}",
            number(plan.document_steps),
            f"{plan.examples:,}",
        )
    return table


def bench_table(found: "Sequence[EngineSpeeds]") -> Table:
    """Return one line per batch size: both engines and their ratio."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in (
        "batch\nsize",
        "fit\nsteps/s",
        "fused\nsteps/s",
        "fit\nexamples/s",
        "fused\nexamples/s",
        "\nratio",
        "compile\ns, fit",
        "compile\ns, fused",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("\nXLA")
    for each in found:
        table.add_row(
            f"{each.batch_size:,}",
            _speed(each.plain_steps_per_second),
            _speed(each.fused_steps_per_second),
            f"{each.plain_examples_per_second:,.0f}",
            f"{each.fused_examples_per_second:,.0f}",
            f"{each.ratio:.1f}",
            f"{each.plain_compile_seconds:.2f}",
            _seconds(each.fused_compile_seconds).removesuffix(" s"),
            ("yes" if each.xla else "no") if each.engine == "fused" else each.engine,
        )
    return table


def _speed(per_second: float) -> str:
    return f"{per_second:,.1f}" if per_second >= 10 else f"{per_second:.3f}"


def result_summary(result: "Result") -> Table:
    """Return everything that a person asks of a single run, one line each."""
    row, record = result.row, result.record
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    shown = row["data_used"]
    table.add_row("data", shown, f"{row['train_examples']:,} training examples")
    table.add_row("steps planned", f"{row['planned_steps']:,}", "")
    table.add_row("steps observed", f"{row['observed_steps']:,}", "counted by the optimizer")
    table.add_row("the notes' s = n*e/b", number(row["document_steps"]), record["difference"])
    table.add_row("step check", str(row["step_check"]), "")
    for name in _metric_columns([result]):
        table.add_row(name, f"{float(row[name]):.4f}", "")
    if "target" in row:
        table.add_row("target", *_reached(row, result))
    speed = row["steps_per_second"]
    table.add_row(
        "training", _seconds(row["train_seconds"]), f"{speed:,.0f} steps/s" if speed else ""
    )
    table.add_row("compiling", _seconds(row["compile_seconds"]), "")
    table.add_row("evaluating", _seconds(row["evaluate_seconds"]), "")
    table.add_row("engine", record["engine"]["name"] or "", record["engine"]["why"])
    table.add_row("status", result.status, result.message)
    return table


def _reached(row: Mapping[str, Any], result: "Result") -> tuple[str, str]:
    """Say where the target was reached; evaluations come at points, so it may have been earlier."""
    if row["steps_to_target"] is None:
        return "", f"{row['target']} was not reached at any evaluation"
    steps = f"{row['steps_to_target']:,} steps"
    earlier = result.step_before(row["steps_to_target"])
    since = f", the first evaluation that passes (the one before: step {earlier:,})"
    return steps, f"to {row['target']}{since}"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"


def result_table(results: "Sequence[Result]") -> Table:
    """Return one line per run, for many runs; the metrics are those at fixed weights."""
    swept = list(dict.fromkeys(key for result in results for key in result.swept))
    metrics = [n for n in _metric_columns(results) if n.startswith(("val_", "train_", "test_"))]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in (*(key.split(".")[-1] for key in swept), "status"):
        table.add_column(name)
    for name in ("planned", "observed", "n*e/b", "check", *metrics, "seconds"):
        table.add_column(name, justify="left" if name == "check" else "right")
    for result in results:
        row = result.row
        table.add_row(
            *(sweep.label(result.swept.get(key, "")) for key in swept),
            result.status,
            f"{row['planned_steps']:,}",
            f"{row['observed_steps']:,}",
            number(row["document_steps"]),
            str(row["step_check"]),
            *("" if row.get(name) is None else f"{float(row[name]):.4f}" for name in metrics),
            "" if row["train_seconds"] is None else f"{row['train_seconds']:.2f}",
        )
    return table


def _metric_columns(results: "Sequence[Result]") -> list[str]:
    names = dict.fromkeys(key for result in results for key in result.row)
    shown_elsewhere = {*RUN_COLUMNS, *TARGET_COLUMNS}
    return [name for name in names if name not in shown_elsewhere and not name.startswith("best_")]
