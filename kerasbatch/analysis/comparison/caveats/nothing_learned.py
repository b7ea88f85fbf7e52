"""Runs that are at chance level: none of them is the best."""

from collections.abc import Iterator

from kerasbatch.analysis.comparison.caveats.caveat import Caveat, ComparisonContext
from kerasbatch.analysis.comparison.chance import judged_metric
from kerasbatch.text import counted, significant


def nothing_learned(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield a caveat for the runs at chance level: none of them is the best."""
    failed = context.chosen[~context.chosen["learned"]]
    metric = judged_metric(context.question)
    if len(failed):
        chance = sorted({significant(value) for value in failed["chance"]})
        message = (
            f"{counted(len(failed), 'run')} learned nothing: {metric} is no better than that of a "
            f"constant or untrained model ({' or '.join(chance)})"
        )
        yield from context.caveats_for("nothing_learned", message, failed)
