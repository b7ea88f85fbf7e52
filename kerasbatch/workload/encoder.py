"""Brings the parts of data to the numbers that the model gets, fitted to the training part."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from kerasbatch.errors import SpecError, counted, shortened
from kerasbatch.shared_types import Array
from kerasbatch.spec.data_keys import Table
from kerasbatch.spec.keys import Spec
from kerasbatch.workload.divided import Divided
from kerasbatch.workload.float32 import rounded
from kerasbatch.workload.preprocessing import (
    Preprocessing,
    Standard,
    fit,
    renumbered,
    seen_words,
)
from kerasbatch.workload.raw import Raw


@dataclass(frozen=True)
class Encoder:
    """Brings the parts of a data set to the numbers that the model gets.

    Args:
        raw: the data set.
        preprocessing: what was fitted to the training part.
    """

    raw: Raw
    preprocessing: Preprocessing

    @classmethod
    def fitted(cls, spec: Spec, parts: Divided) -> "Encoder":
        """Fit to the training part."""
        raw, made = parts.raw, Preprocessing(labels=parts.labels)
        if raw.is_table:
            columns, words = raw.arrays.columns, raw.arrays.words
            seen = seen_words(parts.x, columns, words)
            made = fit(
                renumbered(parts.x, columns, words, seen),
                columns,
                seen,
                standardize=spec.data.standardize,
                fill_missing=isinstance(spec.data, Table) and spec.data.missing == "mean",
            )
        return cls(raw, replace(made, labels=parts.labels, target=_units(spec, parts)))

    def x(self, part: Array) -> Array:
        """Return examples, encoded where they are a table, and floats as float32."""
        made = self.preprocessing
        if self.raw.is_table:
            part = renumbered(part, made.columns, self.raw.arrays.words, made.words)
            part = made.x(part)
        return rounded(part, "x", made.encoded_columns, ("data",))

    def notices(self, told: str | None, parts: Mapping[str, Array | None]) -> Iterator[str]:
        """Yield what a person must know: that, and words that the training part does not hold."""
        if told:
            yield told
        made, words = self.preprocessing, self.raw.arrays.words
        for name in made.words:
            place = list(made.columns or ()).index(name)
            for called, part in parts.items():
                if part is None:
                    continue
                codes = renumbered(part, made.columns, words, made.words)[:, place]
                unseen = int((np.isnan(codes) & ~np.isnan(part[:, place])).sum())
                if unseen:
                    yield (
                        f"{counted(unseen, 'row')} of column {shortened(name, 60)} for {called} "
                        f"hold words that the training part does not; they count as none"
                    )

    def y(self, part: Array) -> Array:
        """Return labels as they are, and numbers as float32, standardized if asked for."""
        return rounded(self.preprocessing.y(part), "the target", None, ("data",))


def _units(spec: Spec, parts: Divided) -> Standard | None:
    """Return by what the target is standardized, or None."""
    check_target(spec, parts)
    if not spec.data.standardize_target:
        return None
    return Standard.of(parts.y.reshape(len(parts.y), -1))


def check_target(spec: Spec, parts: Divided) -> None:
    """Refuse to standardize classes."""
    if not spec.data.standardize_target:
        return
    if parts.raw.classes is not None or parts.y.dtype.kind != "f":
        message = "belongs to a target of numbers, and these are classes; leave it out"
        raise SpecError.at(("data", "standardize_target"), message)
