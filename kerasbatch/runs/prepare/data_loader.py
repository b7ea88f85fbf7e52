"""The data of runs, read once for all runs that share them, in one process or in many."""

import hashlib
import json
from collections.abc import Callable

from kerasbatch.data.raw import RawData, group_column, read_raw
from kerasbatch.data.run_data import RunData, prepare_data
from kerasbatch.data.shared_data import SharedData
from kerasbatch.data.sizes import DataSizes, data_sizes
from kerasbatch.spec.data_schema import BuiltInData
from kerasbatch.spec.schema import Spec, keys_where
from kerasbatch.spec.trust import Access

AFFECTS_DATA = keys_where(lambda key: key.affects_data)
"""The keys that change the arrays of a run."""


class DataLoader:
    """Loads the data of runs; the last ones are kept.

    Args:
        access: the files and code that specs may use.
        notice: receives messages about fallbacks.
        shared: the data shared between processes; None for this process alone.

    Attributes:
        fell_back: whether the data that the last spec names were not available.
    """

    def __init__(
        self,
        access: Access,
        notice: Callable[[str], None] = lambda message: None,
        shared: SharedData | None = None,
    ) -> None:
        self.access = access
        self._notice, self._is_reported = notice, False
        self._shared = shared
        self._raw: tuple[str, RawData] | None = None
        self._last: tuple[str, RunData] | None = None
        self._sizes: dict[str, DataSizes] = {}
        self.fell_back = False

    @property
    def size(self) -> int:
        """The bytes of the data that are kept."""
        return 0 if self._last is None else self._last[1].size

    def report_to(self, notice: Callable[[str], None]) -> None:
        """Send messages to another receiver from now on, also those of data that are kept."""
        self._notice, self._is_reported = notice, False

    def __call__(self, spec: Spec) -> RunData:
        """Return the data of a spec."""
        key = data_key(spec)
        if self._last is None or key != self._last[0]:
            self._last, self._is_reported = (key, self._load(spec, key)), False
        data = self._last[1]
        if data.notice and not self._is_reported:
            self._notice(data.notice)
        self._is_reported = True
        return data

    def _load(self, spec: Spec, key: str) -> RunData:
        if self._shared is None:
            return prepare_data(spec, self._read(spec))
        return self._shared.get(key, lambda: prepare_data(spec, self._read(spec)))

    def _read(self, spec: Spec) -> RawData:
        groups = group_column(spec)
        key = json.dumps([spec.plain()["data"], groups], sort_keys=True)
        if self._raw is None or key != self._raw[0]:
            self._raw = key, read_raw(spec.data, self.access, groups)
            if self._raw[1].prepared:
                self._notice(self._raw[1].prepared)
            if isinstance(spec.data, BuiltInData):
                self.fell_back = self._raw[1].used != spec.data.name
        return self._raw[1]

    def sizes(self, spec: Spec) -> DataSizes:
        """Return the sizes of the data of a spec; user data are read once for all specs."""
        key = data_key(spec)
        if key not in self._sizes:
            self._sizes[key] = data_sizes(spec, self.access, self._read)
        return self._sizes[key]

    def forget(self) -> None:
        """Free the memory; shared data stay in their files."""
        self._raw = self._last = None


def data_key(spec: Spec) -> str:
    """Return a key that is equal for specs with the same arrays."""
    plain = spec.plain()
    parts = [plain.get(name) for name in AFFECTS_DATA]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
