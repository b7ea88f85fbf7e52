"""Rounds of runs: a generator yields the requests of a round, and receives all their results.

So a search reads from top to bottom, and depends on the results of completed rounds alone: never on
the clock, nor on the order in which the runs of a round end.
"""

from collections.abc import Generator, Iterable, Sequence

from kerasbatch.search.seed_result import SeedResult
from kerasbatch.search.tried_settings import Request, Setting, TriedSettings, promising

Rounds = Generator[list[Request], list[SeedResult], None]


def train(tried: TriedSettings, requests: Sequence[Request]) -> Rounds:
    """Train a round of runs, and keep their results."""
    if requests:
        results = yield list(requests)
        for request, result in zip(requests, results, strict=True):
            tried.put(request, result)


def settle(tried: TriedSettings, settings: Iterable[Setting]) -> Rounds:
    """Train all seeds of settings, except of those that are lost before.

    Without a cap, the most promising one is trained whole; it gives the cap of the others. If it
    gives none, the next 2, 4 and so on are trained.
    """
    settings, width = list(settings), 1
    while unsettled := [setting for setting in settings if not tried.is_settled(setting)]:
        if not tried.capped:
            whole = unsettled
        elif tried.cap() is None:
            whole, width = promising(unsettled, tried)[:width], 2 * width
        else:
            requests = [request for setting in unsettled for request in _next(tried, setting)]
            yield from train(tried, requests)
            continue
        pairs = [(setting, seed) for setting in whole for seed in tried.missing(setting)]
        yield from train(tried, [tried.request(*pair) for pair in pairs])


def _next(tried: TriedSettings, setting: Setting) -> list[Request]:
    """Return the fewest runs that may show that a setting is lost; else all that make it whole."""
    cap, missing = tried.cap(), tried.missing(setting)
    assert cap is not None  # noqa: S101  # the caller has checked it
    known = tried.results.get(setting, {})
    passed = [seed for seed in tried.seeds if seed in known and known[seed].least_steps > cap]
    open_seeds = [seed for seed in missing if seed not in passed]
    needed = len(tried.seeds) // 2 + 1 - len(passed)
    if 0 < needed <= len(open_seeds):
        return [tried.request(setting, seed, cap) for seed in open_seeds[:needed]]
    return [tried.request(setting, seed) for seed in missing]
