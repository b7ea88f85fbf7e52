"""The rounds of a grid: all settings of a batch size are known from the start."""

from collections.abc import Sequence

from kerasbatch.search.rounds import Rounds, settle, train
from kerasbatch.search.tried_settings import Setting, TriedSettings


def grid_rounds(tried: TriedSettings, settings: Sequence[Setting]) -> Rounds:
    """Train the settings of a grid, and give up those that cannot win.

    The first seed of every setting comes first, from the middle of the grid outwards in rounds of
    1, 2, 4 and so on: each round is capped by the best of the rounds before it.
    """
    if tried.capped and len(settings) > 1:
        waiting, width = _from_the_middle(settings), 1
        while waiting:
            wave, waiting, cap = waiting[:width], waiting[width:], tried.first_cap()
            yield from train(tried, [tried.request(each, tried.seeds[0], cap) for each in wave])
            width *= 2
    yield from settle(tried, settings)


def _from_the_middle(settings: Sequence[Setting]) -> list[Setting]:
    middle = len(settings) // 2
    return [settings[i] for i in sorted(range(len(settings)), key=lambda i: (abs(i - middle), i))]
