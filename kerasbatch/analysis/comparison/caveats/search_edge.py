"""Searched values near the end of their range: a better one may lie beyond."""

from collections.abc import Iterator

from kerasbatch.analysis.comparison.caveats.caveat import Caveat, ComparisonContext
from kerasbatch.spec.sweep.search_space import position

OUTER = 0.1
"""The part of a range at each end in which a choice lies at its edge."""


def search_edge(context: ComparisonContext) -> Iterator[Caveat]:
    """Yield a caveat for each searched key whose choice lies in the outer tenth of its range."""
    ranges = {
        key: bounds
        for expected in context.loaded.expected.values()
        for key, bounds in expected.ranges.items()
    }
    chosen = context.chosen
    for key, (scale, bounds) in ranges.items():
        swept = chosen["run"].map(lambda run, key=key: context.records[run]["swept"].get(key))
        places = swept.dropna().map(lambda v, s=scale, b=bounds: position(s, b, float(v)))
        at_edge = chosen.loc[places[(places < OUTER) | (places > 1 - OUTER)].index]
        message = (
            f"the best {key} lies in the outer tenth of its range; a better one may lie beyond"
        )
        yield from context.caveats_for("search_edge", message, at_edge)
