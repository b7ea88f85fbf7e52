"""The arithmetic of steps; no other module has any.

The number of examples n, the batch size b and a budget determine the steps of every epoch, the size
of the last batch, the total, and the steps at which a run is evaluated. The lecture notes' relation
s = n * e / b is exact if b divides n; otherwise every epoch ends with a smaller batch, which is a
whole step.

This module knows neither Keras, nor files, nor time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import get_args

from kerasbatch.errors import SpecError
from kerasbatch.types import BudgetKind, EveryKind, PartialBatch


@dataclass(frozen=True)
class Budget:
    """The length of a run in epochs, steps or examples seen."""

    kind: BudgetKind
    amount: int

    def __post_init__(self) -> None:
        if self.kind not in get_args(BudgetKind):
            legal = ", ".join(get_args(BudgetKind))
            raise SpecError.at(("budget",), f"found {self.kind!r}; must be one of {legal}")


@dataclass(frozen=True)
class EpochPlan:
    """One epoch as planned.

    Args:
        epoch: counted from 1.
        steps: its number of steps.
        examples: the number of examples it sees.
        last_batch_size: the number of examples in its last step.
        whole: False if the budget ends inside it.
    """

    epoch: int
    steps: int
    examples: int
    last_batch_size: int
    whole: bool


@dataclass(frozen=True)
class Position:
    """The position of a run after some steps: epochs done (a real number) and examples seen."""

    step: int
    epoch: float
    examples: int

    @property
    def epochs_done(self) -> int | float:
        """The epochs done, an int if they are whole."""
        return int(self.epoch) if self.epoch.is_integer() else self.epoch


@dataclass(frozen=True)
class Plan:
    """All counts of a run, before it starts; made by `planning.plan`.

    Args:
        train_examples: n, the number of training examples.
        batch_size: b, the examples of one step.
        budget: the length of the run.
        partial_batch: whether the smaller batch at the end of an epoch is kept or dropped.
    """

    train_examples: int
    batch_size: int
    budget: Budget
    partial_batch: PartialBatch = "keep"

    @property
    def examples_per_epoch(self) -> int:
        """The examples that an epoch uses: n, or fewer if a partial batch is dropped."""
        if self.partial_batch == "keep":
            return self.train_examples
        return self.train_examples // self.batch_size * self.batch_size

    @property
    def steps_per_epoch(self) -> int:
        """The steps of an epoch: ceil(n / b), or floor(n / b) if the partial one is dropped."""
        return -(-self.examples_per_epoch // self.batch_size)

    @property
    def whole_batches(self) -> int:
        """The steps of a whole epoch that see `batch_size` examples each."""
        return self.examples_per_epoch // self.batch_size

    @property
    def last_batch_size(self) -> int:
        """The number of examples in the last step of a whole epoch."""
        return self.examples_per_epoch - (self.steps_per_epoch - 1) * self.batch_size

    @property
    def total_steps(self) -> int:
        """The steps of the run. A budget in examples ends with the step that reaches it."""
        if self.budget.kind == "steps":
            return self.budget.amount
        if self.budget.kind == "epochs":
            return self.budget.amount * self.steps_per_epoch
        return self.step_reaching(self.budget.amount)

    @property
    def epochs(self) -> int:
        """The number of epochs that begin."""
        return -(-self.total_steps // self.steps_per_epoch)

    @property
    def ends_inside_an_epoch(self) -> bool:
        """True if the budget ends before the last epoch is complete."""
        return self.total_steps % self.steps_per_epoch > 0

    @property
    def examples(self) -> int:
        """The examples that the run sees, repetitions counted."""
        return self.position(self.total_steps).examples

    @property
    def document_steps(self) -> float:
        """The notes' s = n * e / b for the epochs of this run, as a real number."""
        return self.document_steps_at(self.total_steps)

    def document_steps_at(self, step: int) -> float:
        """Return the notes' s = n * e / b for the epochs done after `step` steps."""
        seen = self.position(step).examples
        return seen * self.train_examples / (self.examples_per_epoch * self.batch_size)

    def position(self, step: int) -> Position:
        """Return the epochs done and the examples seen after `step` steps."""
        done, steps = divmod(step, self.steps_per_epoch)
        seen = min(steps * self.batch_size, self.examples_per_epoch)
        return Position(
            step=step,
            epoch=done + seen / self.examples_per_epoch,
            examples=done * self.examples_per_epoch + seen,
        )

    def step_after(self, epoch: int, batch: int) -> int:
        """Return the number of a batch's step in the run, from 1.

        Args:
            epoch: its epoch, from 0 as in Keras.
            batch: its position in the epoch, from 0.
        """
        return epoch * self.steps_per_epoch + batch + 1

    def batches(self, first: int, count: int) -> slice:
        """Return the slice of `count` batches in the order of an epoch; `first` counts from 0."""
        end = min((first + count) * self.batch_size, self.examples_per_epoch)
        return slice(first * self.batch_size, end)

    def with_budget(self, kind: BudgetKind, amount: int) -> "Plan":
        """Return the plan with another budget."""
        return replace(self, budget=Budget(kind, amount))

    def step_reaching(self, examples: int) -> int:
        """Return the first step after which at least `examples` examples were seen."""
        done, rest = divmod(examples, self.examples_per_epoch)
        return done * self.steps_per_epoch + -(-rest // self.batch_size)

    def epoch_plan(self, epoch: int) -> EpochPlan:
        """Return the plan of one epoch, counted from 1."""
        before = self.position((epoch - 1) * self.steps_per_epoch)
        steps = min(self.steps_per_epoch, self.total_steps - before.step)
        after = self.position(before.step + steps)
        return EpochPlan(
            epoch=epoch,
            steps=steps,
            examples=after.examples - before.examples,
            last_batch_size=after.examples - self.position(after.step - 1).examples,
            whole=steps == self.steps_per_epoch,
        )

    def evaluation_steps(self, kind: EveryKind, amount: float) -> Iterator[int]:
        """Yield the steps after which the run is evaluated, ascending; the last step always is.

        Args:
            kind: `epochs`, `steps`, `examples`, or `growth` for points in examples seen that grow
                by a factor, from one batch on.
            amount: the distance, or the factor.
        """
        last = 0
        for step in self._points(kind, amount):
            if step >= self.total_steps:
                break
            if step > last:
                last = step
                yield step
        yield self.total_steps

    def _points(self, kind: EveryKind, amount: float) -> Iterator[int]:
        if kind == "growth":
            examples = float(self.batch_size)
            while True:
                yield self.step_reaching(round(examples))
                examples *= amount
        every, point = int(amount), 0
        while True:
            point += every
            if kind == "epochs":
                yield point * self.steps_per_epoch
            else:
                yield point if kind == "steps" else self.step_reaching(point)

    @property
    def follows_the_notes(self) -> bool:
        """True if s = n * e / b is the number of steps."""
        return self.document_steps == self.total_steps

    @property
    def difference(self) -> str:
        """The reason why s = n * e / b is, or is not, the number of steps, in one sentence."""
        n, b = self.train_examples, self.batch_size
        batches, rest = divmod(n, b)
        if rest == 0:
            return f"the same, because {b:,} divides {n:,}"
        split = f"{n:,} = {batches:,} x {b:,} + {rest:,}"
        if self.partial_batch == "drop":
            return f"{split}: partial_batch is drop, so the last {rest:,} of an epoch take no step"
        if self.total_steps == 0:
            return "no step was taken"
        if self.total_steps < self.steps_per_epoch:
            return "the same, because the run ends before the partial batch of its first epoch"
        return f"{split}: every epoch ends with a batch of {rest:,}, and that is a whole step"


def split_sizes(examples: int, *, fraction: float | None, count: int | None) -> tuple[int, int]:
    """Return the numbers of training and of validation examples.

    A fraction leaves floor(n * (1 - f)) for training, as Keras' `validation_split` does.

    Args:
        examples: the number of examples to split.
        fraction: the share of validation, between 0 and 1, or None.
        count: the number for validation, or None.
    """
    if fraction is not None:
        train = int(examples * (1.0 - fraction))
        return train, examples - train
    validation = count or 0
    return examples - validation, validation
