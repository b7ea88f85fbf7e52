"""The geometry of windows that move over the spatial dimensions of a tensor."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import tensorflow as tf

from kerasbatch.engine.tensorflow.lowering.errors import CannotLowerError

Padding = Literal["valid", "same"]
MAX_PARTS = 128
"""The largest number of slices of an operation; XLA compiles each."""


@dataclass(frozen=True)
class Axis:
    """The windows along one spatial dimension.

    Args:
        size: the length of the input.
        window: the number of its elements in a window.
        stride: the distance of two windows.
        dilation: the distance of two elements of a window.
        padding: `valid`, or `same` as TensorFlow pads: what is odd comes at the end.
    """

    size: int
    window: int
    stride: int = 1
    dilation: int = 1
    padding: Padding = "valid"

    @property
    def span(self) -> int:
        """The length that a window covers."""
        return (self.window - 1) * self.dilation + 1

    @property
    def outputs(self) -> int:
        """The number of windows."""
        if self.padding == "same":
            return -(-self.size // self.stride)
        return max(0, (self.size - self.span) // self.stride + 1)

    @property
    def pads(self) -> tuple[int, int]:
        """The elements that are added before and after the input."""
        if self.padding == "valid":
            return 0, 0
        added = max((self.outputs - 1) * self.stride + self.span - self.size, 0)
        return added // 2, added - added // 2

    def elements(self, place: int) -> slice:
        """Return the elements at one place of all windows, in the padded input."""
        start = place * self.dilation
        return slice(start, start + (self.outputs - 1) * self.stride + 1, self.stride)


@dataclass(frozen=True)
class Windows:
    """The windows over all spatial dimensions, of a tensor with the channels last."""

    axes: tuple[Axis, ...]

    @property
    def places(self) -> list[tuple[int, ...]]:
        """All places of a window, in the order of its elements."""
        return list(itertools.product(*(range(axis.window) for axis in self.axes)))

    def padded(self, inputs: Any, value: Any = 0) -> Any:
        """Return the padded input."""
        pads = [(0, 0), *(axis.pads for axis in self.axes), (0, 0)]
        if not any(map(any, pads)):
            return inputs
        return tf.pad(inputs, pads, constant_values=tf.cast(value, inputs.dtype))

    def parts(self, inputs: Any, value: Any = 0) -> Iterator[Any]:
        """Yield, for every place of a window, the elements of all windows there.

        Each has the shape (batch, *outputs, channels).

        Raises:
            CannotLowerError: if there are too many places.
        """
        check_parts(len(self.places))
        padded = self.padded(inputs, value)
        for place in self.places:
            yield padded[(slice(None), *self._elements(place), slice(None))]

    def patches(self, inputs: Any) -> Any:
        """Return all windows, shape (batch, *outputs, places * channels), in the order of places.

        They are made along one dimension after the other: 6 slices for 3 x 3 places and not 9,
        which XLA compiles in two thirds of the time.

        Raises:
            CannotLowerError: if there are too many slices.
        """
        check_parts(sum(axis.window for axis in self.axes))
        patches = self.padded(inputs)
        for number in reversed(range(len(self.axes))):
            axis, before = self.axes[number], (slice(None),) * (number + 1)
            along = [patches[(*before, axis.elements(place))] for place in range(axis.window)]
            patches = tf.concat(along, -1)
        return patches

    def _elements(self, place: Sequence[int]) -> list[slice]:
        return [axis.elements(at) for axis, at in zip(self.axes, place, strict=True)]


def check_parts(count: int) -> None:
    """Raise CannotLowerError for too many slices."""
    if count > MAX_PARTS:
        raise CannotLowerError(f"its windows would be {count:,} slices")


def windows_over(
    inputs: Any,
    window: Sequence[int],
    strides: Sequence[int],
    padding: str,
    dilations: Sequence[int],
) -> Windows:
    """Return the windows over a tensor with the channels last and a static spatial shape.

    Raises:
        CannotLowerError: if the padding is unknown, or no window fits.
    """
    if padding not in ("valid", "same"):
        raise CannotLowerError(f"unknown padding {padding!r}")
    axes = tuple(
        Axis(size, kernel, stride, dilation, padding)  # type: ignore[arg-type]  # checked
        for size, kernel, stride, dilation in zip(
            inputs.shape[1:-1], window, strides, dilations, strict=True
        )
    )
    if any(axis.outputs < 1 for axis in axes):
        raise CannotLowerError("no window fits")
    if len(axes) == 3 and padding == "same" and any(axis.span < axis.stride for axis in axes):
        raise CannotLowerError("TensorFlow places windows with gaps in three dimensions elsewhere")
    return Windows(axes)
