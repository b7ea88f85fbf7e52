"""The mailbox between the workers of a cluster and this process.

The mailbox is a Ray actor; this module does not need Ray. Both sides poll it, so that neither must
be reachable from the other.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

WAIT = 10.0
"""Seconds after which a worker polls again for an order."""


class Mailbox:
    """Holds the messages of workers, and the orders for them, until they are fetched."""

    def __init__(self) -> None:
        self._messages: list[tuple[str, Any]] = []
        self._first = 0
        self._has_messages = asyncio.Event()
        self._orders: dict[str, deque[Any]] = defaultdict(deque)
        self._has_orders: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._objects: dict[str, Any] = {}

    async def share(self, objects: dict[str, Any]) -> None:
        """Store objects for all workers, by name."""
        self._objects |= objects

    async def shared(self, name: str) -> Any:
        """Return the object of a name."""
        return self._objects[name]

    async def send(self, worker: str, message: Any) -> bool:
        """Store a message of a worker; return whether an order waits for it."""
        self._messages.append((worker, message))
        self._has_messages.set()
        return bool(self._orders[worker])

    async def take(self, seconds: float, seen: int) -> tuple[int, list[tuple[str, Any]]]:
        """Return the messages of workers; wait for the first one.

        The caller may be interrupted before the answer arrives, so a message is deleted only when
        a later call says that it was seen.

        Args:
            seconds: the longest wait.
            seen: the number of messages seen so far, since the beginning.

        Returns:
            The number of earlier messages, and the messages.
        """
        del self._messages[: seen - self._first]
        self._first = seen
        if not self._messages:
            self._has_messages.clear()
            await _wait(self._has_messages, seconds)
        return self._first, list(self._messages)

    async def order(self, worker: str, order: Any) -> None:
        """Store an order for a worker."""
        self._orders[worker].append(order)
        self._has_orders[worker].set()

    async def next_orders(self, worker: str, seconds: float) -> list[Any]:
        """Return the next order for a worker, or none within `seconds`."""
        if not self._orders[worker]:
            self._has_orders[worker].clear()
            await _wait(self._has_orders[worker], seconds)
        orders = self._orders[worker]
        return [orders.popleft()] if orders else []


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


class MailboxChannel:
    """A worker's connection to its mailbox.

    Args:
        worker: the worker's name.
        mailbox: the actor.
        get: waits for the result of a remote call, as `ray.get` does.
    """

    def __init__(self, worker: str, mailbox: Any, get: Callable[[Any], Any]) -> None:
        self._worker, self._mailbox, self._get = worker, mailbox, get
        self._has_order = False

    def send(self, message: object, /) -> None:
        """Send a message."""
        self._has_order = self._get(self._mailbox.send.remote(self._worker, message))

    def poll(self) -> bool:
        """Return whether an order waited at the last message."""
        return self._has_order

    def recv(self) -> Any:
        """Wait for an order and return it."""
        self._has_order = False
        while True:
            orders = self._get(self._mailbox.next_orders.remote(self._worker, WAIT))
            if orders:
                return orders[0]
