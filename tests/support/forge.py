"""Forged results: records and tables with random changes, signed as if they were real."""

import copy
import hashlib
import json
import os
import random
from pathlib import Path
from typing import Any

from random_place import random_place

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**70, 10**400, 1e308, -0.0, float("nan"), float("inf")),
    *(
        "",
        "x",
        "inf",
        "nan",
        "\x1b]0;OWNED\x07",
        "=HYPERLINK(1)",
        "\u202e",
        "../../x",
        "/etc/passwd",
    ),
    *("done", "x" * 5000, "<script>", "val_loss", [], [[]], {}, {"a": 1}, [None] * 3, {"": {}}),
    *({"name": "digits"}, {"python": "f.py:f"}, [{"name": 7}], "2026-13-45", {"name": []}),
)
NAMES = (
    *("row", "first", "run", "experiment", "run_id", "val_loss", "loss", "batch_size", "seeds"),
    *("\x1b[2J", "", "../record.json", "/proc/kmsg", "a" * 5000, "optimizer.learning_rate", "seed"),
    *("target", "steps_to_target", "epochs", "size", "value", "data", "unknown", "caveats", "x.y"),
)


def forged_count(default: int) -> int:
    """Return the number of forgeries that a slow test tries."""
    return int(os.environ.get("KERASBATCH_FORGED", default))


def forge_record(directory: Path, seed: int) -> None:
    """Change a record at random, in one to three places, and sign it."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    record = json.loads((directory / "record.json").read_bytes())
    for _ in range(chance.randint(1, 3)):
        change(record, chance)
    sign(directory, record)


def sign(directory: Path, record: dict[str, Any]) -> None:
    """Write a record of any content, with its own checksum."""
    record.pop("checksum", None)
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    record["checksum"] = hashlib.sha256(text.encode()).hexdigest()
    (directory / "record.json").write_text(json.dumps(record), encoding="utf-8")


def change(record: Any, chance: random.Random) -> None:
    """Replace, remove, rename or add a value at a random place."""
    place, key = random_place(record, chance)
    kind = chance.randrange(4)
    odd = copy.deepcopy(chance.choice(ODD))
    if isinstance(place, list):
        place[:] = (
            [*place, odd] if key is None else [odd if i == key else v for i, v in enumerate(place)]
        )
    elif kind == 0 or key is None:
        place[chance.choice(NAMES)] = odd
    elif kind == 1:
        del place[key]
    elif kind == 2:
        place[chance.choice(NAMES)] = place.pop(key)
    else:
        place[key] = odd


def forge_table(directory: Path, seed: int) -> None:
    """Change a table at random, and sign it: a cell, a name, a line, a byte."""
    chance = random.Random(seed)  # noqa: S311
    file = directory / chance.choice(sorted(path.name for path in directory.glob("*.csv")))
    lines = file.read_text(encoding="utf-8").splitlines()
    for _ in range(chance.randint(1, 3)):
        number = chance.choice((0, chance.randrange(len(lines))))
        cells = lines[number].split(",")
        cells[chance.randrange(len(cells))] = str(
            chance.choice((*ODD, *NAMES, '"', "1,2", "1e999"))
        )
        lines[number] = ",".join(cells)
    content = bytearray("\n".join(lines).encode("utf-8", "surrogatepass"))
    if chance.random() < 0.3:
        content[chance.randrange(len(content))] = chance.randrange(256)
    file.write_bytes(bytes(content) * chance.choice((1, 1, 1, 2)))
    record = json.loads((directory / "record.json").read_bytes())
    record["files"][file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    sign(directory, record)
