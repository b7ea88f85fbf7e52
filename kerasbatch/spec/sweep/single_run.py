"""One run of a sweep: its spec, and its values of the swept keys."""

import contextlib
import copy
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kerasbatch.errors import Location, SpecError
from kerasbatch.spec.check import check_spec
from kerasbatch.spec.document.yaml_tree import Tree
from kerasbatch.spec.overrides import AUTO, RATE, set_value
from kerasbatch.spec.schema import Spec


@dataclass(frozen=True)
class SingleRun:
    """One run of a sweep.

    Args:
        spec: the spec of this run, without a sweep.
        swept: the dotted keys of the sweep with this run's values; empty without a sweep.
        places: the place in the grid for every swept location.
    """

    spec: Spec
    swept: Mapping[str, Any]
    places: Mapping[Location, Location] = field(default_factory=dict)

    @contextlib.contextmanager
    def located(self) -> Iterator[None]:
        """Move faults of swept keys to the grid, the source of their values."""
        try:
            yield
        except SpecError as error:
            faults = (
                replace(fault, location=self.places.get(fault.location, fault.location))
                for fault in error.faults
            )
            raise error.with_faults(faults) from error.__cause__

    @property
    def is_auto(self) -> bool:
        """True if a search finds its learning rate."""
        return bool(self.swept.get(RATE) == AUTO)

    def key_without(self, keys: Collection[str]) -> str:
        """Return a text that is equal for runs with the same values of all other swept keys."""
        rest = {key: value for key, value in self.swept.items() if key not in keys}
        return json.dumps(rest, sort_keys=True)

    def with_steps(self, steps: int) -> "SingleRun":
        """Return the run with a budget in steps; its swept values stay."""
        plain = copy.deepcopy(self.spec.plain())
        set_value(plain, "steps", steps)
        return replace(self, spec=check_spec(Tree(plain), self.spec.name))

    def with_values(self, values: Mapping[str, Any]) -> "SingleRun":
        """Return the run with other values of swept keys.

        Raises:
            SpecError: if a value is not legal for its key.
        """
        plain = copy.deepcopy(self.spec.plain())
        for key, value in values.items():
            set_value(plain, key, value)
        spec = check_spec(Tree(plain), self.spec.name)
        return replace(self, spec=spec, swept={**self.swept, **values})
