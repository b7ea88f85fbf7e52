"""The rule by which one setting is better than another; `compare` and every search use it.

With a target: the largest share of seeds that reached it, then the smallest median of their steps;
if no seed reached it, the setting that came nearest. Without a target: the best median of the last
value. It follows Shallue et al. 2018 (arXiv 1811.03600). Ties go to the smaller rate.
"""

import math
import statistics
from collections.abc import Sequence

Merit = tuple[float, float, float]
"""The merit of a setting; smaller is better."""


def merit(
    reached: int, seeds: int, steps: Sequence[float], badness: Sequence[float], *, has_target: bool
) -> Merit:
    """Return the merit of a setting.

    Args:
        reached: the seeds that reached the target; without a target, those that ended.
        seeds: the seeds that count.
        steps: the steps to the target of the seeds that reached it.
        badness: the last value of the judged metric of every seed, or its negative if higher
            values are better; infinite for a seed that diverged or learned nothing.
        has_target: whether there is a target.
    """
    share = reached / seeds if seeds else 0.0
    nearest = statistics.median(badness) if badness else math.inf
    if not has_target:
        return -share, nearest, 0.0
    if steps:
        return -share, statistics.median(steps), 0.0
    return -share, math.inf, nearest


def counted_seeds(decided: int, asked: int) -> int:
    """Return the seeds that count: those with a result, and at least half of those asked for.

    A seed without a result is not counted, so that a lost run does not change the choice; but one
    lucky seed is no setting.
    """
    return max(decided, math.ceil(asked / 2))
