"""Building blocks of the spec: metadata of keys, strict mappings, and types of single values.

`Expected` describes the legal values; errors and the JSON schema use the same text.
"""

import functools
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    ValidationError,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from kerasbatch.spec.keras_registry import PYTHON_NAME, Section

MAX_COUNT = 10**12
AS = "as"
"""The key that names a metric, so that a spec may have two of one kind."""
OUTPUT = "output"
"""The key of a metric that names the output of the model that it measures."""
KIND = "kind"
"""The key for the form of a mapping; set by `short_forms`, never by a user."""
Named = Literal["file", "files", "folder", "code"]
"""The kinds of names in a spec."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """The metadata of a top-level key of the spec; all lists of keys derive from it.

    Args:
        identity: whether its value is part of a run's identity, so that a change makes a new run.
        swept: whether a sweep may give it several values.
        compiled: whether its value is built into the compiled program of a model.
        affects_data: whether its value changes the arrays of a run.
        setting: whether runs that differ only in it are different settings of a comparison.
        describes_run: False for keys of the experiment as a whole.
        of_sweep: whether it belongs to the sweep, so that no single run has it.
        per_batch_size: whether a sweep may give each batch size its own value.
        short: the inner key that plain text stands for, when it replaces the mapping.
        words: the word for an empty list, for a list that may be written as one word.
        placeholder: a harmless value for the check of the other keys.
        section: the section of Keras names that its `name` belongs to.
        must: the description of the legal values, for a value in no legal form.
    """

    identity: bool
    swept: bool
    compiled: bool
    affects_data: bool
    setting: bool
    describes_run: bool = True
    of_sweep: bool = False
    per_batch_size: bool = False
    short: str | None = None
    words: str | None = None
    placeholder: Any = None
    section: Section | None = None
    must: str = ""


@dataclass(frozen=True, kw_only=True)
class InnerKey:
    """The metadata of a key inside `data` or `model`.

    Args:
        identity: whether its value is part of a run's identity. For a file, its content is part of
            it, and for a function its code; their names are not.
        names: the kind of the name if the value is one: `file`, `files` and `folder` are paths,
            `code` is `file.py:function`.
    """

    identity: bool = True
    names: Named | None = None


FILE = InnerKey(identity=False, names="file")
FILES = InnerKey(identity=False, names="files")
FOLDER = InnerKey(identity=False, names="folder")
CODE = InnerKey(identity=False, names="code")


BOOKKEEPING = Key(identity=False, swept=False, compiled=False, affects_data=False, setting=False)
"""Keys that change the production or storage of a run, and none of its numbers."""
EXPERIMENT = replace(BOOKKEEPING, describes_run=False)
"""Keys that describe the experiment and change no run."""
SWEEP = replace(EXPERIMENT, of_sweep=True)
"""Keys that make many runs of a spec, and are in none of them."""
BUDGET = Key(
    identity=True,
    swept=True,
    compiled=False,
    affects_data=False,
    setting=False,
    per_batch_size=True,
)
"""Keys of the length of a run and of its evaluations; a comparison has a caveat for budgets."""
COMPILED = Key(identity=True, swept=True, compiled=True, affects_data=False, setting=True)
"""Keys that are built into the compiled program of a model."""
PROCESS = replace(COMPILED, swept=False)
"""Keys of the whole process, which all runs of a sweep share."""
OBSERVED = Key(identity=True, swept=True, compiled=False, affects_data=False, setting=False)
"""Keys that are part of a run and make no other setting of it."""
DATA = Key(identity=True, swept=True, compiled=False, affects_data=True, setting=True)
"""Keys that decide the arrays of a run."""
SETTING = Key(identity=True, swept=True, compiled=False, affects_data=False, setting=True)
"""Keys that make another setting, and neither another program nor other arrays."""


@dataclass(frozen=True)
class Expected:
    """A description of the legal values; the text of every error of the annotated type."""

    text: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Wrap the validation of the annotated type."""
        return core_schema.no_info_wrap_validator_function(self._validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Add the text as the description of the value."""
        return handler(schema) | {"description": self.text}

    def _validate(self, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise PydanticCustomError("expected", "{text}", {"text": self.text}) from None


def one_of(names: Any) -> str:
    """Return `one of a, b, c` for the words of a Literal."""
    return "one of " + ", ".join(get_args(names))


Count = Annotated[int, Strict(), Field(ge=1, le=MAX_COUNT), Expected("a whole number, at least 1")]
Fraction = Annotated[float, Field(gt=0, lt=1), Expected("a number between 0 and 1, both excluded")]
Text = Annotated[str, Strict(), Field(min_length=1, max_length=2000), Expected("text")]
Flag = Annotated[bool, Strict(), Expected("true or false")]
FileName = Annotated[
    str, Strict(), Field(min_length=1, max_length=1000), Expected("the name of a file")
]
FolderName = Annotated[
    str, Strict(), Field(min_length=1, max_length=1000), Expected("the name of a folder")
]
PythonName = Annotated[
    str,
    Strict(),
    Field(pattern=PYTHON_NAME, max_length=1000),
    Expected("a file and a function in it, like my_code.py:build"),
]


OwnArguments = Annotated[
    dict[str, Any] | None, Expected("a mapping of the function's arguments, like {units: 64}")
]


class StrictModel(BaseModel):
    """A mapping of the spec: no unknown keys, no conversions, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    is_text: ClassVar[bool] = False
    """True if a spec writes it as text only, never as a mapping."""


class OneOf(StrictModel):
    """A mapping of which exactly one key is set, the unit of a length."""

    @property
    def units(self) -> list[str]:
        """The units that are set; exactly one in a checked spec."""
        return [name for name in type(self).model_fields if getattr(self, name) is not None]


class KeyedModel(StrictModel):
    """A mapping with a `Key` or an `InnerKey` for every key.

    Raises:
        TypeError: at import, for a key without metadata.
    """

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Raise a TypeError for a key without metadata."""
        super().__pydantic_init_subclass__(**kwargs)
        for name in cls.model_fields:
            if name != KIND and metadata(cls, name) is None:
                raise TypeError(f"{cls.__name__}.{name} has no metadata; annotate it with a Key")


@functools.cache
def metadata(model: type[BaseModel], name: str) -> Key | InnerKey | None:
    """Return the metadata of a key, or None if it has none."""
    annotations = model.model_fields[name].metadata
    return next((item for item in annotations if isinstance(item, Key | InnerKey)), None)
