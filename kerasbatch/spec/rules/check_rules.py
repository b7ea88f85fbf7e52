"""Rules between the keys of a spec, beyond the legal values of a single key.

Every rule is a generator that yields the faults of a spec. A rule ends where it reads a faulty key.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from types import MethodType
from typing import Any

from kerasbatch.errors import Fault
from kerasbatch.spec.call_arguments import ARGUMENTS
from kerasbatch.spec.data_schema import DatasetData, TableData
from kerasbatch.spec.fields import KeyedModel
from kerasbatch.spec.learning_rate import learning_rate_rule
from kerasbatch.spec.named_paths import code_beside_model, named_paths
from kerasbatch.spec.own_code import argument_faults
from kerasbatch.spec.rules.automatic_budget import automatic_budget
from kerasbatch.spec.rules.callback_rules import (
    callback_arguments,
    evaluation_at_epoch_ends,
    rate_of_a_scheduler,
    reducible_learning_rate,
)
from kerasbatch.spec.rules.data_rules import DATA_RULES
from kerasbatch.spec.rules.measured import measured
from kerasbatch.spec.schema import BUDGETS, COMPILE_PARTS, KEYS, Spec
from kerasbatch.spec.stored_schema import CHECKPOINT_FORM, SaveEvery
from kerasbatch.text import show_value

MAX_NAME_BYTES = 200
# Windows cannot make files with these names, and a directory may be copied there.
_RESERVED = {"con", "prn", "aux", "nul", *(f"{p}{i}" for p in ("com", "lpt") for i in range(1, 10))}
_UNSAFE_NAME = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\u2028\u2029]')


def one_budget(spec: Spec) -> Iterator[Fault]:
    """Exactly one of epochs, steps and examples ends a run."""
    budgets = [kind for kind in BUDGETS if getattr(spec, kind) is not None]
    if not budgets:
        message = "nothing says when to stop; add one of epochs: 5, steps: 1000, examples: 60000"
        yield Fault((), message)
    for extra in budgets[1:]:
        yield Fault(
            (extra,), f"there is already {budgets[0]}; a run has one budget, keep one of them"
        )


def safe_name(spec: Spec) -> Iterator[Fault]:
    """The name is legal as the name of a directory."""
    name, problem = spec.name, None
    invisible = [character for character in name if unicodedata.category(character)[0] == "C"]
    if bad := _UNSAFE_NAME.search(name):
        problem = f"contains {bad.group()!r}"
    elif invisible:
        problem = f"contains U+{ord(invisible[0]):04X}, an invisible character"
    elif name.startswith(".") or name.endswith(".") or name != name.strip():
        problem = "starts or ends with a dot or a space"
    elif name.split(".")[0].lower() in _RESERVED or name == "reference":
        problem = "is reserved"
    elif len(name.encode("utf-8")) > MAX_NAME_BYTES:
        problem = f"has {len(name.encode('utf-8'))} bytes, more than {MAX_NAME_BYTES}"
    if problem:
        message = f"{show_value(name)} {problem}; it names a directory, so write a plain word"
        yield Fault(("name",), message)


def saved(spec: Spec) -> Iterator[Fault]:
    """Each model is saved once, and those of the training at one distance."""
    for number, item in enumerate(spec.save):
        every = item.every if isinstance(item, SaveEvery) else None
        if item in spec.save[:number] or (every and item != spec.saved_every):
            shown = "every" if every else item
            yield Fault(("save", number), f"{shown} is in the list already")
        elif every and len(every.units) != 1:
            message = "must have one of epochs, steps, examples, growth, like {epochs: 5}"
            yield Fault(("save", number, "every"), message)


def checkpoint(spec: Spec) -> Iterator[Fault]:
    """The key checkpoint has exactly one unit, and the order of the examples is ours."""
    if spec.checkpoint is None:
        return
    if len(units := spec.checkpoint.units) != 1:
        shown = ", ".join(units) or "none of them"
        yield Fault(("checkpoint",), f"found {shown}; must be {CHECKPOINT_FORM}")
    if isinstance(spec.data, DatasetData) and spec.data.stream:
        message = "needs data whose order is known; the batches of this dataset are its own"
        yield Fault(("checkpoint",), f"{message}, so leave it out")


def weights(spec: Spec) -> Iterator[Fault]:
    """Weights belong to classes or to examples, not both, as in Keras."""
    if spec.class_weight is None:
        return
    if isinstance(spec.data, TableData) and spec.data.weight:
        yield Fault(("class_weight",), "data name a column of weights already; keep one of them")
    if spec.label_kind not in ("index", "binary", "any"):
        message = f"weighs classes, and {spec.loss.name} compares numbers; leave it out"
        yield Fault(("class_weight",), message)


def one_point_rule(spec: Spec) -> Iterator[Fault]:
    """evaluate_every has exactly one unit."""
    units = spec.evaluate_every.units
    if len(units) != 1:
        legal = "exactly one of epochs, steps, examples, growth, like {epochs: 1}"
        shown = ", ".join(units) or "none of them"
        yield Fault(("evaluate_every",), f"found {shown}; must be {legal}")


def target(spec: Spec) -> Iterator[Fault]:
    """A target has one bound, in the direction in which its metric improves."""
    if spec.target is None:
        return
    if (spec.target.at_least is None) == (spec.target.at_most is None):
        yield Fault(("target",), "must have either at_least or at_most, like {at_least: 0.97}")
    elif problem := spec.target.direction_problem():
        yield Fault(("target", "at_least" if spec.target.at_most is None else "at_most"), problem)


def unique_metrics(spec: Spec) -> Iterator[Fault]:
    """Two metrics of one name would share a column."""
    seen = {"loss"}
    for number, metric in enumerate(spec.metrics):
        if metric.column in seen:
            message = f"{metric.column} is there already; leave one out, or name it: as: ..."
            yield Fault(("metrics", number), message)
        seen.add(metric.column)


def spec_notes(spec: Spec) -> Iterator[str]:
    """Yield notes about legal settings that a user should check before a run."""
    accumulated = spec.optimizer.arguments.get("gradient_accumulation_steps")
    if isinstance(accumulated, int) and accumulated > 1:
        yield (
            f"gradient_accumulation_steps is {accumulated}: the optimizer counts every batch as a "
            f"step, and changes the weights at every {accumulated}th of them"
        )
    left = [key for key in COMPILE_PARTS if getattr(spec, key).is_of_model]
    if left:
        yield f"the code of the model decides {', '.join(left)}"
    if spec.checkpoint is not None and spec.learning_rate_rule.follows_budget:
        yield (
            "checkpoint: the learning rate follows the budget, so a run with a longer one begins "
            "anew, and does not go on from a shorter one"
        )
    if spec.checkpoint is not None and spec.saved_every is not None:
        yield (
            "checkpoint: models are saved during the training, so a run with a longer budget "
            "begins anew, and does not go on from a shorter one"
        )
    if spec.callbacks:
        yield "callbacks may end a run early: the planned steps are the most that it takes"


def own_arguments(spec: Spec) -> Iterator[Fault]:
    """The arguments of own models and data are values that a spec can hold."""
    for key in KEYS:
        section = getattr(spec, key)
        if isinstance(section, KeyedModel) and (arguments := getattr(section, ARGUMENTS, None)):
            yield from argument_faults(arguments, (key, ARGUMENTS))


RULES: tuple[Callable[[Any], Iterator[Fault]], ...] = (
    one_budget,
    safe_name,
    one_point_rule,
    checkpoint,
    target,
    unique_metrics,
    saved,
    weights,
    own_arguments,
    callback_arguments,
    evaluation_at_epoch_ends,
    measured,
    reducible_learning_rate,
    rate_of_a_scheduler,
    learning_rate_rule,
    automatic_budget,
    *DATA_RULES,
)


class _FaultyKeyError(Exception):
    """A rule has read a key that is faulty already."""


class _GuardedSpec:
    """A spec whose faulty keys cannot be read, not even by its own properties and methods."""

    def __init__(self, spec: Spec, wrong: frozenset[str]) -> None:
        self._spec, self._wrong = spec, wrong

    def __getattr__(self, name: str) -> Any:
        if name in self._wrong:
            raise _FaultyKeyError(name)
        member = getattr(type(self._spec), name, None)
        if isinstance(member, property):
            return member.__get__(self)
        return MethodType(member, self) if callable(member) else getattr(self._spec, name)


def check_rules(spec: Spec, wrong: frozenset[str] = frozenset()) -> Iterator[Fault]:
    """Yield the faults between the keys of a spec whose single keys are legal.

    A rule ends where it reads a faulty key.

    Args:
        spec: the spec; keys in `wrong` hold placeholders.
        wrong: the top-level keys with faults.
    """
    readable = _GuardedSpec(spec, wrong) if wrong else spec
    for rule in RULES:
        try:
            yield from rule(readable)
        except _FaultyKeyError:
            continue


def names_files(spec: Spec) -> bool:
    """Return whether a spec names files of the user, by paths relative to its folder."""
    named = any(True for _ in named_paths(spec))
    return named or any(True for _ in code_beside_model(spec))
