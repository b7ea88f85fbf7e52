"""Specs like a given one, with some keys in place of others; paths start where its own do."""

from typing import Any

from kerasbatch.spec.check import check
from kerasbatch.spec.keys import BUDGETS
from kerasbatch.spec.specfile import Source
from kerasbatch.spec.yaml_tree import Tree


def variant(source: Source, **changes: Any) -> Source:
    """Return a spec with other values; None takes a key away, one budget replaces another.

    Raises:
        SpecError: if a value is not one of its key.
    """
    plain = source.spec.plain()
    if set(changes) & set(BUDGETS):
        plain = {key: value for key, value in plain.items() if key not in BUDGETS}
    plain = {key: value for key, value in (plain | changes).items() if value is not None}
    tree = Tree(plain)
    return Source(check(tree, default_name=source.spec.name), tree, source.folder)
