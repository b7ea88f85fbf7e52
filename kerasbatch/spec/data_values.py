"""The values of keys under `data`: words, labels, encodings, parts of dates, lengths."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from kerasbatch.spec.fields import Expected, FileName, StrictModel, Text, one_of

ColumnNames = Annotated[
    tuple[Text, ...], Field(strict=False, min_length=1), Expected("a list of column names")
]
Targets = Annotated[
    Text | Annotated[tuple[Text, ...], Field(strict=False, min_length=1)],
    Expected("the name of a column, or a list of columns of numbers"),
]
Mark = Annotated[str, Strict(), Field(pattern=r"^[!-~\t ]$")]


def _as_text(value: Any) -> Any:
    """Return a number or a truth value as a spec spells it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _different(values: Any) -> Any:
    if len(set(values)) < len(values):
        raise ValueError("values are equal")
    return values


Label = Annotated[
    str,
    BeforeValidator(_as_text),
    Strict(),
    Field(max_length=200),
    Expected("the label of a class"),
]
Words = Annotated[
    tuple[Label, ...],
    Field(strict=False, min_length=1),
    AfterValidator(_different),
    Expected("a list of different words"),
]
_LabelList = Annotated[
    tuple[Label, ...], Field(strict=False, min_length=2), AfterValidator(_different)
]
_LabelNames = Annotated[dict[Label, Label], Field(strict=False, min_length=2)]
Labels = Annotated[
    _LabelList | _LabelNames,
    Expected("a list of labels in the order of their classes, or a mapping of labels to names"),
]


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)  # raises for what is no encoding of text, such as hex
    except (LookupError, ValueError) as error:
        raise ValueError(str(error)) from None
    return name


Encoding = Annotated[
    str,
    Strict(),
    AfterValidator(_known_encoding),
    Expected("an encoding that Python knows, such as utf-8, cp1252, cp949 or utf-16"),
]


def ascending(ends: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return two numbers, the smaller one first; raise ValueError for others."""
    if ends is not None and not ends[0] < ends[1]:
        raise ValueError(f"{ends[0]:g} is not below {ends[1]:g}")
    return ends


DatePart = Literal["year", "month", "day", "weekday", "hour", "minute", "dayofyear"]
DateParts = Annotated[
    tuple[DatePart, ...],
    Field(strict=False, min_length=1),
    AfterValidator(_different),
    Expected(f"a list of parts of a date, each {one_of(DatePart)}"),
]
Resize = Literal["stretch", "crop", "pad"]
"""The ways to give an image another size: change its sides, cut the longer one, or fill with 0."""
MAX_SIDE = 4096
_Side = Annotated[int, Strict(), Field(ge=1, le=MAX_SIDE)]
Sides = Annotated[
    tuple[_Side, _Side],
    Field(strict=False),
    Expected(f"height and width in pixels, each 1 to {MAX_SIDE:,}, like [64, 64]"),
]
MAX_WINDOW = 10_000
WindowSize = Annotated[
    int,
    Strict(),
    Field(ge=1, le=MAX_WINDOW),
    Expected(f"a number of rows, 1 to {MAX_WINDOW:,}"),
]
MAX_WORDS = 1_000_000
WordCount = Annotated[
    int,
    Strict(),
    Field(ge=3, le=MAX_WORDS),
    Expected(f"a number of different words, 3 to {MAX_WORDS:,}"),
]


class TextColumn(StrictModel):
    """A column of text, and its form for the model: the numbers of its first words."""

    column: Text
    words: WordCount = 10_000
    length: WindowSize = 200


MAX_LINE_EXAMPLES = 10**7
"""The largest number of examples of a `line`."""


Files = Annotated[
    FileName | Annotated[dict[Text, FileName], Field(min_length=1)],
    Expected("a file, or a mapping of names to files, like {image: image.npy, table: table.npy}"),
]
"""A file, or one for each input or target."""


class NpyFiles(StrictModel):
    """The files of arrays: one for each, or of several inputs or targets one by name."""

    x_train: Files
    y_train: Files
    x_test: Files | None = None
    y_test: Files | None = None
    sample_weight: FileName | None = None

    def parts(self) -> dict[str, str | dict[str, str]]:
        """Return the file, or the files by name, of each array that there is."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: files for name, files in named.items() if files is not None}

    def files(self) -> list[str]:
        """Return all files."""
        parts = self.parts().values()
        return [
            file
            for files in parts
            for file in ([files] if isinstance(files, str) else files.values())
        ]
