"""Texts as the numbers of their words, by Keras' TextVectorization."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerasbatch.cache.array_cache import ArrayCache, hashed
from kerasbatch.cache.progress import Progress
from kerasbatch.cache.writer import EntryWriter
from kerasbatch.data.texts.text_format import TextFormat
from kerasbatch.errors import SpecError
from kerasbatch.types import Array

CHUNK = 1024
"""The texts of a call of Keras."""
Texts = Mapping[str, Array]
"""The texts of each part, as str in object arrays of shape (n,)."""


def vectorized(texts: Texts, form: TextFormat) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Return the numbers of the words of all parts, and the vocabulary of the training part.

    Args:
        texts: the texts of the parts; `train` among them.
        form: the form for the model.

    Returns:
        For each part int32, shape (n, length): 0 for padding, 1 for an unknown word; and the
        words in the order of their numbers.

    Raises:
        CacheError: if the disk has no room.
    """
    import keras

    content = {part: texts_hash(part_texts) for part, part_texts in texts.items()}
    key = hashed(["text", content, form.words, form.length, keras.__version__])

    def write(writer: EntryWriter) -> Mapping[str, Any]:
        words = vocabulary(texts["train"], form)
        for part, part_texts in texts.items():
            writer.save(f"x_{part}", numbers(part_texts, words, form.length))
        return {"vocabulary": words}

    entry = ArrayCache().get_or_write(
        key, f"{form.length} of {form.words:,} words of {len(texts['train']):,} texts", write
    )
    arrays = {part: np.array(entry.arrays[f"x_{part}"]) for part in texts}
    return arrays, tuple(entry.facts["vocabulary"])


def vocabulary(texts: Sequence[str] | Array, form: TextFormat) -> list[str]:
    """Return the most frequent words of texts, after those for padding and unknown words."""
    layer = _layer(form.length, words=form.words)
    layer.adapt(_as_list(texts), batch_size=CHUNK)
    words = [str(word) for word in layer.get_vocabulary()]
    if len(words) <= len(("", "[UNK]")):
        raise SpecError.at(("data",), "the texts of the training part hold no word")
    return words


def numbers(texts: Sequence[str] | Array, words: Sequence[str], length: int) -> Array:
    """Return the numbers of the words of texts, int32, shape (n, length)."""
    layer = _layer(length, vocabulary=list(words[2:]))
    progress = Progress("reading texts", len(texts), "text")
    result = np.zeros((len(texts), length), np.int32)
    for first in range(0, len(texts), CHUNK):
        chunk = _as_list(texts[first : first + CHUNK])
        result[first : first + len(chunk)] = np.asarray(layer(chunk))
        progress.advance(len(chunk))
    return result


def _layer(length: int, *, words: int | None = None, vocabulary: Any = None) -> Any:
    import keras

    return keras.layers.TextVectorization(
        max_tokens=words, output_sequence_length=length, vocabulary=vocabulary
    )


def _as_list(texts: Any) -> list[str]:
    return [str(text) for text in texts]


def texts_hash(texts: Array) -> str:
    """Return a hash of texts, each with its length."""
    digest = hashlib.sha256()
    for text in texts:
        content = str(text).encode("utf-8", "surrogatepass")
        digest.update(f"{len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()
