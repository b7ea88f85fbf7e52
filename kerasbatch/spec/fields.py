"""The building blocks of a spec's keys: what a value must be, in words, and how mappings differ.

Every field carries in words what it must be; errors and the JSON schema use the same words.
"""

from dataclasses import dataclass
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    ValidationError,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from kerasbatch.spec.keras_registry import PYTHON_NAME

MAX_COUNT = 10**12


@dataclass(frozen=True)
class Expected:
    """Says in words what a value must be; every failure below it becomes that one sentence."""

    be: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Wrap the validation of the annotated type."""
        return core_schema.no_info_wrap_validator_function(self._validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe the value in the same words."""
        return handler(schema) | {"description": self.be}

    def _validate(self, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise PydanticCustomError("must", "{be}", {"be": self.be}) from None


@dataclass(frozen=True)
class Short:
    """Lets a mapping be written as plain text that stands for one of its keys."""

    key: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Open the short form before validating."""
        return core_schema.no_info_before_validator_function(self._open, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Allow both forms."""
        return {"anyOf": [{"type": "string"}, handler(schema)]}

    def _open(self, value: Any) -> Any:
        return {self.key: value} if isinstance(value, str) else value


@dataclass(frozen=True)
class Words:
    """Lets a list of words be written as one word; a chosen one stands for none of them."""

    none: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Open the short form before validating."""
        return core_schema.no_info_before_validator_function(self._open, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Allow both forms."""
        whole = handler(schema)
        return {"anyOf": [{"enum": [self.none, *whole["items"]["enum"]]}, whole]}

    def _open(self, value: Any) -> Any:
        if isinstance(value, str):
            return () if value == self.none else (value,)
        return value


def one_of(names: Any) -> str:
    """Say that a value is one of the words of a Literal."""
    return "one of " + ", ".join(get_args(names))


Count = Annotated[int, Strict(), Field(ge=1, le=MAX_COUNT), Expected("a whole number, at least 1")]
Fraction = Annotated[float, Field(gt=0, lt=1), Expected("a number between 0 and 1, both excluded")]
Text = Annotated[str, Strict(), Field(min_length=1, max_length=2000), Expected("text")]
Flag = Annotated[bool, Strict(), Expected("true or false")]
FileName = Annotated[
    str, Strict(), Field(min_length=1, max_length=1000), Expected("the name of a file")
]
PythonName = Annotated[
    str,
    Strict(),
    Field(pattern=PYTHON_NAME, max_length=1000),
    Expected("a file and a function in it, like my_code.py:build"),
]


class StrictModel(BaseModel):
    """The rules of every mapping in a spec: no unknown keys, no conversions, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class NamedObject(BaseModel):
    """A Keras object by name, with its arguments beside it; `keras_names` checks both."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    name: Text

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as they were written, without the name."""
        return dict(self.model_extra or {})


def by_key(**models: type[StrictModel]) -> Discriminator:
    """Choose the member of a union by the key that is present; the first one if none is."""

    def choose(value: Any) -> str:
        if isinstance(value, StrictModel):
            return tag(type(value))
        present = value if isinstance(value, dict) else ()
        chosen = next((model for key, model in models.items() if key in present), None)
        return tag(chosen or next(iter(models.values())))

    return Discriminator(choose)


def tag(model: type[Any]) -> str:
    """Return the mark that a member of a union leaves in the location of an error."""
    return f"<{model.__name__}>"


def word_or(mapping: str) -> Discriminator:
    """Choose between a plain word and a mapping."""
    scalar = str | int | float | None
    return Discriminator(lambda value: "<word>" if isinstance(value, scalar) else mapping)
