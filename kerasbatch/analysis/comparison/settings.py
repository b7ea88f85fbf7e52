"""The settings in which runs differ: each is compared, tuned, or a reason to refuse.

Two runs that differ in a setting are no repetitions of each other. A setting that is neither in
`by` nor tuned would be mixed into the rows, and its effect taken for that of the batch size.
"""

import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from kerasbatch.analysis.loading.load import Loaded, run_keys
from kerasbatch.columns import RUN_KEYS
from kerasbatch.errors import Fault
from kerasbatch.records.run_row import RENAMED_KEYS
from kerasbatch.records.runs_csv import flatten_spec
from kerasbatch.spec import keras_registry
from kerasbatch.spec.call_arguments import ARGUMENTS
from kerasbatch.spec.schema import BUDGETS, KEYS
from kerasbatch.text import shortened

RATE = "learning_rate"
NEVER_TUNED = ("data", "model", "loss", "metrics")
"""Sections that make another task or another model; the best of them is no answer."""
_PART_OF_RATE = frozenset(
    {"optimizer.learning_rate"}
    | {f"learning_rate_rule.{name}" for name in ("rule", "base_batch_size", "times")}
)
"""Keys whose effect is the number in the column learning_rate."""
MAX_LABEL = 60


class Settings:
    """The settings of runs by their dotted keys.

    Args:
        loaded: the runs.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        names = set(run_keys(loaded.runs))
        self._identities = {
            run: json.loads(text) for run, text in loaded.identities.items() if run in names
        }

    @functools.cached_property
    def within(self) -> tuple[str, ...]:
        """The keys in which runs of one experiment differ."""
        runs = self._loaded.runs
        experiments = dict(zip(run_keys(runs), runs[RUN_KEYS[0]], strict=True))
        groups: dict[str, list[dict[str, Any]]] = {}
        for run, values in self._values.items():
            groups.setdefault(experiments[run], []).append(values)
        keys = {key for group in groups.values() for key in _differing(group)}
        return tuple(key for key in self._differing if key in keys)

    @functools.cached_property
    def between(self) -> tuple[str, ...]:
        """The keys in which runs of different experiments differ only."""
        return tuple(key for key in self._differing if key not in self.within)

    @functools.cached_property
    def _differing(self) -> list[str]:
        return _differing(self._values.values())

    @functools.cached_property
    def _values(self) -> dict[str, dict[str, Any]]:
        return {run: _flat(spec) for run, spec in self._identities.items()}

    def knows(self, key: str) -> bool:
        """Return whether a key is one of the spec, or a section of it."""
        if key in KEYS:
            return KEYS[key].setting or key in BUDGETS
        return any(key in values for values in self._plain.values())

    def column(self, key: str) -> "pd.Series[Any]":
        """Return the value of a key for every run, with the index of the table of runs.

        Args:
            key: a dotted key, or a section such as `model`, whose value is a label.
        """
        runs = self._loaded.runs
        if key in RENAMED_KEYS and RENAMED_KEYS[key] in runs:
            return runs[RENAMED_KEYS[key]]
        if key in runs and key not in (*BUDGETS, *NEVER_TUNED):
            return runs[key]
        names = run_keys(runs)
        if key in KEYS and key not in BUDGETS:
            return names.map(self._labels(key))
        return names.map(lambda run: self._plain.get(run, {}).get(key))

    @functools.cached_property
    def _plain(self) -> dict[str, dict[str, Any]]:
        """The values of all keys by run, with the defaults of the spec and of the optimizer."""
        values = {}
        for run, spec in self._loaded.specs.items():
            name = str((spec.get("optimizer") or {}).get("name"))
            defaults = keras_registry.optimizer_defaults(name)
            values[run] = {f"optimizer.{k}": v for k, v in defaults.items()} | flatten_spec(spec)
        return values

    def _labels(self, section: str) -> dict[str, str]:
        """Return a label for the section of every run, different for different sections."""
        contents = {run: self._content(run, section) for run in self._identities}
        labels = {run: self._label(run, section) for run in contents}
        of_label: dict[str, list[str]] = {}
        for run, label in labels.items():
            others = of_label.setdefault(label, [])
            if contents[run] not in others:
                others.append(contents[run])
        return {
            run: label
            if len(of_label[label]) == 1
            else f"{label} (no. {of_label[label].index(contents[run]) + 1})"
            for run, label in labels.items()
        }

    def _content(self, run: str, section: str) -> str:
        fingerprint = self._fingerprint(run) if section == "data" else None
        return json.dumps([self._identities[run].get(section), fingerprint], sort_keys=True)

    def _label(self, run: str, section: str) -> str:
        if section == "data":
            return str(self._loaded.records[run]["row"].get("data_used"))
        value = self._identities[run].get(section)
        return shortened(_section_label(value), MAX_LABEL)

    def _fingerprint(self, run: str) -> Any:
        return self._loaded.records[run].get("data_fingerprint")

    def values(self) -> dict[str, set[str]]:
        """Return the values of every setting, and the content of the data, over all runs."""
        found: dict[str, set[str]] = {}
        for run, values in self._values.items():
            for key, value in values.items():
                if key != "batch_size" and key.partition(".")[0] != "data":
                    found.setdefault(key, set()).add(repr(value))
            found.setdefault("data", set()).add(repr(self._fingerprint(run)))
        return found

    def is_whole_model(self, keys: Iterable[str]) -> bool:
        """Return whether keys of the model make another model, and no other arguments of one."""
        if not any(key.partition(".")[0] == "model" for key in keys):
            return False
        return _differ([_structure(spec.get("model")) for spec in self._identities.values()])

    def has_mixed_data(self, groups: Sequence["pd.Series[Any]"]) -> bool:
        """Return whether the content of the data differs between runs of one group.

        Args:
            groups: the columns that make the groups; without any, all runs are one.
        """
        names = run_keys(self._loaded.runs)
        prints = names.map(self._fingerprint)
        if not groups:
            return bool(prints.nunique() > 1)
        return bool(prints.groupby(list(groups), dropna=False).nunique().max() > 1)


def required_keys(settings: Settings, by: Sequence[str], *, has_rates: bool) -> Iterator[str]:
    """Yield the keys in which runs differ, and which must be compared.

    Args:
        settings: the settings of the runs.
        by: the compared keys.
        has_rates: whether every run has a learning rate that is a number.
    """
    between = () if RUN_KEYS[0] in by else settings.between
    keys = [*settings.within, *between]
    sections = {key.partition(".")[0] for key in by}
    is_whole = settings.is_whole_model(keys)
    for key in keys:
        section = key.partition(".")[0]
        never = section in NEVER_TUNED and (section != "model" or is_whole)
        if section in sections and (never or key in between):
            continue
        if never:
            yield section
        elif key in between and key not in BUDGETS and not is_part_of_rate(key, has_rates):
            yield section if section == "model" else RENAMED_KEYS.get(key, key)
    data = [settings.column(key) for key in by if key.partition(".")[0] in ("data", *RUN_KEYS)]
    if settings.has_mixed_data(data):
        yield "data"


def changed_keys(now: Settings, before: Settings) -> list[str]:
    """Return the settings, and `data`, whose values differ between two sets of runs."""
    values = [side.values() for side in (now, before)]
    keys = dict.fromkeys([*values[0], *values[1]])
    return [key for key in keys if values[0].get(key) != values[1].get(key)]


def is_part_of_rate(key: str, has_rates: bool) -> bool:
    """Return whether the column learning_rate holds the effect of a key."""
    return has_rates and key in _PART_OF_RATE


def mixed_fault(keys: Sequence[str]) -> Fault:
    """Return the fault of runs that differ in keys that are not compared."""
    flags = " ".join(f"--by {key}" for key in keys)
    names = " and ".join(keys)
    message = f"these runs differ in {names}: use {flags}, or compare them separately"
    return Fault(("compare",), message)


def _flat(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a spec's identity, and its budget, by their dotted keys."""
    chosen = {key: value for key, value in spec.items() if KEYS[key].setting or key in BUDGETS}
    return flatten_spec(chosen)


def _differing(values: Iterable[Mapping[str, Any]]) -> list[str]:
    values = list(values)
    keys = dict.fromkeys(key for settings in values for key in settings)
    return [
        key
        for key in keys
        if key != "batch_size" and _differ([settings.get(key) for settings in values])
    ]


def _differ(values: Iterable[Any]) -> bool:
    return len({repr(value) for value in values}) > 1


def _structure(model: Any) -> Any:
    """Return a model without the arguments of its layers, or of its function."""
    if not isinstance(model, dict):
        return model
    if "layers" not in model:
        return {key: value for key, value in model.items() if key != ARGUMENTS}
    return [next(iter(layer)) for layer in model["layers"]]


def _section_label(value: Any) -> str:
    """Return a short label of a section: mlp, Dense 16-Dense 1, sgd."""
    if isinstance(value, dict) and "layers" in value:
        return "-".join(_layer_label(layer) for layer in value["layers"])
    if isinstance(value, dict):
        texts = [str(inner) for key, inner in value.items() if not isinstance(inner, dict)]
        return " ".join(texts)
    if isinstance(value, list):
        return "-".join(map(_section_label, value))
    return str(value)


def _layer_label(layer: Mapping[str, Any]) -> str:
    ((name, arguments),) = layer.items()
    sizes = [str(value) for value in (arguments or {}).values() if isinstance(value, int)]
    return " ".join([name, *sizes[:1]])
