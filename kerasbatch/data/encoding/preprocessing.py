"""The transformations of data before the model, and of its outputs after it.

Missing numbers become the mean of their column, and columns of numbers are standardized. A column
of text becomes one column for each word of the training part. A target may be standardized.
scikit-learn fits all of this on the training part alone. The result is stored as plain numbers and
words, so that later predictions repeat it without loading pickled code.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from kerasbatch.data.images.image_format import ImageFormat
from kerasbatch.data.table_format import TableFormat
from kerasbatch.data.texts.text_format import TextFormat
from kerasbatch.data.windows import Window
from kerasbatch.types import Array

if TYPE_CHECKING:
    from sklearn.preprocessing import OneHotEncoder, StandardScaler


@dataclass(frozen=True)
class Standardization:
    """The means and standard deviations that standardize columns."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, table: Array) -> "Standardization":
        """Return the standardization of a table; a constant column has deviation 1."""
        from sklearn.preprocessing import StandardScaler

        fitted = StandardScaler().fit(table.astype(np.float64))
        # StandardScaler.scale_ treats a column as constant if its spread is small beside its mean.
        varies = table.min(axis=0) < table.max(axis=0)
        deviation = np.where(varies, np.sqrt(fitted.var_), 1.0)
        return cls(tuple(fitted.mean_.tolist()), tuple(deviation.tolist()))

    def _scaler(self) -> "StandardScaler":
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler()
        scaler.mean_, scaler.scale_ = np.array(self.mean), np.array(self.deviation)
        scaler.var_, scaler.n_features_in_ = scaler.scale_**2, len(self.mean)
        return scaler

    def transform(self, table: Array) -> Array:
        """Return a table in standard units, as float64."""
        standardized: Array = self._scaler().transform(table.astype(np.float64))
        return standardized

    def inverse_transform(self, table: Array) -> Array:
        """Return a standardized table in its original units, as float64."""
        restored: Array = self._scaler().inverse_transform(table.astype(np.float64))
        return restored


@dataclass(frozen=True)
class Preprocessing:
    """The transformations fitted on the training part.

    Args:
        columns: the names of a table's columns before encoding, or None.
        words: by column of text, the words of the training part, in the order of their numbers.
        fill: the replacements of missing numbers, one for each column of numbers; None if no
            value may be missing.
        standard: the standardization of the columns of numbers, or None.
        target: the standardization of the target, or None.
        labels: the labels of the classes if they were text, or None.
        orders: by ordered column, its words; the model gets their positions.
        missing_values: the texts of missing values, besides the usual ones.
        units: the units of columns of numbers, by name, where they have one.
        table_format: the format of the table of training: what the spec says, and what was found.
        images: the form of images, or None.
        text: the form of texts, or None.
        vocabulary: the words of texts in the order of their numbers, or None.
        dates: the parts of dates, by the column of dates.
        day_first: by column of dates such as 01.02.2024, whether the day is first.
        window: the windows of a series in time, or None.
        target_labels: the labels of the classes of each of several targets that were text.
    """

    columns: tuple[str, ...] | None = None
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fill: tuple[float, ...] | None = None
    standard: Standardization | None = None
    target: Standardization | None = None
    labels: tuple[str, ...] | None = None
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    missing_values: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    table_format: TableFormat = field(default_factory=TableFormat)
    images: ImageFormat | None = None
    text: TextFormat | None = None
    vocabulary: tuple[str, ...] | None = None
    dates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    day_first: Mapping[str, bool] = field(default_factory=dict)
    window: Window | None = None
    target_labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Preprocessing":
        """Return the object that `json` described.

        Raises:
            ValueError: if it has another shape.
        """
        preprocessing: Preprocessing = _adapter().validate_python(plain)
        preprocessing._check()
        return preprocessing

    def _check(self) -> None:
        """Raise ValueError if the parts do not fit together, as in a file that was edited."""
        columns, numbers = self.columns or (), len(self._numbers())
        sizes = [len(part) for part in (self.fill, self._means(self.standard)) if part is not None]
        if len(set(columns)) < len(columns) or not set(self.words) <= set(columns):
            raise ValueError("its words and columns differ")
        if self.columns is not None and any(size != numbers for size in sizes):
            raise ValueError("it has another number of means than of columns")
        for standard in (self.standard, self.target):
            if standard is not None and len(standard.mean) != len(standard.deviation):
                raise ValueError("it has another number of means than of deviations")

    @staticmethod
    def _means(standard: Standardization | None) -> tuple[float, ...] | None:
        return None if standard is None else standard.mean

    def json(self) -> dict[str, Any]:
        """Return the object as plain values."""
        return asdict(self)

    @property
    def encodes(self) -> bool:
        """True if a table must be transformed before the model gets it."""
        return bool(self.words) or self.fill is not None or self.standard is not None

    @property
    def encoded_columns(self) -> tuple[str, ...] | None:
        """The names of the encoded columns: numbers first, then words."""
        if self.columns is None:
            return None
        words = [
            f"{name}={word}" for name, column_words in self.words.items() for word in column_words
        ]
        return (*self._numbers(), *words)

    def _numbers(self) -> list[str]:
        return [name for name in self.columns or () if name not in self.words]

    def x(self, table: Array) -> Array:
        """Return a table as the model gets it, in float64.

        Args:
            table: shape (rows, columns); a word by its number in `words`, nan for a missing value.
                A word that is not in the training part is missing: it has 0 in every column of
                words.
        """
        if not self.words:
            return self.scaled(table)
        is_text = is_text_column(self.columns, self.words)
        numbers = self.scaled(table[:, ~is_text])
        encoded = self._encoder().transform(np.nan_to_num(table[:, is_text], nan=-1.0))
        return np.concatenate([numbers, encoded], axis=1)

    def scaled(self, numbers: Array) -> Array:
        """Return columns of numbers, missing ones filled in, standardized."""
        if self.fill:
            numbers = np.where(np.isnan(numbers), np.array(self.fill), numbers)
        return numbers if self.standard is None else self.standard.transform(numbers)

    def _encoder(self) -> "OneHotEncoder":
        from sklearn.preprocessing import OneHotEncoder

        categories = [np.arange(len(words), dtype=np.float64) for words in self.words.values()]
        encoder = OneHotEncoder(categories=categories, handle_unknown="ignore", sparse_output=False)
        return encoder.fit(np.zeros((1, len(categories))))

    def y(self, target: Array) -> Array:
        """Return a target in the units that the model learns."""
        if self.target is None:
            return target
        return self.target.transform(target.reshape(len(target), -1)).reshape(target.shape)

    def unscale_outputs(self, outputs: Array) -> Array:
        """Return the outputs of the model in the target's own units."""
        if self.target is None:
            return outputs
        return self.target.inverse_transform(outputs.reshape(len(outputs), -1)).reshape(
            outputs.shape
        )


@functools.cache
def _adapter() -> TypeAdapter[Preprocessing]:
    """Return the check of `from_json`; making it takes 250 times as long as using it."""
    return TypeAdapter(Preprocessing)


def is_text_column(columns: Sequence[str] | None, words: Mapping[str, tuple[str, ...]]) -> Array:
    """Return a mask of the columns of text, shape (columns,)."""
    return np.array([name in words for name in columns or ()])
