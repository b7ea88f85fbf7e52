"""The schema of a record; a record from outside may have a valid checksum and any content."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from kerasbatch.records.run_row import RUN_COLUMNS

Number = Annotated[float, Field(strict=True)] | Literal["inf", "-inf", "nan"] | None
Count = Annotated[int, Field(strict=True, ge=0, lt=2**62)] | None
Text = Annotated[str, Field(strict=True)] | None
Scalar = bool | Number | Text
Time = Annotated[str, AfterValidator(lambda text: datetime.fromisoformat(text) and text)] | None
TEXTS = ("run_id", "status", "data_used", "optimizer", "engine", "step_check", "target")
"""The columns of a run's row that hold texts; all others of RUN_COLUMNS hold numbers."""
COUNTS = ("planned_steps", "observed_steps", "batch_size", "seed", "train_examples")


class _Spec(BaseModel):
    model_config = ConfigDict(extra="allow")
    question: Text = None
    data: dict[str, Any]
    optimizer: dict[str, Any]
    metrics: list[dict[str, Any]] = []
    callbacks: list[Any] = []


class _Engine(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: Text = None


class _Record(BaseModel):
    model_config = ConfigDict(extra="allow")
    status: str
    message: Text = None
    row: dict[str, Scalar]
    spec: _Spec
    swept: dict[str, Any] = {}
    engine: _Engine | None = None
    versions: dict[str, Text] = {}
    machine: dict[str, Scalar] = {}
    data_fingerprint: Text = None
    git_commit: Text = None
    started: Time = None
    ended: Time = None
    objective: dict[str, Any] | None = None


def record_problem(record: Mapping[str, Any]) -> str | None:
    """Return the first violation of the schema, to follow the name of the run; or None."""
    try:
        _Record.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return f"its record.json has an invalid {place} ({first['msg'].lower()})"
    return _row_problem(record["row"])


def _row_problem(row: Mapping[str, Any]) -> str | None:
    if missing := [name for name in RUN_COLUMNS if name not in row]:
        return f"its record.json has no row.{missing[0]}"
    for name, value in row.items():
        try:
            _adapter(name).validate_python(value)
        except ValidationError:
            return f"its record.json has an invalid row.{name}"
    return None


def _adapter(name: str) -> TypeAdapter[Any]:
    return _TEXT if name in TEXTS else _COUNT if name in COUNTS else _NUMBER


_TEXT, _COUNT, _NUMBER = TypeAdapter[Any](Text), TypeAdapter[Any](Count), TypeAdapter[Any](Number)
