"""The keys of a spec as arguments of Python, so that type checkers find misspelt ones."""

from typing import Any, TypedDict


class SpecKeys(TypedDict, total=False):
    """The keys of a spec, and `learning_rate` for that of the optimizer.

    Each value may be that of a spec, an object where `run` takes one, or in `sweep` a list.
    """

    question: Any
    name: Any
    data: Any
    model: Any
    initial_weights: Any
    freeze: Any
    optimizer: Any
    learning_rate: Any
    loss: Any
    metrics: Any
    loss_weights: Any
    epochs: Any
    steps: Any
    examples: Any
    batch_size: Any
    seed: Any
    validation: Any
    test: Any
    evaluate_every: Any
    target: Any
    sampling: Any
    partial_batch: Any
    learning_rate_rule: Any
    record: Any
    save: Any
    checkpoint: Any
    export: Any
    callbacks: Any
    class_weight: Any
    engine: Any
    backend: Any
    precision: Any
    sweep: Any
    search: Any
    budget: Any
    cap: Any
