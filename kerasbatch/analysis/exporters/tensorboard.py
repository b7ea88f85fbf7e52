"""Runs as event files of TensorBoard's: numbers over steps, and settings for its HParams view.

The files are written with TensorBoard's own messages and records, without TensorFlow. A run has one
file, of a name of its own, written anew and whole; so nothing is there twice.
"""

import io
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasbatch.analysis.exporters.run_export import ExportedRun, Setting
from kerasbatch.records.files import write_bytes

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event

FILE = "events.out.tfevents.kerasbatch"


def write_events(run: ExportedRun, folder: Path) -> bool:
    """Write the event file of a run.

    Args:
        run: the run.
        folder: the log directory; the run has a directory of its own in it.

    Returns:
        Whether there was anything new.
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
    """Yield the events of a run: its settings, what was measured step by step, its results."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    began = run.started
    yield Event(wall_time=began, file_version="brain.Event:2")
    yield Event(wall_time=began, summary=_session_start(run))
    ordered = sorted(run.points, key=lambda point: point.step)
    for step, points in groupby(ordered, key=lambda point: point.step):
        at = list(points)
        values = [Summary.Value(tag=each.name, simple_value=each.value) for each in at]
        seconds = max(each.seconds for each in at)
        yield Event(wall_time=began + seconds, step=step, summary=Summary(value=values))
    ended = run.ended or began
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
        _set(start.hparams[key], value)
    told = plugin_data_pb2.HParamsPluginData(session_start_info=start)
    return _hparams(SESSION_START_INFO_TAG, told)


def _set(message: Any, value: Setting) -> None:
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


def _hparams(tag: str, told: Any) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.plugins.hparams.metadata import NULL_TENSOR, PLUGIN_NAME

    # TensorBoard's own function for this writes the settings in another order every time.
    content = told.SerializeToString(deterministic=True)
    data = SummaryMetadata.PluginData(plugin_name=PLUGIN_NAME, content=content)
    metadata = SummaryMetadata(plugin_data=data)
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=NULL_TENSOR)])
