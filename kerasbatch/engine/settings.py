"""The thresholds of the engine, in one frozen object."""

from dataclasses import dataclass

from kerasbatch.engine.xla import XlaMode


@dataclass(frozen=True)
class EngineSettings:
    """Thresholds of the fused engine. The defaults were measured on two CPU cores.

    Args:
        memory_share: the share of free memory that resident data may take.
        xla_steps: the number of steps from which on XLA is used; None estimates it from the
            operations of a step.
        least_xla_steps: the number of steps below which XLA never pays: the operations are not
            even read, which takes a tenth of a second.
        batches_share: the share of XLA's gain that remains for batches of a dataset, which take
            time themselves.
        large_batch: the batch size from which on blocks of a dataset gain nothing, because copying
            the batches costs as much as blocks save (0.9 of plain `fit` at 512, 0.7 at 2,048).
        short_epoch: the steps below which an epoch of a dataset gains nothing from blocks (0.7 of
            plain `fit` at 4 steps, 1.0 at 16, 1.6 at 32).
        block_seconds: the duration of a block; a short one keeps progress and Ctrl-C responsive.
        chunk_bytes: the size of a chunk of streamed data; two of them are in memory at a time.
        chunk_steps: the largest number of steps in a chunk.
        chunk_rows: the rows of a chunk of small batches; a larger one delays the first step.
        min_chunk_steps: the smallest number of steps in a chunk, if `chunk_bytes` allows it.
        unknown_size_rows: the rows of a chunk if batch sizes are unknown; most sizes divide it.
        chunk_seconds: the time after which a chunk of batches from Python ends, at any size.
        evaluation_batch: the examples of one evaluation step.
        evaluation_bytes: the largest number of bytes of one evaluation step.
        any_length: whether XLA is chosen as for a training of any length, which repays every
            compilation; `xla_steps` comes before it.
        xla_mode: the way in which XLA is used where it is; None chooses.
    """

    memory_share: float = 0.5
    xla_steps: int | None = None
    least_xla_steps: int = 50
    batches_share: float = 0.5
    large_batch: int = 512
    short_epoch: int = 16
    block_seconds: float = 0.2
    chunk_bytes: int = 2**26
    chunk_steps: int = 512
    chunk_rows: int = 2**11
    min_chunk_steps: int = 64
    unknown_size_rows: int = 2**12
    chunk_seconds: float = 0.2
    evaluation_batch: int = 1000
    evaluation_bytes: int = 2**22
    any_length: bool = False
    xla_mode: XlaMode | None = None


DEFAULT_SETTINGS = EngineSettings()
