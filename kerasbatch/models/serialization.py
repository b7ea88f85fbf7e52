"""A model as the content of a .keras file."""

import tempfile
from pathlib import Path

import keras


def keras_file_content(model: keras.Model) -> bytes:
    """Return the content of a .keras file of a model."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.keras")
        model.save(file)
        return file.read_bytes()
