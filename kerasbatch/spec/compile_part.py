"""The parts of `compile` in a spec: the optimizer, the loss and each metric."""

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    Strict,
    model_serializer,
    model_validator,
)

from kerasbatch.spec.call_arguments import ARGUMENTS
from kerasbatch.spec.fields import AS, PythonName, Text


class CompilePart(BaseModel):
    """The optimizer, the loss or a metric of a model; `keras_validation` checks what is written.

    It is a Keras object by its name with its arguments beside it; own code, as `{python:
    "mine.py:focal", arguments: {gamma: 2}}`; an object that Python code passed; or nothing, where
    the model is compiled already. A loss may be one for each output, `{price: mse, kind: ...}`,
    and a metric that of an output.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    name: Annotated[str, Strict()] = ""
    python: PythonName | None = None
    object: Text | None = None
    note: Text | None = None
    output: Text | None = None
    outputs: dict[str, "CompilePart"] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _with_name(cls, written: Any) -> Any:
        """Name own code by its function and its file, which no class of Keras is called."""
        if not isinstance(written, dict) or "name" in written:
            return written
        named = (written[key] for key in ("python", "object") if isinstance(written.get(key), str))
        return {**written, "name": next(named, "")}

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        plain: dict[str, Any] = handler(self)
        by_output: dict[str, Any] = plain.pop("outputs", None) or {}
        if by_output:
            return by_output
        if self.is_own or not self.name:
            plain.pop("name", None)
        return plain

    @property
    def is_own(self) -> bool:
        """True if it comes from code of the user."""
        return self.python is not None or self.object is not None

    @property
    def is_of_model(self) -> bool:
        """True if it is the one that the model was compiled with."""
        return not self.name and not self.outputs

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments beside the name, as written."""
        hidden = (AS, ARGUMENTS) if self.is_own else (AS,)
        written = self.model_extra or {}
        return {name: value for name, value in written.items() if name not in hidden}

    @property
    def own_arguments(self) -> dict[str, Any]:
        """The arguments of own code."""
        return dict((self.model_extra or {}).get(ARGUMENTS) or {}) if self.is_own else {}

    @property
    def column(self) -> str:
        """The name of a metric in logs and tables: the one given by `as`, or its own."""
        own = self.name.rpartition(":")[2] if self.python else self.name
        name = str((self.model_extra or {}).get(AS, own))
        return name if self.output is None else f"{self.output}_{name}"

    @property
    def metric_name(self) -> str:
        """The name of a metric in Keras, which puts that of its output before it."""
        return self.column if self.output is None else self.column.removeprefix(f"{self.output}_")
