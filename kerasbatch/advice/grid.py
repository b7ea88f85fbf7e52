"""The spec that advice is about: a single run, or the sizes and rates of a sweep."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from kerasbatch.advice.spec_variants import spec_variant
from kerasbatch.analysis.comparison.target import parse_target
from kerasbatch.engine.environment import configured_backend
from kerasbatch.errors import SpecError
from kerasbatch.spec.check import check_spec
from kerasbatch.spec.document.yaml_tree import Tree
from kerasbatch.spec.reader import SpecSource, resolve_spec
from kerasbatch.spec.schema import BUDGETS, OF_SWEEP, Spec
from kerasbatch.spec.sweep.auto_rate import auto_rate_of
from kerasbatch.spec.sweep.expand import expand
from kerasbatch.types import Backend

SWEPT = ("batch_size", "optimizer.learning_rate", "learning_rate_rule.times", "seed", *BUDGETS)
"""The keys of a sweep that advice can take: the grid of one model on one set of data."""


@dataclass(frozen=True)
class AdviceGrid:
    """The spec of a single run, and the sizes and rates of the sweep that it comes from.

    Args:
        source: the spec; of a sweep, the run of the middle size and rate.
        sizes: the batch sizes of the sweep, or empty; `full` is a size.
        rates: by batch size, the learning rates of the sweep; empty without any.
    """

    source: SpecSource
    sizes: tuple[int | str, ...] = ()
    rates: Mapping[int | str, tuple[float, ...]] = field(default_factory=dict)

    def sizes_for(self, n: int) -> tuple[int, ...]:
        """Return the batch sizes of the sweep as numbers, ascending, for n training examples."""
        return tuple(sorted({n if size == "full" else int(size) for size in self.sizes}))

    def rates_for(self, n: int) -> dict[int, tuple[float, ...]]:
        """Return the learning rates by the batch size as a number."""
        return {n if size == "full" else int(size): rates for size, rates in self.rates.items()}


def _resolved(spec: Any, overrides: Iterable[str]) -> SpecSource:
    """Return a spec whose backend is that of Keras in this process, which measures.

    Raises:
        SpecError: if it is another one.
    """
    configured = configured_backend()
    source = resolve_spec(spec, overrides, configured)
    if (named := source.spec.backend) != configured and configured in get_args(Backend):
        message = f"found {named}, and Keras runs on {configured} here; set KERAS_BACKEND={named}"
        raise SpecError.at(("backend",), message)
    return source


def read_grid(spec: Any, overrides: Iterable[str], target: str | None) -> AdviceGrid:
    """Read a spec, with a sweep or without, and set the target if one is passed.

    Raises:
        SpecError: if the spec or the target is wrong, or the sweep has other keys than batch size,
            learning rate, seed and budget.
    """
    source = _resolved(spec, overrides)
    with source.located():
        runs = expand(source)
        if other := [key for key in runs[0].swept if key not in SWEPT]:
            message = f"advice is about one model on one set of data; leave {other[0]} out"
            raise SpecError.at(("sweep", other[0]), message)
        grid = _grid(source, [run.spec for run in runs]) if runs[0].swept else AdviceGrid(source)
        if target is None:
            return grid
        values = parse_target(target).model_dump(exclude_none=True) | {"stop": True}
        return replace(grid, source=spec_variant(grid.source, target=values))


def _grid(source: SpecSource, specs: Sequence[Spec]) -> AdviceGrid:
    sizes = sorted({spec.batch_size for spec in specs}, key=lambda b: (b == "full", b))
    rates = {size: _rates(spec for spec in specs if spec.batch_size == size) for size in sizes}
    middle = sizes[len(sizes) // 2]
    rate = rates[middle][len(rates[middle]) // 2] if rates[middle] else None
    of_size = [spec for spec in specs if spec.batch_size == middle]
    chosen = next((spec for spec in of_size if _rate(spec) == rate), of_size[0])
    if (auto := auto_rate_of(source.spec)) is not None:
        chosen = _start(source.spec, auto.start)
    tree = Tree(chosen.plain())
    single = SpecSource(check_spec(tree, default_name=source.spec.name), tree, source.folder)
    tried: dict[int | str, tuple[float, ...]] = {
        size: values for size, values in rates.items() if len(values) > 1
    }
    return AdviceGrid(single, tuple(sizes) if len(sizes) > 1 else (), tried)


def _start(spec: Spec, rate: float) -> Spec:
    """Return the single run from which a search for the learning rate starts."""
    plain = {key: value for key, value in spec.plain().items() if key not in OF_SWEEP}
    plain["optimizer"] = {**plain.get("optimizer", {}), "learning_rate": rate}
    return check_spec(Tree(plain), spec.name)


def _rates(specs: Iterable[Spec]) -> tuple[float, ...]:
    """Return the different learning rates of specs, ascending, without schedules."""
    return tuple(sorted({rate for spec in specs if (rate := _rate(spec)) is not None}))


def _rate(spec: Spec) -> float | None:
    """Return the learning rate of a spec, by its factor; None without a number."""
    rate = spec.optimizer.arguments.get("learning_rate")
    times = spec.learning_rate_rule.times
    return float(rate) * times if isinstance(rate, int | float) else None


def single_run_spec(spec: Any, overrides: Iterable[str], target: str | None) -> SpecSource:
    """Read the spec of a single run, and set the target if one is passed.

    Raises:
        SpecError: if the spec or the target is wrong, or the spec has a sweep.
    """
    source = _resolved(spec, overrides)
    with source.located():
        if source.spec.makes_many:
            raise SpecError.at(("sweep",), "brute force has a grid of its own; leave the sweep out")
    return read_grid(source, (), target).source
