"""The facts of a checkpoint that is made up."""

from typing import Any

FACTS: dict[str, Any] = {
    "run_id": "batch_size=1-abc",
    "engine": "fused",
    "budget": ["epochs", 5],
    "saved": [],
    "models": [],
    "resumed": [],
    "versions": {},
    "machine": {},
}
