"""The rounds of a search for the learning rate of one batch size.

A setting is the position of a rate: rate = start * factor ** position. With the first seed, the
search goes outward from the start while the best lies at the edge; then the best and its neighbours
are trained with all seeds, and at last the two rates half a position from the choice.
"""

from collections.abc import Iterator

from kerasbatch.search.rounds import Rounds, settle, train
from kerasbatch.search.tried_settings import TriedSettings

HALF = 0.5
"""Half a position: a factor of the square root of the factor between two rates."""


def rate_rounds(tried: TriedSettings, at_most: int) -> Rounds:
    """Search the learning rate.

    Args:
        tried: receives the results; its settings are positions.
        at_most: the largest number of positions beyond the neighbours of the start, on each side.
    """
    yield from _first_seeds(tried, at_most)
    while not tried.all_failed():
        best = choice(tried)
        around = [best, *(best + side for side in (-1, 1) if _is_open(tried, best + side, at_most))]
        unsettled = [position for position in around if not tried.is_settled(position)]
        if not unsettled:
            break
        yield from settle(tried, unsettled)
    tried.is_located = True
    if not tried.all_failed():
        yield from settle(tried, [best - HALF, best + HALF])


def choice(tried: TriedSettings) -> float:
    """Return the best position: of those with all seeds, else by the first seed."""
    whole = tried.best_whole()
    if whole is not None:
        return float(whole)
    return float(min(tried.results, key=lambda position: (tried.first_merit(position), position)))


def _first_seeds(tried: TriedSettings, at_most: int) -> Rounds:
    """Try the start and its neighbours, then outward, with the first seed."""
    seed = tried.seeds[0]
    start = [0] if tried.capped else [0, 1, -1]
    yield from train(tried, [tried.request(float(position), seed) for position in start])
    if tried.capped:
        sides = [-1.0] if tried.first_result(0.0).diverged else [1.0, -1.0]
        cap = tried.first_cap()
        yield from train(tried, [tried.request(position, seed, cap) for position in sides])
    while beyond := list(_beyond(tried, at_most)):
        cap = tried.first_cap()
        yield from train(tried, [tried.request(position, seed, cap) for position in beyond])


def _beyond(tried: TriedSettings, at_most: int) -> Iterator[float]:
    """Yield the next positions outward: on the side where the best lies, or on both if all fail."""
    if tried.all_failed():
        return
    low, high = min(tried.results), max(tried.results)
    merits = {position: tried.first_merit(position) for position in tried.results}
    best = min(merits.values())
    none_learned = not _any_learned(tried)
    nearest = min(position for position, merit in merits.items() if merit == best)
    # Where all are equal, the plateau may end on either side.
    is_plateau = none_learned or set(merits.values()) == {best}
    for edge, side in ((low, -1), (high, 1)):
        is_best = edge == nearest or is_plateau
        if is_best and _is_open(tried, edge + side, at_most):
            yield edge + side


def _is_open(tried: TriedSettings, position: float, at_most: int) -> bool:
    """Return whether a position may be tried.

    A divergence ends the upward side, and a run that learns nothing the downward side, unless no
    run at all has learned.
    """
    if position in tried.results:
        return True
    if abs(position) > 1 + at_most:
        return False
    if position > 0:
        return not tried.first_result(max(tried.results)).diverged
    return tried.first_result(min(tried.results)).learned or not _any_learned(tried)


def _any_learned(tried: TriedSettings) -> bool:
    return any(tried.first_result(position).learned for position in tried.results)
