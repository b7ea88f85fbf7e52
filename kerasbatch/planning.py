"""Makes and checks the plan of a run."""

from kerasbatch.errors import Fault, SpecError
from kerasbatch.steps import Budget, Plan
from kerasbatch.types import BatchSize, BudgetKind, PartialBatch


def plan(
    train_examples: int,
    *,
    batch_size: BatchSize,
    epochs: int | None = None,
    steps: int | None = None,
    examples: int | None = None,
    partial_batch: PartialBatch = "keep",
) -> Plan:
    """Plan a run; exactly one of epochs, steps and examples is its budget.

    Args:
        train_examples: n, at least 1.
        batch_size: b, from 1 to n, or `full` for n.
        epochs: the passes over all examples.
        steps: the updates of the weights.
        examples: the examples seen; the run ends with the step that reaches them.
        partial_batch: `keep` or `drop`.

    Raises:
        SpecError: if a number is out of its range, or the number of budgets is not one.

    Example:
        >>> plan(60_000, batch_size=16, epochs=5).total_steps
        18750
    """
    amounts: dict[BudgetKind, int | None] = {"epochs": epochs, "steps": steps, "examples": examples}
    budgets = [Budget(kind, amount) for kind, amount in amounts.items() if amount is not None]
    if len(budgets) != 1:
        kinds = " and ".join(budget.kind for budget in budgets) or "none of them"
        message = f"found {kinds}; give exactly one of epochs, steps, examples"
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
        budget: the budget that ends the run.
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
