"""The form of images as the model gets them."""

from dataclasses import dataclass

from kerasbatch.spec.data_schema import ImageData
from kerasbatch.spec.data_values import Resize


@dataclass(frozen=True)
class ImageFormat:
    """The form of images.

    Args:
        height: the rows of pixels.
        width: the columns of pixels.
        channels: 3 for colours, 1 for grey.
        resize: the way to give them this size.
    """

    height: int
    width: int
    channels: int = 3
    resize: Resize = "stretch"

    @classmethod
    def of(cls, data: ImageData) -> "ImageFormat":
        """Return the form that a spec asks for."""
        return cls(*data.size, data.channels, data.resize)

    def __str__(self) -> str:
        """Return the form as text, like 64 x 64 x 3, stretch."""
        return f"{self.height} x {self.width} x {self.channels}, {self.resize}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of an image."""
        return self.height, self.width, self.channels
