"""The least and the most runs of a sweep, before any is trained."""

from collections.abc import Sequence

from kerasbatch.search.group import Group, groups_of
from kerasbatch.search.sweep_search import is_capped
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.sweep.auto_rate import AutoRate, auto_rate_of
from kerasbatch.spec.sweep.single_run import SingleRun

FIRST, REFINED = 3, 2
"""The learning rates that a search tries first, and at last."""


def run_bounds(spec: Spec, runs: Sequence[SingleRun]) -> tuple[int, int]:
    """Return the least and the most runs of a sweep; equal if results decide nothing.

    Args:
        spec: the spec with the sweep.
        runs: the runs of the sweep, as `expand` returns them.
    """
    groups = groups_of(spec, runs)
    bounds = [_group_bounds(spec, g, auto_rate_of(spec, g.runs[0].spec)) for g in groups]
    return sum(least for least, _ in bounds), sum(most for _, most in bounds)


def _group_bounds(spec: Spec, group: Group, auto: AutoRate | None) -> tuple[int, int]:
    seeds, capped = len(group.seeds), is_capped(spec, group, auto)
    if auto is None:
        settings = len(group.settings)
        return settings + seeds - 1 if capped else settings * seeds, settings * seeds
    most = seeds * (FIRST + REFINED + 2 * auto.at_most)
    # Every rate but the best may be lost by one seed.
    least = FIRST + REFINED + seeds - 1 if capped else seeds * (FIRST + REFINED)
    return least, most
