"""The question of a comparison: the rows, the tuned settings, and the target or metric."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kerasbatch.analysis.comparison.settings import (
    RATE,
    Settings,
    is_part_of_rate,
    mixed_fault,
    required_keys,
)
from kerasbatch.analysis.comparison.target import parse_target
from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.columns import TO_TARGET_COLUMNS
from kerasbatch.errors import Fault, SpecError
from kerasbatch.records.run_row import RENAMED_KEYS
from kerasbatch.records.run_status import RunStatus
from kerasbatch.spec.fields import AS
from kerasbatch.spec.schema import BUDGETS
from kerasbatch.spec.section_schema import Target
from kerasbatch.text import show_value, suggestion

SPEEDS = ("steps_per_second", "examples_per_second", "peak_memory_mb")
_RATES = (RATE, "optimizer.learning_rate", "learning_rate_rule.times")


@dataclass(frozen=True)
class Question:
    """The question that a comparison answers.

    Args:
        by: the columns whose values make the rows.
        tuned: the columns that are chosen for each row: the learning rate, and other keys in which
            runs of one experiment differ.
        target: the target, or None.
        judged: the metric that decides without a target, or None if none was measured.
    """

    by: tuple[str, ...]
    tuned: tuple[str, ...]
    target: Target | None
    judged: str | None


def build_question(loaded: Loaded, by: Sequence[str], text: str | None) -> Question:
    """Return the compared keys, the tuned keys, and the target or metric that decides.

    Raises:
        SpecError: with every key or metric that the runs lack, and the keys in which they differ
            without being comparable.
    """
    by, settings, target = list(dict.fromkeys(by)), Settings(loaded), target_of(loaded, text)
    _check_keys(loaded, settings, by, target)
    begun = loaded.runs[loaded.runs["status"] != RunStatus.UNFINISHED]
    has_rates = bool(begun[RATE].notna().all())
    tuned = _tuned_keys(settings, by, has_rates)
    required = [*required_keys(settings, by, has_rates=has_rates)]
    budgets = _mixed_budgets(settings, [*by, *tuned])
    required += [key for key in budgets if key in settings.between]
    if required:
        raise SpecError([mixed_fault(list(dict.fromkeys(required)))])
    judged = default_metric(loaded) if target is None else None
    return Question(tuple(by), (*tuned, *budgets), target, judged)


def check_keys(loaded: Loaded, by: Iterable[str], text: str | None) -> None:
    """Check that the runs have the compared keys and the metric of the target.

    Raises:
        SpecError: with every key or metric that they lack.
    """
    _check_keys(loaded, Settings(loaded), by, target_of(loaded, text))


def _check_keys(
    loaded: Loaded, settings: Settings, by: Iterable[str], target: Target | None
) -> None:
    faults = [*_key_faults(loaded, settings, by), *_target_faults(loaded, target)]
    if faults:
        raise SpecError(faults)


def with_settings(loaded: Loaded, keys: Iterable[str]) -> pd.DataFrame:
    """Return the table of runs, with a column for every key of the spec in `keys`."""
    settings = Settings(loaded)
    return loaded.runs.assign(**{key: settings.column(key) for key in keys})


def metric_columns(runs: pd.DataFrame) -> list[str]:
    """Return the columns of metrics at fixed weights: validation first, then test."""
    names = [str(name) for name in runs.columns if runs[name].notna().any()]
    return [
        name
        for prefix in ("val_", "train_", "test_")
        for name in names
        if name.startswith(prefix) and name not in ("train_examples", "train_seconds")
    ]


def _key_faults(loaded: Loaded, settings: Settings, by: Iterable[str]) -> Iterator[Fault]:
    runs = loaded.runs
    results = {*metric_columns(runs), *TO_TARGET_COLUMNS, *SPEEDS}
    for key in by:
        if key in results:
            yield Fault(("--by", key), "is a result; compare by what was set, like batch_size")
        elif key not in runs and not settings.knows(key):
            legal = [*settings.within, *settings.between, "batch_size", "seed", *runs.columns]
            yield _missing_key(("--by", key), key, legal)


def _target_faults(loaded: Loaded, target: Target | None) -> Iterator[Fault]:
    recorded = [name for name in metric_columns(loaded.runs) if not name.startswith("test_")]
    if target is not None and target.metric.startswith("test_"):
        message = "the test part is measured once, at the end, and chooses nothing"
        yield Fault(("--target",), f"{message}; there are {', '.join(recorded)}")
    elif target is not None and target.metric not in recorded:
        yield _missing_key(("--target",), target.metric, recorded)


def _tuned_keys(settings: Settings, by: Sequence[str], has_rates: bool) -> list[str]:
    """Return the keys to choose for every row; budgets are not among them."""
    names = [RENAMED_KEYS.get(key, key) for key in settings.within]
    swept = [
        name
        for key, name in zip(settings.within, names, strict=True)
        if not {key, name} & set(by) and key not in BUDGETS
        if not is_part_of_rate(key, has_rates) and name != RATE
    ]
    return [*([] if set(_RATES) & set(by) else [RATE]), *swept]


def _mixed_budgets(settings: Settings, keys: Sequence[str]) -> list[str]:
    """Return the budgets that differ between runs whose other settings are equal."""
    differing = [key for key in (*settings.within, *settings.between) if key in BUDGETS]
    if not differing:
        return []
    groups = [settings.column(key) for key in keys if key not in BUDGETS]
    return [
        key
        for key in differing
        if key not in keys
        and settings.column(key).groupby(groups, dropna=False).nunique(dropna=False).max() > 1
    ]


def target_of(loaded: Loaded, text: str | None) -> Target | None:
    """Return the requested target, or else the one that all runs recorded."""
    if text is not None:
        return parse_target(text)
    recorded: Any = loaded.runs["target"].dropna().unique() if "target" in loaded.runs else ()
    if len(recorded) == 1 and isinstance(recorded[0], str):
        return parse_target(recorded[0])
    return None


def default_metric(loaded: Loaded) -> str | None:
    """Return the first metric at fixed weights, or the loss."""
    names = [name for name in metric_columns(loaded.runs) if not name.startswith("test_")]
    for spec in loaded.specs.values():
        for metric in spec.get("metrics") or ():
            for name in names:
                if name.partition("_")[2] == metric.get(AS, metric["name"]):
                    return name
    return next((name for name in names if name.endswith("_loss")), None)


def _missing_key(location: tuple[str, ...], key: str, legal: Iterable[str]) -> Fault:
    legal = list(dict.fromkeys(legal))
    hint = suggestion(key, legal)
    listing = "" if hint else f"; there are {', '.join(legal[:20])}"
    return Fault(location, f"{show_value(key)} is not in these runs{hint}{listing}")
