"""The examples of a training: arrays in our order, or a dataset as it comes."""

import contextlib
from collections.abc import Iterator

from kerasbatch.data.datasets.stream import streamed_passes
from kerasbatch.engine.sources.example_stream import ExampleStream
from kerasbatch.engine.sources.user_stream import UserStream
from kerasbatch.runs.training.job import TrainingJob
from kerasbatch.spec.data_schema import DatasetData


@contextlib.contextmanager
def example_stream(job: TrainingJob) -> Iterator[ExampleStream]:
    """Yield the examples of a training; code of the user may run within the context."""
    spec, data = job.spec, job.data
    if data.stream_examples is None or not isinstance(spec.data, DatasetData):
        yield ExampleStream(data.train, job.plan, spec.seed, spec.sampling, data.scale)
        return
    with streamed_passes(spec.data, job.access, data.classes) as read:
        yield UserStream(data.train, job.plan, spec.seed, "sequential", data.scale, read=read)
