"""Step arithmetic, the only place that has any.

From the number of examples n, the batch size b and a budget follow the steps of every epoch, the
size of the last batch, the total, and the points at which a run is evaluated. The lecture notes'
relation s = n * e / b is exact where b divides n; elsewhere every epoch ends with a smaller batch,
and that batch is a whole step.

Nothing here knows of Keras, of files or of time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import get_args

from kerasbatch.errors import Fault, SpecError
from kerasbatch.types import BatchSize, BudgetKind, EveryKind, PartialBatch


@dataclass(frozen=True)
class Budget:
    """What ends a run: so many epochs, steps or examples seen."""

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
        steps: how many steps it takes.
        examples: how many examples it sees.
        last_batch_size: the number of examples in its last step.
        whole: False where the budget ends inside it.
    """

    epoch: int
    steps: int
    examples: int
    last_batch_size: int
    whole: bool


@dataclass(frozen=True)
class Position:
    """Where a run stands after some steps: epochs done (a real number) and examples seen."""

    step: int
    epoch: float
    examples: int

    @property
    def epochs_done(self) -> int | float:
        """The epochs done, a whole number where they are whole."""
        return int(self.epoch) if self.epoch.is_integer() else self.epoch


@dataclass(frozen=True)
class Plan:
    """Every count of a run, before it starts. Made by `plan`.

    Args:
        train_examples: n, the examples there are to train on.
        batch_size: b, the examples of one step.
        budget: what ends the run.
        partial_batch: whether the smaller batch at the end of an epoch is kept or dropped.
    """

    train_examples: int
    batch_size: int
    budget: Budget
    partial_batch: PartialBatch = "keep"

    @property
    def examples_per_epoch(self) -> int:
        """The examples that an epoch uses: n, or fewer where a partial batch is dropped."""
        if self.partial_batch == "keep":
            return self.train_examples
        return self.train_examples // self.batch_size * self.batch_size

    @property
    def steps_per_epoch(self) -> int:
        """The steps of a whole epoch: ceil(n / b), or floor(n / b) where it is dropped."""
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
        """The epochs that are begun."""
        return -(-self.total_steps // self.steps_per_epoch)

    @property
    def ends_inside_an_epoch(self) -> bool:
        """Whether the budget runs out before the last epoch is whole."""
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
        """Return which step of the run (from 1) a batch is.

        Args:
            epoch: its epoch, from 0 as Keras counts.
            batch: its place in the epoch, from 0.
        """
        return epoch * self.steps_per_epoch + batch + 1

    def batches(self, first: int, count: int) -> slice:
        """Return where in the order of an epoch `count` batches stand; `first` counts from 0."""
        end = min((first + count) * self.batch_size, self.examples_per_epoch)
        return slice(first * self.batch_size, end)

    def with_budget(self, kind: BudgetKind, amount: int) -> "Plan":
        """Return the plan of a run that ends elsewhere."""
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
        """Yield the steps after which the run is evaluated: ascending, the last one always.

        Args:
            kind: `epochs`, `steps`, `examples`, or `growth` for points in examples seen that grow
                by a factor, from one batch on.
            amount: every how many, or the factor.
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
        """Whether s = n * e / b is the number of steps."""
        return self.document_steps == self.total_steps

    @property
    def difference(self) -> str:
        """Why s = n * e / b is, or is not, the number of steps, in one sentence."""
        n, b = self.train_examples, self.batch_size
        whole, rest = divmod(n, b)
        if rest == 0:
            return f"the same, because {b:,} divides {n:,}"
        split = f"{n:,} = {whole:,} x {b:,} + {rest:,}"
        if self.partial_batch == "drop":
            return f"{split}: partial_batch is drop, so the last {rest:,} of an epoch take no step"
        if self.total_steps == 0:
            return "no step was taken"
        if self.total_steps < self.steps_per_epoch:
            return "the same, because the run ends before the partial batch of its first epoch"
        return f"{split}: every epoch ends with a batch of {rest:,}, and that is a whole step"


def plan(
    train_examples: int,
    *,
    batch_size: BatchSize,
    epochs: int | None = None,
    steps: int | None = None,
    examples: int | None = None,
    partial_batch: PartialBatch = "keep",
) -> Plan:
    """Plan a run; exactly one of epochs, steps and examples says where it ends.

    Args:
        train_examples: n, at least 1.
        batch_size: b, from 1 to n, or `full` for n.
        epochs: the passes over all examples.
        steps: the updates of the weights.
        examples: the examples seen; the run ends with the step that reaches them.
        partial_batch: `keep` or `drop`.

    Raises:
        SpecError: if a number is out of its range, or there is not one budget.

    Example:
        >>> plan(60_000, batch_size=16, epochs=5).total_steps
        18750
    """
    given: dict[BudgetKind, int | None] = {"epochs": epochs, "steps": steps, "examples": examples}
    budgets = [Budget(kind, amount) for kind, amount in given.items() if amount is not None]
    if len(budgets) != 1:
        found = " and ".join(budget.kind for budget in budgets) or "none of them"
        message = f"found {found}; give exactly one of epochs, steps, examples"
        raise SpecError.at(("budget",), message)
    return plan_budget(train_examples, batch_size, budgets[0], partial_batch)


def plan_budget(
    train_examples: int,
    batch_size: BatchSize,
    budget: Budget,
    partial_batch: PartialBatch = "keep",
) -> Plan:
    """Plan a run for a budget, as `plan` does.

    Args:
        train_examples: n, at least 1.
        batch_size: b, from 1 to n, or `full` for n.
        budget: what ends the run.
        partial_batch: `keep` or `drop`.

    Raises:
        SpecError: if a number is out of its range; all of them are named.
    """
    faults = []
    if train_examples < 1:
        faults.append(Fault(("data",), f"has {train_examples} training examples; needs 1 or more"))
    size = train_examples if batch_size == "full" else batch_size
    if batch_size != "full" and batch_size < 1:
        faults.append(Fault(("batch_size",), f"is {batch_size}; must be 1 or more, or full"))
    elif size > max(train_examples, 1):
        message = (
            f"is {size:,}, more than the {train_examples:,} training examples; "
            f"write a number up to {train_examples}, or full"
        )
        faults.append(Fault(("batch_size",), message))
    if budget.amount < 1:
        faults.append(Fault((budget.kind,), f"is {budget.amount}; must be 1 or more"))
    if faults:
        raise SpecError(faults)
    return Plan(train_examples, size, budget, partial_batch)


def split_sizes(examples: int, *, fraction: float | None, count: int | None) -> tuple[int, int]:
    """Return how many examples stay for training and how many go to validation.

    A fraction leaves floor(n * (1 - f)) for training, as Keras' `validation_split` does.

    Args:
        examples: how many there are to divide.
        fraction: the share to take, between 0 and 1, or None.
        count: the number to take, or None.
    """
    if fraction is not None:
        train = int(examples * (1.0 - fraction))
        return train, examples - train
    taken = count or 0
    return examples - taken, taken
