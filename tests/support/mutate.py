"""Specs with random changes: odd values at odd places, and odd bytes."""

import copy
import random
from typing import Any

import yaml
from random_place import random_place

ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 2**63, 10**350, -(10**350), 1e308, 5e-324, float("nan"), float("inf")),
    *(
        "",
        "x",
        "full",
        "best",
        "none",
        "a" * 300,
        "\x1b[2J",
        "\u202e",
        "../x",
        "/etc/hosts",
        "a\0b",
    ),
    *(
        "adam",
        "mse",
        "loop.csv",
        "f.py:f",
        [],
        [[]],
        {},
        {"a": 1},
        [None] * 3,
        {"": {}},
        {"name": 7},
    ),
    *({"python": "f.py:f"}, {"csv": "a" * 300, "target": "a"}, {"npz": "loop.csv"}),
    *([1, 1], "0.1"),
    *({"name": "adam", "beta_1": 10**350}, {"rule": "sqrt", "betas": True}, {"at_least": 10**350}),
    *(
        {"epochs": 1, "steps": 1},
        {"per_batch_size": {1: [1]}},
        {"times": [10**350]},
        {"fraction": 1e-9},
    ),
    *({"AUC": {"num_thresholds": 10**10}}, {"Dense": {"units": 10**350}}, {"name": "auc"}),
)
KEYS = (
    *("data", "model", "optimizer", "loss", "metrics", "epochs", "steps", "examples", "batch_size"),
    *("seed", "validation", "evaluate_every", "target", "sampling", "partial_batch", "record"),
    *("learning_rate_rule", "save", "callbacks", "class_weight", "engine", "precision", "sweep"),
    *(
        "name",
        "question",
        "kind",
        "optimizer.learning_rate",
        "model.layers.0",
        "sweep.seed",
        "x" * 300,
    ),
    *("metrics." + "1" * 4400, "data.csv", "save.0", "", ".", "a.b.c", "\x1b[2J"),
)
BASE: dict[str, Any] = {
    "data": {"name": "line", "examples": 60},
    "model": {"layers": [{"Dense": {"units": 3}}, "Flatten", {"Dense": {"units": 1}}]},
    "optimizer": {"name": "adam", "learning_rate": 0.1, "beta_1": 0.9},
    "loss": {"name": "mse"},
    "metrics": ["mae", {"name": "mse"}],
    "epochs": 3,
    "batch_size": 8,
    "validation": {"examples": 10},
    "evaluate_every": {"epochs": 1},
    "target": {"metric": "val_loss", "at_most": 1.0},
    "learning_rate_rule": {"rule": "sqrt", "betas": True, "base_batch_size": 8},
    "callbacks": [{"EarlyStopping": {"patience": 3}}],
    "sweep": {"seed": [0, 1], "optimizer.learning_rate": [0.1, 0.2]},
}


def mutated_spec(seed: int) -> Any:
    """Return a spec with one to four random changes."""
    chance, spec = random.Random(seed), copy.deepcopy(BASE)  # noqa: S311  # no secret
    for _ in range(chance.choice((1, 1, 2, 4))):
        _change(spec, chance)
    return spec


def mutated_text(seed: int) -> bytes:
    """Return the YAML text of a mutated spec, of which some bytes may be others."""
    chance = random.Random(-seed)  # noqa: S311
    text = bytearray(yaml.safe_dump(mutated_spec(seed), allow_unicode=True).encode())
    for _ in range(chance.choice((0, 0, 1, 3))):
        text[chance.randrange(len(text))] = chance.choice(b"[]{}:,-'\"\\\n\t#&*!|>%@\0\xff09eE.")
    return bytes(text)


def _change(spec: Any, chance: random.Random) -> None:
    place, key = random_place(spec, chance)
    odd = copy.deepcopy(chance.choice(ODD))
    if isinstance(place, list):
        number = len(place) if key is None else key
        place[number : number + 1] = [odd]
    elif key is None or chance.random() < 0.3:
        place[chance.choice(KEYS)] = odd
    elif chance.random() < 0.2:
        del place[key]
    else:
        place[key] = odd
