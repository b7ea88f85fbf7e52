"""Decodes image files by Pillow; it imports nothing large, because processes of its own use it."""

import hashlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from kerasbatch.data.images.image_format import ImageFormat
from kerasbatch.types import Array

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"})
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
MAX_PIXELS = 100_000_000
MAX_RATIO = 50
"""The longer side over the shorter one, above which nothing of an image would be left."""
_DEEP_GREY = ("I;16", "I;16L", "I;16B", "I;16N", "I")


class DamagedImageError(ValueError):
    """A file that is no image, or one that cannot be used."""


@dataclass(frozen=True)
class Chunk:
    """Files to decode.

    Args:
        folder: the folder of all files.
        names: their paths from the folder.
        form: the form of the images.
        target: the npy file of all images.
        first: the row of the first one in it.
    """

    folder: Path
    names: Sequence[str]
    form: ImageFormat
    target: Path
    first: int


@dataclass
class DecodedChunk:
    """The result for a chunk.

    Args:
        hashes: the SHA-256 of the files, by name; without those that cannot be read.
        damaged: the reasons why files cannot be used, by name.
        rows: the rows of the files that were read and cannot be used.
    """

    hashes: dict[str, str] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)


def decode_chunk(chunk: Chunk) -> DecodedChunk:
    """Write the pixels of files into their rows of the npy file; damaged ones stay 0."""
    result = DecodedChunk()
    images = np.load(chunk.target, mmap_mode="r+")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about metadata and large images
        for row, name in enumerate(chunk.names, start=chunk.first):
            try:
                content = (chunk.folder / name).read_bytes()
                result.hashes[name] = hashlib.sha256(content).hexdigest()
                images[row] = pixels(content, chunk.form)
            except DamagedImageError as error:
                result.damaged[name] = str(error)
                result.rows.append(row)
            except OSError as error:
                result.damaged[name] = f"cannot be read: {error.strerror}"
    return result


def pixels(content: bytes, form: ImageFormat) -> Array:
    """Return an image as uint8, shape (height, width, channels).

    Args:
        content: the content of a PNG, JPEG, GIF, BMP or WebP file; of several frames, the first.
        form: the form of the image.

    Raises:
        DamagedImageError: if it cannot be decoded, or its sides are too long or too unequal.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_sides(*image.size)
            upright = ImageOps.exif_transpose(image)
            sized = _resized(_converted(upright, form.channels), form)
            return np.asarray(sized).reshape(form.shape)
    except (DamagedImageError, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise DamagedImageError(f"has more than {MAX_PIXELS:,} pixels") from None
    except Exception as error:  # a damaged file may fail in any way
        raise DamagedImageError(_reason(error, content)) from None


def _check_sides(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DamagedImageError(f"has {width:,} x {height:,} pixels, more than {MAX_PIXELS:,}")
    if max(width, height) > MAX_RATIO * min(width, height):
        sides = f"has {width:,} x {height:,} pixels"
        raise DamagedImageError(f"{sides}; one side is more than {MAX_RATIO} times the other")


def _converted(image: Image.Image, channels: int) -> Image.Image:
    """Return an image in colours or grey with 8 bits; transparency is left out, as by Keras."""
    if image.mode in _DEEP_GREY:
        high_bytes = np.asarray(image).astype(np.int64).clip(0, 2**16 - 1) >> 8
        image = Image.fromarray(high_bytes.astype(np.uint8))
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA")
    if image.mode == "LA":
        image = image.convert("L")
    if channels == 1:
        return image if image.mode == "L" else image.convert("RGB").convert("L")
    return image.convert("RGB")


def _resized(image: Image.Image, form: ImageFormat) -> Image.Image:
    size = form.width, form.height
    if image.size == size:
        return image
    if form.resize == "crop":
        return ImageOps.fit(image, size, Image.Resampling.BILINEAR)
    if form.resize == "pad":
        return ImageOps.pad(image, size, Image.Resampling.BILINEAR)
    return image.resize(size, Image.Resampling.BILINEAR)


def _reason(error: Exception, content: bytes) -> str:
    if not content:
        return "is empty"
    if isinstance(error, UnidentifiedImageError):
        return "is no PNG, JPEG, GIF, BMP or WebP image"
    text = " ".join(str(error).split())
    return f"cannot be decoded ({text or type(error).__name__})"
