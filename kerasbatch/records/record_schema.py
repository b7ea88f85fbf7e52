"""The schema of a record; a record from outside may have a valid checksum and any content."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    model_validator,
)

from kerasbatch.columns import INNER_COLUMNS
from kerasbatch.records.file_names import HASHED
from kerasbatch.records.run_row import RUN_COLUMNS, RunRow
from kerasbatch.records.run_status import RunStatus
from kerasbatch.spec.schema import KEYS
from kerasbatch.text import show_value

MAX_DEPTH = 50
"""The largest depth of lists and mappings; the recursion of Python ends at 1,000."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Number = Annotated[float, Field(strict=True)] | Literal["inf", "-inf", "nan"]
Count = Annotated[int, Field(strict=True, ge=0, lt=2**62)]
Text = Annotated[str, Field(strict=True)] | None
Scalar = bool | Number | Text
Time = Annotated[str, AfterValidator(lambda text: datetime.fromisoformat(text) and text)] | None
_FILES = "|".join([*map(re.escape, HASHED), r"checkpoint-[0-9]{1,18}\.keras"])
KnownFile = Annotated[str, Field(pattern=f"^({_FILES})$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_HINTS = get_type_hints(RunRow)
TEXTS = frozenset({"target", *(name for name in _HINTS if _HINTS[name] in (str, str | None))})
"""The columns of a run's row that hold texts; all others hold numbers."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow")


class _CompilePart(_Part):
    name: str = ""


class _Spec(_Part):
    question: Text = None
    data: dict[str, Any]
    optimizer: _CompilePart = _CompilePart()
    metrics: list[_CompilePart] = []
    callbacks: list[str | dict[str, Any]] = []


class _Engine(_Part):
    name: Text = None


class _Cap(_Part):
    steps: Count
    is_limit: bool


class _Objective(_Part):
    weights: list[str]
    optimum: list[Finite]
    hessian: list[list[Finite]]
    minimum: Finite
    train_seconds: Finite | None = None

    @model_validator(mode="after")
    def _has_one_size(self) -> Self:
        size = len(self.weights)
        if {len(self.optimum), len(self.hessian), *map(len, self.hessian)} != {size}:
            raise ValueError("sizes differ")
        return self


_STRICT = {
    str: str,
    int: Count,
    float: Number,
    str | None: Text,
    int | None: Count | None,
    float | None: Number | None,
}
"""The strict type of a column, by its type in RunRow."""


class _Metrics(_Part):
    """The columns after those of every run: the target, and metrics as numbers."""

    __pydantic_extra__: dict[str, Number | None]
    target: Text = None


_COLUMNS: dict[str, Any] = {name: (_STRICT[_HINTS[name]], ...) for name in RUN_COLUMNS}
_Row = create_model("_Row", __base__=_Metrics, **_COLUMNS)


class _Record(_Part):
    run_id: str
    status: RunStatus
    message: str
    row: _Row
    spec: _Spec
    files: dict[KnownFile, Sha256]
    swept: dict[str, Any]
    engine: _Engine
    versions: dict[str, Text]
    machine: dict[str, Scalar] = {}
    data_fingerprint: Text = None
    data_description: dict[str, str] = {}
    code: dict[str, Sha256] = {}
    classes: Count | None = None
    chance_level: dict[str, Finite] = {}
    spec_hash: Sha256 | None = None
    overrides: list[str] = []
    git_commit: Text = None
    started: Time = None
    ended: Time = None
    error: Text = None
    objective: _Objective | None = None
    cap: _Cap | None = None

    @model_validator(mode="after")
    def _has_a_cap(self) -> Self:
        if self.status == RunStatus.CAPPED and self.cap is None:
            raise ValueError("a capped run has no cap")
        return self


def record_problem(record: Mapping[str, Any], *, is_unicode: bool = False) -> str | None:
    """Return the first violation of the schema, to follow the name of the file; or None.

    Args:
        record: the record.
        is_unicode: whether its texts are known to be legal Unicode.
    """
    if problem := _text_problem(record, is_unicode):
        return problem
    try:
        _Record.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return f"has an invalid {place} ({first['msg'].lower()})"
    return _row_problem(record["row"], record["status"]) or _swept_problem(record["swept"])


def foreign_row_problem(record: Mapping[str, Any]) -> str | None:
    """Return the first violation in a record of another version, of which only the row is used."""
    if problem := _text_problem(record, is_unicode=False):
        return problem
    row, parts = record.get("row"), (record.get("swept", {}), record.get("spec", {}))
    is_row = isinstance(row, dict) and isinstance(row.get("run_id"), str)
    if not is_row or not all(isinstance(part, dict) for part in parts):
        return "is damaged"
    return None


def _text_problem(record: Mapping[str, Any], is_unicode: bool) -> str | None:
    """Return the problem of a record that cannot be processed or written as UTF-8; or None."""
    try:
        if not is_unicode:
            json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "holds text that is not Unicode"
    return _value_problem(record, MAX_DEPTH)


def _value_problem(value: Any, depth: int) -> str | None:
    """Return the problem of a value that other code cannot process: its depth, or its size."""
    if depth == 0:
        return "is nested too deeply"
    if isinstance(value, int) and abs(value) >= 2**63:
        return "holds a number that is too large"
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inner:
        is_legal = isinstance(part, str | float) or part is None
        if not is_legal and (problem := _value_problem(part, depth - 1)):
            return problem
    return None


def _row_problem(row: Mapping[str, Any], status: str) -> str | None:
    for name in row:
        if name in INNER_COLUMNS or not name.isprintable():
            return f"has a row.{show_value(name)}, which is no column of a run"
    return None if row["status"] == status else "has another status in its row"


def _swept_problem(swept: Mapping[str, Any]) -> str | None:
    for key in swept:
        name = key.partition(".")[0]
        if name not in KEYS or not KEYS[name].swept or not key.isprintable():
            return f"has a swept.{show_value(key)}, which is no key of a spec"
    return None
