"""What plans and results look like in a terminal: tables, and epochs as rows of step boxes.

Functions here return rich renderables or text; the command line prints them.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from kerasbatch.order import example_order
from kerasbatch.shared_types import Sampling
from kerasbatch.spec import sweep
from kerasbatch.spec.sweep import SingleRun
from kerasbatch.steps import Plan

if TYPE_CHECKING:
    from kerasbatch.runs.bench import Comparison
    from kerasbatch.runs.result import Result

MAX_INDEXED_EXAMPLES = 40
"""Up to so many examples, a drawing shows which of them fall into each batch."""
MAX_DRAWN_EPOCHS = 5


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


def sweep_table(runs: Sequence[tuple[SingleRun, Plan]]) -> Table:
    """Return one line per run of a sweep."""
    keys = list(runs[0][0].swept)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for key in keys:
        table.add_column(key.split(".")[-1])
    for name in ("n", "b", "steps/epoch", "last batch", "epochs", "steps", "n*e/b", "examples"):
        table.add_column(name, justify="right")
    for single, plan in runs:
        table.add_row(
            *(sweep.label(single.swept[key]) for key in keys),
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


def epochs(plan: Plan, *, seed: int, sampling: Sampling, width: int) -> Text:
    """Draw the epochs as rows of boxes, one box per step.

    With few examples a box holds the positions of its examples; otherwise it is a block, lighter
    for the smaller last batch.
    """
    drawing = Text()
    shown = min(plan.epochs, MAX_DRAWN_EPOCHS)
    for epoch in range(1, shown + 1):
        steps = plan.epoch_plan(epoch).steps
        head = f"epoch {epoch}  "
        if plan.train_examples <= MAX_INDEXED_EXAMPLES:
            order = example_order(plan.train_examples, seed=seed, epoch=epoch, sampling=sampling)
            body = _boxes(plan, steps, lambda k, order=order: order[k])  # type: ignore[misc]  # binds this epoch's order
        else:
            body = _blocks(plan, steps, width - len(head))
        drawing.append(head, style="bold").append_text(body).append("\n")
    if plan.epochs > shown:
        drawing.append(f"... and {plan.epochs - shown:,} more epochs\n", style="dim")
    drawing.append(_legend(plan), style="dim")
    return drawing


def _boxes(plan: Plan, steps: int, example: Callable[[slice], Any]) -> Text:
    body = Text()
    for step in range(steps):
        start = step * plan.batch_size
        chosen = example(slice(start, min(start + plan.batch_size, plan.examples_per_epoch)))
        body.append("[" + " ".join(str(index) for index in chosen) + "]", style=_color(step))
        body.append(" ")
    return body


def _blocks(plan: Plan, steps: int, width: int) -> Text:
    note = f" {steps:,} steps"
    room = max(width - len(note) - 2, 8)
    partial = plan.last_batch_size < plan.batch_size and steps == plan.steps_per_epoch
    last = "▒" if partial else "█"
    if steps <= room:
        return Text("█" * (steps - 1) + last + note)
    return Text("█" * (room - 2) + "…" + last + note)


def _color(step: int) -> str:
    return "cyan" if step % 2 == 0 else "magenta"


def _legend(plan: Plan) -> str:
    unit = "a box" if plan.train_examples <= MAX_INDEXED_EXAMPLES else "a block"
    what = f"{unit} is a step: one update of the weights, from {plan.batch_size:,} examples"
    if plan.last_batch_size < plan.batch_size:
        what += f" (the last of an epoch: from {plan.last_batch_size:,})"
    if plan.partial_batch == "drop" and plan.examples_per_epoch < plan.train_examples:
        left = plan.train_examples - plan.examples_per_epoch
        what += f"; {left:,} examples of each epoch are left out"
    return what


def bench_table(found: "Sequence[Comparison]") -> Table:
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
            f"{each.fused_compile_seconds:.2f}",
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
    speed = row["steps_per_second"]
    table.add_row(
        "training", _seconds(row["train_seconds"]), f"{speed:,.0f} steps/s" if speed else ""
    )
    table.add_row("compiling", _seconds(row["compile_seconds"]), "")
    table.add_row("evaluating", _seconds(row["evaluate_seconds"]), "")
    table.add_row("engine", record["engine"]["name"] or "", record["engine"]["why"])
    table.add_row("status", result.status, result.message)
    return table


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
    from kerasbatch.records.files import RUN_COLUMNS

    names = dict.fromkeys(key for result in results for key in result.row)
    return [name for name in names if name not in RUN_COLUMNS and not name.startswith("best_")]
