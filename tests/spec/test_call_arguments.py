"""Calls of own functions with the arguments that their parameters name."""

from typing import Any

import pytest

from kerasbatch.errors import SpecError
from kerasbatch.spec.call_arguments import call_with, required

CONTEXT = {"input_shape": (4,), "classes": 3, "outputs": 3}


def by_name(classes: int, units: int = 64, *, rate: float = 0.5) -> Any:
    return classes, units, rate


def by_position(shape: Any, number: int, width: int = 8) -> Any:
    return shape, number, width


def of_all(*arguments: Any, **options: Any) -> Any:
    return arguments, options


def shape_alone(shape: Any) -> Any:
    return shape


def outputs_alone(outputs: int) -> Any:
    return outputs


class Built:
    def __init__(self, input_shape: Any, depth: int = 1) -> None:
        self.parts = input_shape, depth

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Built) and self.parts == other.parts


@pytest.mark.parametrize(
    ("function", "written", "result"),
    [
        (by_name, {}, (3, 64, 0.5)),
        (by_name, {"units": 2, "rate": 0.1}, (3, 2, 0.1)),
        (by_name, {"classes": 7}, (7, 64, 0.5)),
        (by_position, {}, ((4,), 3, 8)),
        (by_position, {"width": 1}, ((4,), 3, 1)),
        (by_position, {"number": 9}, ((4,), 9, 8)),
        (of_all, {"units": 1}, (((4,), 3), {"units": 1})),
        (shape_alone, {}, (4,)),
        (outputs_alone, {}, 3),
        (lambda: "nothing", {}, "nothing"),
        (Built, {"depth": 2}, Built((4,), 2)),
        (dict, {"units": 1}, {"units": 1}),
    ],
)
def test_a_function_gets_what_it_names(function: Any, written: Any, result: Any) -> None:
    context = {} if function is dict else CONTEXT
    assert call_with(function, context, written, ("model", "python")) == result


def test_wrong_and_missing_arguments_are_told_with_the_signature() -> None:
    def build(input_shape: Any, units: int, dropout: float = 0.0) -> Any:
        raise AssertionError

    with pytest.raises(SpecError) as wrong:
        call_with(build, {"input_shape": (4,)}, {"unit": 3}, ("model", "python"))
    unknown, missing = wrong.value.faults
    assert unknown.location == ("model", "arguments", "unit")
    form = "build(input_shape, units, dropout=0.0)"
    assert unknown.message == f"{form} has no argument unit; did you mean units?"
    assert missing.message == f"{form} needs units; write arguments: {{units: ...}}"


def test_required_parameters() -> None:
    def focal(y_true: Any, y_pred: Any, gamma: float) -> Any:
        raise AssertionError

    assert required(focal, {}) == 3
    assert required(focal, {"gamma": 2}) == 2
