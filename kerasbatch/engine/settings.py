"""The thresholds of the engine, in one frozen object that is passed down."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineSettings:
    """Thresholds of the fused engine. The defaults were measured on two CPU cores.

    Args:
        memory_share: the share of free memory that resident data may take.
        xla_steps: the steps from which on XLA pays. It compiles about half a second longer and
            saves about half a millisecond a step (an MLP at batch 16: 1,600 steps/s without,
            6,400 with).
        xla_batches: the same for batches of a dataset. Making the batches takes time too, and less
            can be saved (at batch 16 in 1,250 steps XLA costs 0.3 s, in 2,500 it saves up to 0.5).
        large_batch: the batch size from which on blocks of a dataset gain nothing: copying the
            batches costs as much as blocks save (0.9 of plain `fit` at 512, 0.7 at 2,048).
        short_epoch: the steps below which an epoch of a dataset gains nothing from blocks (0.7 of
            plain `fit` at 4 steps, 1.0 at 16, 1.6 at 32).
        block_seconds: the duration of a block, so that progress and Ctrl-C stay quick.
        chunk_bytes: the size of a chunk of streamed data; two of them are in memory at a time.
        chunk_steps: the largest number of steps in a chunk.
        chunk_rows: the rows of a chunk of small batches; a larger one delays the first step.
        min_chunk_steps: the smallest number of steps in a chunk, if bytes allow.
        unknown_size_rows: the rows of a chunk where batch sizes are unknown; most divide it.
        chunk_seconds: the time after which batches from Python are trained on, however few.
        evaluation_batch: the examples of one evaluation step.
        evaluation_bytes: the bytes of one evaluation step, where examples are large.
    """

    memory_share: float = 0.5
    xla_steps: int = 1000
    xla_batches: int = 2000
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


DEFAULT_SETTINGS = EngineSettings()
