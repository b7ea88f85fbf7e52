"""Objects in the parts of `compile`, and keys inside them by dotted names."""

from pathlib import Path
from typing import Any

import pytest

from kerasbatch.errors import SpecError
from kerasbatch.runs.spec_of_python import spec_of_python
from kerasbatch.spec.reader import spec_from_dict
from kerasbatch.spec.sweep.expand import expand

PLAIN = {"data": "digits", "model": "mlp", "epochs": 1, "batch_size": 16}
SPEC = PLAIN | {"optimizer": {"name": "sgd"}, "loss": "mse"}


def build(input_shape: Any) -> None:
    """Stand for a function that builds a model."""


def first(y_true: Any, y_pred: Any) -> Any:
    return y_true - y_pred


def second(y_true: Any, y_pred: Any) -> Any:
    return y_pred - y_true


class Optimizer:
    def get_config(self) -> dict[str, Any]:
        return {"learning_rate": 0.1}


def test_losses_and_metrics_by_output() -> None:
    loss, metrics = {"price": first, "kind": "mse"}, {"price": [first, "mae"], "kind": second}
    source = spec_from_dict(SPEC | {"model": build, "loss": loss, "metrics": metrics})
    held = source.objects.values
    losses = source.spec.loss.outputs
    assert held[str(losses["price"].object)] is first
    assert losses["kind"].name == "mse"
    columns = [metric.column for metric in source.spec.metrics]
    assert columns == ["price_first", "price_mae", "kind_second"]
    objects = [held.get(str(metric.object)) for metric in source.spec.metrics]
    assert objects == [first, None, second]


def test_a_sweep_over_losses() -> None:
    source = spec_of_python(
        None, keys=SPEC | {"model": build, "loss": [first, second]}, sweeps=True
    )
    losses = [source.objects.values[str(run.spec.loss.object)] for run in expand(source)]
    assert losses == [first, second]


def test_the_rate_of_an_optimizer() -> None:
    """A rate beside an optimizer is set on it, in whatever order they are written."""
    of_file = Path(__file__).parents[3] / "experiments" / "mnist_b16.yaml"
    for spec, keys in ((None, SPEC), (of_file, {})):
        for parts in (
            {"optimizer": Optimizer(), "learning_rate": 0.3},
            {"learning_rate": 0.3, "optimizer": Optimizer()},
        ):
            source = spec_of_python(spec, keys=keys | parts)
            assert source.spec.optimizer.arguments == {"learning_rate": 0.3}
            assert source.spec.optimizer.is_own


def test_keys_of_a_mapping_stay_unchanged() -> None:
    keys: dict[str, Any] = {"optimizer": {"name": "sgd"}, "learning_rate": 0.3}
    assert spec_of_python(None, keys=SPEC | keys).spec.optimizer.arguments["learning_rate"] == 0.3
    assert keys["optimizer"] == {"name": "sgd"}
    swept: dict[str, Any] = PLAIN | {"loss": "mse", "sweep": {"optimizer": ["sgd", "adam"]}}
    source = spec_of_python(swept, keys={"learning_rate": 0.3})
    assert source.spec.sweep == swept["sweep"] | {"optimizer.learning_rate": [0.3]}
    assert swept["sweep"] == {"optimizer": ["sgd", "adam"]}


def test_objects_in_other_sweeps_and_dotted_keys() -> None:
    by_output = {"model": build, "loss": {"price": "mae", "kind": "mse"}}
    source = spec_from_dict(SPEC | by_output | {"sweep": {"loss.price": [first, second]}})
    losses = [run.spec.loss.outputs["price"].object for run in expand(source)]
    assert [source.objects.values[str(name)] for name in losses] == [first, second]
    source = spec_from_dict(SPEC | {"sweep": {"metrics": [[first], ["mae"]]}})
    assert [run.spec.metrics[0].column for run in expand(source)] == ["first", "mae"]
    source = spec_from_dict(SPEC | by_output | {"loss.price": first})
    assert source.objects.values[str(source.spec.loss.outputs["price"].object)] is first


def test_an_output_may_be_called_name() -> None:
    keys = {"model": build, "metrics": {"name": ["mae"], "kind": ["mse"]}}
    spec = spec_from_dict(SPEC | keys).spec
    assert [metric.column for metric in spec.metrics] == ["name_mae", "kind_mse"]


def test_outputs_have_no_optimizers() -> None:
    with pytest.raises(SpecError, match="optimizer: has no name"):
        spec_from_dict(SPEC | {"optimizer": {"price": "sgd"}})
    with pytest.raises(SpecError, match="metrics: found a mapping; must be a list"):
        spec_from_dict(SPEC | {"metrics": {"name": "AUC"}})
