"""Decodes many image files into one array, by several processes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from kerasbatch.cache.progress import Progress
from kerasbatch.data.images.decoder import Chunk, DecodedChunk, decode_chunk
from kerasbatch.data.images.image_format import ImageFormat

CHUNK = 256
"""The files of a call of a process."""
FEW = 1000
"""The number of files below which processes take longer to start than they save."""
IDLE_SECONDS = 5
"""The time after which idle processes end."""


def decode_all(folder: Path, names: Sequence[str], form: ImageFormat, target: Path) -> DecodedChunk:
    """Write the pixels of files into an npy file, a row for each.

    Args:
        folder: the folder of all files.
        names: their paths from the folder.
        form: the form of the images.
        target: the npy file, of shape (len(names), height, width, channels).

    Returns:
        The hashes of all files, and those that are damaged.
    """
    chunks = [
        Chunk(folder, names[first : first + CHUNK], form, target, first)
        for first in range(0, len(names), CHUNK)
    ]
    progress, result = Progress("reading images", len(names), "image"), DecodedChunk()
    for decoded in _decoded(chunks, len(names)):
        result.hashes |= decoded.hashes
        result.damaged |= decoded.damaged
        result.rows += decoded.rows
        progress.advance(len(decoded.hashes))
    return result


def _decoded(chunks: Sequence[Chunk], count: int) -> Iterator[DecodedChunk]:
    """Yield the results of chunks, in any order."""
    import joblib

    processes = joblib.cpu_count()
    if count < FEW or processes == 1:
        yield from map(decode_chunk, chunks)
        return
    # loky's processes do not run the user's script again, as those of multiprocessing do.
    parallel = joblib.Parallel(
        n_jobs=processes,
        backend="loky",
        return_as="generator_unordered",
        batch_size=1,
        idle_worker_timeout=IDLE_SECONDS,
    )
    yield from parallel(joblib.delayed(decode_chunk)(chunk) for chunk in chunks)
