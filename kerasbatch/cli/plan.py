"""The command `plan`: what a spec would do, told without training."""

from typing import TYPE_CHECKING

from kerasbatch.cli.options import Overrides, SpecPath, Trust
from kerasbatch.cli.steps import show_plan
from kerasbatch.cli.terminal import note, open_console, print_whole

if TYPE_CHECKING:
    from kerasbatch.steps import Plan


def plan(spec: SpecPath, overrides: Overrides = None, trust: Trust = False) -> None:
    """Show what a spec would do, without training or loading TensorFlow."""
    from kerasbatch.cli import tables
    from kerasbatch.runs.plans import plans
    from kerasbatch.spec import specfile
    from kerasbatch.spec.access import Access

    source = specfile.load(spec, overrides or ())
    planned = plans(source, Access(source.folder, trust))
    console = open_console(errors=False)
    if source.spec.question:
        console.print(source.spec.question, style="italic")
    for notice in dict.fromkeys(notice for each in planned for notice in each.notices):
        note(notice)
    if source.spec.sweep:
        print_whole(console, tables.sweep_table(planned))
        _explain_differences([each.plan for each in planned])
    else:
        (only,) = planned
        spec_of_run = only.single.spec
        show_plan(
            only.plan, seed=spec_of_run.seed, sampling=spec_of_run.sampling, held=only.held_back
        )


def _explain_differences(plans: "list[Plan]") -> None:
    by_size = {made.batch_size: made for made in plans}
    for size, made in by_size.items():
        if not made.follows_the_notes:
            line = f"  b = {size:,}: {made.difference}"
            open_console(errors=False).print(line, style="dim")
