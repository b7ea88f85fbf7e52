"""Operations that JAX computes slowly inside a loop on a CPU (jax issue 12868)."""

from collections.abc import Iterator
from typing import Any

import jax

SLOW = {
    "conv_general_dilated": "convolutions",
    "reduce_window_max": "pools",
    "reduce_window_sum": "pools",
    "reduce_window": "pools",
    "select_and_scatter_add": "pools",
    "select_and_gather_add": "pools",
}
"""JAX's names of the operations, with the field's name."""


def slow_operation(jaxpr: Any) -> str | None:
    """Return the kind of the first operation that is slow inside a loop; None on a GPU."""
    if jax.default_backend() != "cpu":
        return None
    return next((SLOW[name] for name in _primitives(jaxpr) if name in SLOW), None)


def _primitives(jaxpr: Any) -> Iterator[str]:
    """Yield the names of the operations of a traced function, also of those inside it."""
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_traced):
            if _is_traced(inner):
                yield from _primitives(getattr(inner, "jaxpr", inner))


def _is_traced(value: Any) -> bool:
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")
