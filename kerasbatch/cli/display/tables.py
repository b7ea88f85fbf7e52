"""Plans, timings and results as rich tables, which the commands print."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from kerasbatch.columns import TARGET_COLUMNS
from kerasbatch.records.file_names import MODELS
from kerasbatch.records.run_row import RUN_COLUMNS
from kerasbatch.steps import Plan
from kerasbatch.text import counted, format_number, value_label

if TYPE_CHECKING:
    from kerasbatch.benchmark.engines import EngineSpeeds
    from kerasbatch.benchmark.sweep_estimate import ProgramTiming
    from kerasbatch.runs.result import Result


NARROW = 60
"""The terminal width, in characters, below which comments have no column."""
Fact = tuple[str, str, str]
"""A name, a value and a comment."""


def facts_table(facts: Iterable[Fact], width: int) -> Table:
    """Return a table with one line per fact; a narrow one has the comments beside the names."""
    narrow = width < NARROW
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=not narrow)
    table.add_column(justify="right", no_wrap=True)
    if not narrow:
        table.add_column(style="dim", overflow="fold")
    for name, value, comment in facts:
        if narrow:
            table.add_row(f"{name} ({comment})" if comment else name, value)
        else:
            table.add_row(name, value, comment)
    return table


def plan_facts(plan: Plan, held_back: int | None = None) -> Iterator[Fact]:
    """Yield the counts of one run, with the reason if s = n * e / b differs.

    Args:
        plan: the plan of the run.
        held_back: the number of examples held back for validation, or None if it is unknown.
    """
    rule = "floor(n / b)" if plan.partial_batch == "drop" else "ceil(n / b)"
    comment = f"{held_back:,} more are held back for validation" if held_back else ""
    yield "training examples, n", f"{plan.train_examples:,}", comment
    yield "batch size, b", f"{plan.batch_size:,}", ""
    yield "steps per epoch", f"{plan.steps_per_epoch:,}", rule
    yield "size of the last batch", f"{plan.last_batch_size:,}", "in every whole epoch"
    yield "epochs, e", number(plan.position(plan.total_steps).epochs_done), ""
    budget = f"{plan.budget.amount:,} {plan.budget.kind}"
    if plan.budget.amount == 1:
        budget = budget.removesuffix("s")
    yield "total steps", f"{plan.total_steps:,}", f"budget: {budget}"
    yield "the notes' s = n*e/b", number(plan.document_steps), plan.difference
    yield "examples seen", f"{plan.examples:,}", "repetitions counted"


def number(value: float) -> str:
    """Return a count as text: an integer, or a number with two decimals."""
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,.2f}"


def timing_table(timings: "Sequence[ProgramTiming]") -> Table:
    """Return one line per program: its speed and the times of its runs."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("batch\nsize", "\nruns", "\nsteps/s", "compile\ns", "one evaluation\ns"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("a run\ns, the longest", justify="right", no_wrap=True)
    table.add_column("\nengine")
    for timing in sorted(timings, key=lambda timing: timing.runs[0].plan.batch_size):
        table.add_row(
            f"{timing.runs[0].plan.batch_size:,}",
            f"{len(timing.runs):,}",
            _speed(timing.steps_per_second),
            _seconds(timing.compile_seconds).removesuffix(" s"),
            f"{timing.evaluate_seconds:.3f}",
            f"{max(timing.seconds(run)[0] for run in timing.runs):,.2f}",
            timing.engine,
        )
    return table


def duration(seconds: float) -> str:
    """Return a duration as text: 12 s, 3:05, 1:02:03."""
    if seconds < 60:
        return f"{seconds:,.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def bench_table(speeds: "Sequence[EngineSpeeds]") -> Table:
    """Return one line per batch size: plain fit, Keras at its best, and the fused engine."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in (
        "batch\nsize",
        "steps/s\nfit",
        "\nits best",
        "\nfused",
        "times\nfit",
        "\nbest",
        "whole, s\nfit",
        "\nits best",
        "\nfused",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("\nXLA")
    for speed in speeds:
        table.add_row(
            f"{speed.batch_size:,}",
            _speed(speed.plain_steps_per_second),
            _speed(speed.tuned_steps_per_second),
            _speed(speed.fused_steps_per_second),
            f"{speed.ratio:.1f}",
            f"{speed.tuned_ratio:.1f}",
            f"{speed.plain_seconds:,.1f}",
            f"{speed.tuned_seconds:,.1f}",
            "" if speed.fused_seconds is None else f"{speed.fused_seconds:,.1f}",
            ("yes" if speed.xla else "no") if speed.engine == "fused" else speed.engine,
        )
    return table


def _speed(per_second: float) -> str:
    return f"{per_second:,.1f}" if per_second >= 10 else f"{per_second:.3f}"


def result_facts(result: "Result") -> Iterator[Fact]:
    """Yield the facts of a single run."""
    row, record = result.row, result.record
    speed = row["steps_per_second"]
    yield "data", str(row["data_used"]), counted(row["train_examples"], "training example")
    yield "steps planned", f"{row['planned_steps']:,}", ""
    yield "steps observed", f"{row['observed_steps']:,}", "counted by the optimizer"
    yield "the notes' s = n*e/b", number(row["document_steps"]), record["difference"]
    yield "step check", str(row["step_check"]), ""
    for name in _metric_columns([result]):
        yield name, format_number(row[name]), ""
    if "target" in row:
        yield "target", *_reached(row, result)
    yield "training", _seconds(row["train_seconds"]), f"{_speed(speed)} steps/s" if speed else ""
    yield "compiling", _seconds(row["compile_seconds"]), ""
    yield "evaluating", _seconds(row["evaluate_seconds"]), ""
    yield "engine", record["engine"]["name"] or "", record["engine"]["why"]
    if kept := [file for file in MODELS.values() if file in record["files"]]:
        use = "for kerasbatch predict and kb.load_model"
        yield "kept", kept[-1], f"{', '.join(kept)}: {use}; kerasbatch export for other programs"
    yield "status", result.status, result.message


def _reached(row: Mapping[str, Any], result: "Result") -> tuple[str, str]:
    """Return the steps to the target; it may have been reached since the evaluation before."""
    if row["steps_to_target"] is None:
        return "", f"{row['target']} was not reached at any evaluation"
    steps = counted(row["steps_to_target"], "step")
    earlier = result.step_before(row["steps_to_target"])
    since = f", the first evaluation that passes (the one before: step {earlier:,})"
    return steps, f"to {row['target']}{since}"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"


def result_table(results: "Sequence[Result]") -> Table:
    """Return one line per run; the metrics are those at fixed weights."""
    swept = list(dict.fromkeys(key for result in results for key in result.swept))
    metrics = [n for n in _metric_columns(results) if n.startswith(("val_", "train_", "test_"))]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in (*(key.split(".")[-1] for key in swept), "status"):
        table.add_column(name)
    for name in ("planned", "observed", "n*e/b", "check", *metrics, "seconds"):
        table.add_column(name, justify="left" if name == "check" else "right")
    if targets := any("target" in result.row for result in results):
        table.add_column("to target", justify="right")
    for result in results:
        row = result.row
        table.add_row(
            *(value_label(result.swept.get(key, "")) for key in swept),
            result.status,
            f"{row['planned_steps']:,}",
            f"{row['observed_steps']:,}",
            number(row["document_steps"]),
            str(row["step_check"]),
            *(format_number(row.get(name)) for name in metrics),
            "" if row["train_seconds"] is None else f"{row['train_seconds']:.2f}",
            *([_to_target(row)] if targets else []),
        )
    return table


def failure_table(results: "Sequence[Result]") -> Table:
    """Return one line per unfinished run, with the reason."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("run", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("what happened", overflow="fold")
    for result in results:
        table.add_row(result.directory.name, result.status, result.message)
    return table


def _to_target(row: Mapping[str, Any]) -> str:
    steps = row.get("steps_to_target")
    return "not reached" if steps is None else counted(steps, "step")


def _metric_columns(results: "Sequence[Result]") -> list[str]:
    names = dict.fromkeys(key for result in results for key in result.row)
    shown_elsewhere = {*RUN_COLUMNS, *TARGET_COLUMNS}
    return [name for name in names if name not in shown_elsewhere and not name.startswith("best_")]
