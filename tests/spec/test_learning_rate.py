"""Learning-rate rules: linear, square root, and what they refuse."""

from typing import Any

import pytest

import kerasbatch as kb
from kerasbatch.errors import SpecError
from kerasbatch.spec import learning_rate, reader


def resolve(small: dict[str, Any], batch_size: int, **keys: Any) -> learning_rate.LearningRate:
    plan = kb.plan(1000, batch_size=batch_size, epochs=3)
    return learning_rate.resolve_learning_rate(reader.spec_from_dict(small | keys).spec, plan)


def test_without_a_rule_the_rate_stays(small: dict[str, Any]) -> None:
    """The given rate, or Keras' default."""
    assert resolve(small, 128).value == 0.1
    assert resolve(small, 128, optimizer="adam").value == 0.001


@pytest.mark.parametrize(("rule", "value"), [("linear", 0.4), ("sqrt", 0.2)])
def test_rules(small: dict[str, Any], rule: str, value: float) -> None:
    """A batch 4 times the base: rate x 4, or x 2; the base rate is kept."""
    found = resolve(small, 128, learning_rate_rule={"rule": rule, "base_batch_size": 32})
    assert found.value == pytest.approx(value)
    assert found.base == 0.1


def test_the_square_root_rule_scales_betas_and_epsilon(small: dict[str, Any]) -> None:
    """1 - beta times 4, epsilon over 2 (Malladi et al. 2022)."""
    rule = {"rule": "sqrt", "base_batch_size": 32, "betas": True}
    found = resolve(small, 128, optimizer="adam", learning_rate_rule=rule)
    assert found.value == pytest.approx(0.002)
    assert found.arguments == pytest.approx({"beta_1": 0.6, "beta_2": 0.996, "epsilon": 5e-8})


def test_a_beta_cannot_fall_to_zero(small: dict[str, Any]) -> None:
    """At 10 times the base batch size, 1 - beta_1 would be 1."""
    rule = {"rule": "sqrt", "base_batch_size": 1, "betas": True}
    with pytest.raises(SpecError, match=r"beta_1 would be -0\.2"):
        resolve(small, 12, optimizer="adam", learning_rate_rule=rule)


def test_a_schedule_has_no_single_rate(small: dict[str, Any]) -> None:
    """And no rule may scale it."""
    schedule = {"name": "ExponentialDecay", "initial_learning_rate": 0.1, "decay_steps": 10}
    optimizer = {"name": "sgd", "learning_rate": schedule | {"decay_rate": 0.5}}
    assert resolve(small, 8, optimizer=optimizer).value is None
    with pytest.raises(SpecError, match="a rule scales a number"):
        resolve(small, 8, optimizer=optimizer, learning_rate_rule={"rule": "linear"})
