"""The shapes of an example, from which models are built."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kerasbatch.array_trees import Shape

OutputShapes = tuple[int, ...] | dict[str, tuple[int, ...]]
"""The shape of the output of a model for one example; of several outputs, by their names."""


@dataclass(frozen=True)
class ExampleLayout:
    """The shapes of an example.

    Args:
        input_shape: the shape of its inputs, or of each of them by name.
        classes: the number of classes, or None where the target is a number; by name of several.
        outputs: the numbers of its target: one for each class, 1 for a number; by name of several.
    """

    input_shape: Shape
    classes: int | Mapping[str, int | None] | None
    outputs: int | Mapping[str, int]

    def context(self) -> dict[str, Any]:
        """Return the values that a function which builds a model may name."""
        return {
            "input_shape": self.input_shape,
            "classes": self.classes,
            "outputs": self.outputs,
        }
