"""The draft of a spec: its keys in their order, with a comment for each."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from kerasbatch.text import counted

MAX_EXAMPLES = 300_000
"""The examples of the whole training of a run in a first spec."""
MAX_EPOCHS, MIN_EPOCHS = 50, 3
SIZES = (16, 64, 256)
SEEDS = [0, 1, 2]
IMBALANCED = 0.8
"""The share of the largest class from which on classes are imbalanced."""


@dataclass(frozen=True)
class Task:
    """The task that a target sets.

    Args:
        loss: the loss.
        metrics: the metrics.
        target: what is to be reached, as text of a commented key.
        comment: the reason in words.
        classes: the number of classes, or None for numbers.
        largest: the share of the largest class, or None for numbers.
    """

    loss: str
    metrics: tuple[str, ...]
    target: dict[str, Any]
    comment: str
    classes: int | None = None
    largest: float | None = None


def classification(classes: int, share: float) -> Task:
    """Return the task of telling classes apart.

    Args:
        classes: their number.
        share: the share of the largest class, which a model that knows nothing gets right.
    """
    comment = f"{classes} classes; always answering the largest one is right in {share:.0%}"
    target = {"metric": "val_accuracy", "at_least": round(share + (1 - share) / 2, 2)}
    loss = "sparse_categorical_crossentropy"
    return Task(loss, ("accuracy",), target, comment, classes, share)


def regression() -> Task:
    """Return the task of predicting numbers."""
    target = {"metric": "val_loss", "at_most": 0.5}
    return Task("mse", ("mae",), target, "numbers; mae is in the target's own units")


@dataclass
class Draft:
    """The lines of a spec.

    Args:
        question: the question of the experiment.
        entries: keys and values in their order; a key that begins with `# ` is a suggestion.
        comments: the comment of a key.
        notes: what was noticed about the data, for the user.
    """

    question: str
    entries: list[tuple[str, Any]] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, key: str, value: Any, comment: str = "") -> None:
        """Add a key."""
        self.entries.append((key, value))
        if comment:
            self.comments[key] = comment

    def suggest(self, key: str, value: Any, comment: str) -> None:
        """Add a key that is commented out."""
        self.add(f"# {key}", value, comment)

    def plain(self) -> dict[str, Any]:
        """Return the spec as plain values."""
        return {key: value for key, value in self.entries if not key.startswith("#")}

    def text(self) -> str:
        """Return the spec as YAML with comments."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield f"question: {_flow(self.question)}"
        for key, value in self.entries:
            if comment := self.comments.get(key):
                yield f"# {comment}"
            yield f"{key}: {_flow(value)}"


def _flow(value: Any) -> str:
    """Return a value on one line of YAML."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=2**20, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("...\n").strip()


def add_training(draft: Draft, task: Task, examples: int, *, model: Any = "mlp") -> None:
    """Add the keys of model, training and sweep.

    Args:
        draft: the draft, with its data.
        task: the task.
        examples: the number of training examples.
        model: the model; None if the draft has one.
    """
    if model is not None:
        draft.add("model", model)
    draft.add("optimizer", "adam")
    draft.add("loss", task.loss, task.comment)
    draft.add("metrics", list(task.metrics))
    epochs = max(MIN_EPOCHS, min(MAX_EPOCHS, MAX_EXAMPLES // max(examples, 1)))
    draft.add("epochs", epochs, f"{counted(examples, 'training example')} an epoch")
    sizes = [size for size in SIZES if size <= examples // 4] or [max(1, examples // 4)]
    draft.add(
        "sweep",
        {"batch_size": sizes, "seed": SEEDS},
        "each batch size with each seed; a list at any other key makes more runs",
    )
    if task.largest is not None and task.largest >= IMBALANCED:
        draft.suggest("class_weight", "balanced", "the classes have very different sizes")
        share = f"the largest class has {task.largest:.0%} of the examples"
        draft.notes.append(f"{share}; class_weight: balanced weighs the others more")
    message = "what counts: the steps, examples and seconds until it is reached"
    draft.suggest("target", task.target, message)
    draft.suggest("save", "best", "keeps the best model for `kerasbatch predict`")
