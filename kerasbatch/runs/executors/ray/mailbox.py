"""How a run on a cluster and the process that asked for it speak: through a mailbox in between.

The mailbox is an actor of Ray's; nothing here needs Ray itself. Everything is pulled by the one who
wants it, so no side must be reachable by the other.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

WAIT = 10.0
"""Seconds after which a worker asks again for an order."""


class Mailbox:
    """Keeps what workers tell until it is taken, and orders until their worker asks for them."""

    def __init__(self) -> None:
        self._told: list[tuple[str, Any]] = []
        self._first = 0
        self._news = asyncio.Event()
        self._orders: dict[str, deque[Any]] = defaultdict(deque)
        self._given: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._kept: dict[str, Any] = {}

    async def keep(self, things: dict[str, Any]) -> None:
        """Keep something for all workers, by names."""
        self._kept |= things

    async def kept(self, name: str) -> Any:
        """Return what was kept by a name."""
        return self._kept[name]

    async def tell(self, worker: str, message: Any) -> bool:
        """Keep what a worker tells; return whether there is an order for it."""
        self._told.append((worker, message))
        self._news.set()
        return bool(self._orders[worker])

    async def take(self, seconds: float, seen: int) -> tuple[int, list[tuple[str, Any]]]:
        """Return what workers have told, and wait for it so long.

        Whoever takes may be interrupted before it gets the answer, so nothing is forgotten until
        it says how much of it was seen.

        Args:
            seconds: how long to wait.
            seen: how many messages have been seen, of all that there ever were.

        Returns:
            The number of messages before the first, and the messages.
        """
        del self._told[: seen - self._first]
        self._first = seen
        if not self._told:
            self._news.clear()
            await _wait(self._news, seconds)
        return self._first, list(self._told)

    async def give(self, worker: str, order: Any) -> None:
        """Keep an order for a worker."""
        self._orders[worker].append(order)
        self._given[worker].set()

    async def order(self, worker: str, seconds: float) -> list[Any]:
        """Return the next order for a worker, if there is one within so long."""
        if not self._orders[worker]:
            self._given[worker].clear()
            await _wait(self._given[worker], seconds)
        waiting = self._orders[worker]
        return [waiting.popleft()] if waiting else []


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


class MailboxChannel:
    """A worker's line to its mailbox.

    Args:
        worker: the worker's name.
        mailbox: the actor.
        get: waits for what the actor returns.
    """

    def __init__(self, worker: str, mailbox: Any, get: Callable[[Any], Any]) -> None:
        self._worker, self._mailbox, self._get = worker, mailbox, get
        self._has_order = False

    def send(self, message: object, /) -> None:
        """Tell something."""
        self._has_order = self._get(self._mailbox.tell.remote(self._worker, message))

    def poll(self) -> bool:
        """Say whether there was an order when something was told last."""
        return self._has_order

    def recv(self) -> Any:
        """Wait for an order and return it."""
        self._has_order = False
        while True:
            orders = self._get(self._mailbox.order.remote(self._worker, WAIT))
            if orders:
                return orders[0]
