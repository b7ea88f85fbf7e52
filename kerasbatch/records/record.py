"""record.json: written with checksums of itself and of the run's files, and read back by them.

What does not match is damaged and never shown. A record of another format belongs to another
version of kerasbatch; it is named and left alone.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasbatch.records.files import write_text

FORMAT = 2
"""The version of the files; a run of another version is not taken for a finished one."""
NAME = "record.json"
_CHECKSUM, _FILES = "checksum", "files"


@dataclass(frozen=True)
class StoredRecord:
    """What was found where a record should be.

    Args:
        record: the record, or None where there is none or it is damaged.
        problem: what is wrong with it, to follow the name of the run in a sentence, or None.
        foreign: whether it was written in another format; then only its row is of use.
    """

    record: dict[str, Any] | None = None
    problem: str | None = None
    foreign: bool = False


def write_record(folder: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write the record of a run, with checksums of all files beside it; return what was added."""
    files = {path.name: _hash(path) for path in sorted(folder.iterdir()) if _belongs(path)}
    plain = _without_special_numbers({"format": FORMAT, **record, _FILES: files})
    plain[_CHECKSUM] = _checksum(plain)
    text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(folder / NAME, text + "\n")
    return {"format": FORMAT, _FILES: files}


def _belongs(path: Path) -> bool:
    return path.is_file() and path.name != NAME and not path.name.startswith(".")


def read_record(folder: Path) -> StoredRecord:
    """Read the record of a run and check it against its own checksum."""
    try:
        record = json.loads((folder / NAME).read_bytes())
    except FileNotFoundError:
        return StoredRecord()
    except OSError as error:
        return StoredRecord(problem=f"its {NAME} cannot be read ({error.strerror})")
    except (ValueError, RecursionError):
        return StoredRecord(problem=f"its {NAME} is damaged")
    if not isinstance(record, dict) or not isinstance(record.get("format"), int):
        return StoredRecord(problem=f"its {NAME} is damaged")
    written = record.pop(_CHECKSUM, None)
    is_ours = record["format"] == FORMAT
    if (written is not None or is_ours) and written != _checksum(record):
        return StoredRecord(problem=f"its {NAME} does not match its checksum")
    if is_ours:
        return StoredRecord(record)
    return StoredRecord(
        record, f"was written in format {record['format']} by another version", True
    )


def damaged_files(folder: Path, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of a run's files that are not what its record says, or not there."""
    for name, checksum in record[_FILES].items():
        path = folder / name
        if not path.is_file() or _hash(path) != checksum:
            yield name


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _checksum(record: Mapping[str, Any]) -> str:
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _without_special_numbers(value: Any) -> Any:
    """Write inf and nan as text, which JSON has no numbers for."""
    if isinstance(value, Mapping):
        return {key: _without_special_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_special_numbers(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
