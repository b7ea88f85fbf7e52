"""The names of the files in the directories of a run and of an experiment."""

from fnmatch import fnmatchcase

RECORD, SPEC = "record.json", "spec.yaml"
EXPERIMENT = "experiment.yaml"
"""The original spec, in the directory of the experiment."""
TABLES = ("history.csv", "steps.csv", "steps_loss.csv", "weights.csv", "noise.csv")
PREPROCESSING = "preprocessing.json"
OWN_FILES = "own"
"""The folder of the files that callbacks of the user write."""
MODELS = {"last": "model.keras", "best": "best.keras"}
"""The files of the models, by the values of the spec's `save`."""
CHECKPOINT, CHECKPOINTS = "checkpoint-{step}.keras", "checkpoint-*.keras"
"""The name of a model that is saved during the training, and a pattern of all of them."""

HASHED = tuple(sorted((SPEC, *TABLES, PREPROCESSING, *MODELS.values())))
"""The files whose checksums stand in the record."""


def is_checkpoint(name: str) -> bool:
    """Return whether a file is a model that was saved during a training."""
    return fnmatchcase(name, CHECKPOINTS)
