"""Export to TensorBoard event files: values over steps, and settings for the HParams view.

TensorBoard's own messages and record writer write the files, without TensorFlow. Each run has one
file with a fixed name, which every export replaces; so no value appears twice.
"""

import io
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasbatch.analysis.exporters.run_export import ExportedRun, Setting
from kerasbatch.atomic_files import write_bytes
from kerasbatch.records.event_file import FILE

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event


def write_events(run: ExportedRun, folder: Path) -> bool:
    """Write the event file of a run.

    Args:
        run: the run.
        folder: the log directory, in which each run has its own directory.

    Returns:
        True if the file is new or has changed.
    """
    from tensorboard.summary.writer.record_writer import RecordWriter

    file = folder / run.experiment / run.run_id / FILE
    content = io.BytesIO()
    records = RecordWriter(content)
    for event in events(run):
        records.write(event.SerializeToString(deterministic=True))
    if file.is_file() and file.read_bytes() == content.getvalue():
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(file, content.getvalue())
    return True


def events(run: ExportedRun) -> Iterator["Event"]:
    """Yield the events of a run: its settings, its values step by step, its results."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    started = run.started
    yield Event(wall_time=started, file_version="brain.Event:2")
    yield Event(wall_time=started, summary=_session_start(run))
    ordered = sorted(run.points, key=lambda point: point.step)
    for step, points in groupby(ordered, key=lambda point: point.step):
        at_step = list(points)
        values = [Summary.Value(tag=point.name, simple_value=point.value) for point in at_step]
        seconds = max(point.seconds for point in at_step)
        yield Event(wall_time=started + seconds, step=step, summary=Summary(value=values))
    ended = run.ended or started
    results = [
        Summary.Value(tag=f"result/{name}", simple_value=value)
        for name, value in run.results.items()
    ]
    if results:
        yield Event(wall_time=ended, step=run.last_step, summary=Summary(value=results))
    yield Event(wall_time=ended, step=run.last_step, summary=_session_end(run))


def _session_start(run: ExportedRun) -> Any:
    from tensorboard.plugins.hparams import plugin_data_pb2
    from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG

    start = plugin_data_pb2.SessionStartInfo(start_time_secs=run.started)
    for key, value in run.swept.items():
        _set_value(start.hparams[key], value)
    data = plugin_data_pb2.HParamsPluginData(session_start_info=start)
    return _hparams(SESSION_START_INFO_TAG, data)


def _set_value(message: Any, value: Setting) -> None:
    if isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, str):
        message.string_value = value
    else:
        message.number_value = value


def _session_end(run: ExportedRun) -> Any:
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
    from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG

    status = api_pb2.STATUS_SUCCESS
    if run.ended is None:
        status = api_pb2.STATUS_RUNNING
    elif run.has_failed:
        status = api_pb2.STATUS_FAILURE
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=run.ended or 0.0)
    return _hparams(SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=end))


def _hparams(tag: str, hparams: Any) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.plugins.hparams.metadata import NULL_TENSOR, PLUGIN_NAME

    # TensorBoard's own function for this writes the settings in a different order every time.
    content = hparams.SerializeToString(deterministic=True)
    data = SummaryMetadata.PluginData(plugin_name=PLUGIN_NAME, content=content)
    metadata = SummaryMetadata(plugin_data=data)
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=NULL_TENSOR)])
