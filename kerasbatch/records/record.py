"""record.json, with checksums of itself and of the run's files, which are verified on reading.

A record or file that does not match its checksum is damaged and never shown. A record of another
format belongs to another version of kerasbatch; it is reported and not changed.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasbatch.atomic_files import write_text
from kerasbatch.records.file_names import CHECKPOINTS, HASHED, RECORD
from kerasbatch.records.record_schema import foreign_row_problem, record_problem
from kerasbatch.records.stored_files import StoredFileError, hash_stored, read_stored

FORMAT = 2
"""The version of the file format; a run of another version does not count as finished."""
_CHECKSUM, _FILES = "checksum", "files"


@dataclass(frozen=True)
class StoredRecord:
    """The result of reading a record: the record, or the problem with it.

    Args:
        record: the record, or None if it is missing or damaged.
        problem: the problem, to follow the name of the run in a sentence, or None.
        other_format: whether it has another format; then only its row is usable.
    """

    record: dict[str, Any] | None = None
    problem: str | None = None
    other_format: bool = False


def write_record(folder: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write the record of a run, with checksums of its files; return the added keys."""
    names = [name for name in HASHED if (folder / name).exists()]
    names += sorted(file.name for file in folder.glob(CHECKPOINTS))
    files = {name: hash_stored(folder / name) for name in names}
    plain = _writable({"format": FORMAT, **record, _FILES: files})
    plain[_CHECKSUM] = checksum_of(plain)
    text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(folder / RECORD, text + "\n")
    return {"format": FORMAT, _FILES: files}


_SURROGATES = b"\\u", b"\xed", b"\0"
"""Parts of every JSON file that holds half a surrogate: escaped, in UTF-8, in UTF-16 or UTF-32."""


def read_record(folder: Path) -> StoredRecord:
    """Read the record of a run; check its own checksum, and then its shape."""
    try:
        content = read_stored(folder / RECORD)
        record = json.loads(content)
    except FileNotFoundError:
        return StoredRecord()
    except StoredFileError as error:
        return StoredRecord(problem=f"its {RECORD} {error}")
    except (ValueError, RecursionError):
        return StoredRecord(problem=f"its {RECORD} is damaged")
    if not isinstance(record, dict) or not isinstance(record.get("format"), int):
        return StoredRecord(problem=f"its {RECORD} is damaged")
    written = record.pop(_CHECKSUM, None)
    is_current = record["format"] == FORMAT
    if (written is not None or is_current) and written != checksum_of(record):
        return StoredRecord(problem=f"its {RECORD} does not match its checksum")
    may_be_damaged = any(part in content for part in _SURROGATES)
    problem = (
        record_problem(record, is_unicode=not may_be_damaged)
        if is_current
        else foreign_row_problem(record)
    )
    if problem:
        return StoredRecord(problem=f"its {RECORD} {problem}")
    if is_current:
        return StoredRecord(record)
    return StoredRecord(
        record, f"was written in format {record['format']} by another version", True
    )


def file_problems(folder: Path, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the problems of a run's files: missing, not readable, or not as in the record."""
    for name, checksum in record[_FILES].items():
        try:
            if hash_stored(folder / name) != checksum:
                yield f"its {name} does not match its checksum"
        except FileNotFoundError:
            yield f"its {name} is missing"
        except StoredFileError as error:
            yield f"its {name} {error}"


def checksum_of(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a record, for the key `checksum` in its file."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _writable(value: Any) -> Any:
    """Return a value with inf, nan and lone surrogates as text, since JSON holds none of them."""
    if isinstance(value, Mapping):
        return {key: _writable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(inner) for inner in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
