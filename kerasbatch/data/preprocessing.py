"""What is done to data on their way to the model, and to its outputs on their way back.

Fitted by scikit-learn on the training part alone, and kept as plain numbers and words, so that a
prediction years later does the same and no file of code is ever loaded: columns of numbers get the
mean in place of missing values, and are standardized; columns of text become one column for each
word that training saw; a target may be standardized.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.types import Array

if TYPE_CHECKING:
    from sklearn.preprocessing import OneHotEncoder, StandardScaler


@dataclass(frozen=True)
class Standardization:
    """Means and standard deviations by which columns are standardized."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, table: Array) -> "Standardization":
        """Fit to a table of shape (rows, columns); the deviation of a constant column is 1."""
        from sklearn.preprocessing import StandardScaler

        fitted = StandardScaler().fit(table.astype(np.float64))
        # Its own scale_ takes a column for constant whose spread is small beside its mean.
        varies = table.min(axis=0) < table.max(axis=0)
        deviation = np.where(varies, np.sqrt(fitted.var_), 1.0)
        return cls(tuple(fitted.mean_.tolist()), tuple(deviation.tolist()))

    def _scaler(self) -> "StandardScaler":
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler()
        scaler.mean_, scaler.scale_ = np.array(self.mean), np.array(self.deviation)
        scaler.var_, scaler.n_features_in_ = scaler.scale_**2, len(self.mean)
        return scaler

    def forward(self, table: Array) -> Array:
        """Return a table, standardized, in float64."""
        standardized: Array = self._scaler().transform(table.astype(np.float64))
        return standardized

    def back(self, table: Array) -> Array:
        """Return a standardized table in its own units, in float64."""
        own: Array = self._scaler().inverse_transform(table.astype(np.float64))
        return own


@dataclass(frozen=True)
class Preprocessing:
    """What was fitted on the training part.

    Args:
        columns: the names of a table's columns as they come, or None.
        words: by column of text, the words that training saw, in the order of their numbers.
        fill: the values that stand in for missing numbers, one for each column of numbers; None
            where nothing may be missing.
        standard: by what columns of numbers are standardized, or None.
        target: by what the target is standardized, or None.
        labels: the labels of the classes where they were text, or None.
    """

    columns: tuple[str, ...] | None = None
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fill: tuple[float, ...] | None = None
    standard: Standardization | None = None
    target: Standardization | None = None
    labels: tuple[str, ...] | None = None

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Preprocessing":
        """Make it again from what `json` returned."""
        standards = {
            key: None if plain[key] is None else Standardization(**_tuples(plain[key]))
            for key in ("standard", "target")
        }
        return cls(**_tuples(plain) | standards)

    def json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    @property
    def encodes(self) -> bool:
        """Whether anything is done to a table at all."""
        return bool(self.words) or self.fill is not None or self.standard is not None

    @property
    def encoded_columns(self) -> tuple[str, ...] | None:
        """The names of the columns that the model gets: numbers first, then words."""
        if self.columns is None:
            return None
        words = [f"{name}={word}" for name, known in self.words.items() for word in known]
        return (*self._numbers(), *words)

    def _numbers(self) -> list[str]:
        return [name for name in self.columns or () if name not in self.words]

    def x(self, table: Array) -> Array:
        """Return a table as the model gets it, in float64.

        Args:
            table: shape (rows, columns); a word by its number in `words`, nan for a missing value.
                A word that training did not see is missing; it has 0 in every column of words.
        """
        if not self.words:
            return self._scaled(table)
        is_text = _is_text(self.columns, self.words)
        numbers = self._scaled(table[:, ~is_text])
        encoded = self._encoder().transform(np.nan_to_num(table[:, is_text], nan=-1.0))
        return np.concatenate([numbers, encoded], axis=1)

    def _scaled(self, numbers: Array) -> Array:
        if self.fill:
            numbers = np.where(np.isnan(numbers), np.array(self.fill), numbers)
        return numbers if self.standard is None else self.standard.forward(numbers)

    def _encoder(self) -> "OneHotEncoder":
        from sklearn.preprocessing import OneHotEncoder

        known = [np.arange(len(words), dtype=np.float64) for words in self.words.values()]
        encoder = OneHotEncoder(categories=known, handle_unknown="ignore", sparse_output=False)
        return encoder.fit(np.zeros((1, len(known))))

    def y(self, target: Array) -> Array:
        """Return a target as the model learns it."""
        if self.target is None:
            return target
        return self.target.forward(target.reshape(len(target), -1)).reshape(target.shape)

    def own_units(self, outputs: Array) -> Array:
        """Return what the model gives in the target's own units."""
        if self.target is None:
            return outputs
        return self.target.back(outputs.reshape(len(outputs), -1)).reshape(outputs.shape)


def _tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def fit_preprocessing(
    x: Array,
    columns: Sequence[str] | None,
    words: Mapping[str, tuple[str, ...]],
    *,
    standardize: bool,
    fill_missing: bool,
) -> Preprocessing:
    """Fit to the training part of a table.

    Args:
        x: shape (rows, columns), float64; a word by its number, nan for a missing value.
        columns: the names of the columns, or None.
        words: by column of text, the words that occur in x, in the order of their numbers.
        standardize: whether columns of numbers are standardized.
        fill_missing: whether missing numbers get the mean of their column.
    """
    numbers = x[:, ~_is_text(columns, words)] if words else x
    names = None if columns is None else tuple(columns)
    fill = _means(numbers) if fill_missing else None
    made = Preprocessing(columns=names, words=words, fill=fill)
    if not standardize or not numbers.size:
        return made
    return replace(made, standard=Standardization.of(made._scaled(numbers)))


def seen_words(
    x: Array, columns: Sequence[str] | None, words: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Return the words that occur in the training part, by column of text."""
    found = {}
    for name, known in words.items():
        codes = x[:, list(columns or ()).index(name)]
        found[name] = tuple(known[int(code)] for code in np.unique(codes[~np.isnan(codes)]))
    return found


def renumbered(
    x: Array,
    columns: Sequence[str] | None,
    words: Mapping[str, tuple[str, ...]],
    seen: Mapping[str, tuple[str, ...]],
) -> Array:
    """Return a table in which words have the numbers of those that training saw; nan for others."""
    if words == seen:
        return x
    x = x.copy()
    for name, known in words.items():
        place = list(columns or ()).index(name)
        number = {word: float(code) for code, word in enumerate(seen[name])}
        codes = np.array([*(number.get(word, np.nan) for word in known), np.nan])
        x[:, place] = codes[np.nan_to_num(x[:, place], nan=len(known)).astype(np.int64)]
    return x


def _is_text(columns: Sequence[str] | None, words: Mapping[str, tuple[str, ...]]) -> Array:
    return np.array([name in words for name in columns or ()])


def _means(numbers: Array) -> tuple[float, ...]:
    """Return the mean of every column without its missing values; none of no columns."""
    if not numbers.size:
        return ()
    from sklearn.impute import SimpleImputer

    fitted = SimpleImputer(strategy="mean", keep_empty_features=True).fit(numbers)
    return tuple(fitted.statistics_.tolist())
