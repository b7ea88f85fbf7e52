"""A random place in plain values, for tests that change documents at random."""

import random
from typing import Any


def random_place(document: Any, chance: random.Random) -> tuple[Any, Any]:
    """Return a mapping or list of a document and one of its keys; None if it is empty."""
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = chance.choice(keys) if keys else None
        inner = place[key] if key is not None else None
        if not isinstance(inner, dict | list) or not inner or chance.random() < 0.3:
            return place, key
        place = inner
