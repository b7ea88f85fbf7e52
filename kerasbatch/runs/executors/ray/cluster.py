"""The connection to a Ray cluster: address, key, and checks of its nodes."""

import contextlib
import logging
import os
import platform
import signal
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import Any

from kerasbatch.errors import Fault, SpecError
from kerasbatch.version import VERSION

PLACE = ("--ray",)
PACKAGES = ("keras", "tensorflow", "numpy")
PROBE_SECONDS = 60.0
CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class RayOptions:
    """The cluster, and the share of a run.

    Args:
        address: `local` to start one here, `auto` for the one that runs here, or HOST:PORT.
        cpus_per_run: the processors of a run.
        gpus_per_run: the GPUs of a run.
    """

    address: str
    cpus_per_run: float = 1.0
    gpus_per_run: float = 0.0


def faults(options: RayOptions) -> list[Fault]:
    """Return the faults of options that show without a cluster."""
    faults = []
    if find_spec("ray") is None:
        faults.append(Fault(PLACE, "Ray is not installed; pip install 'kerasbatch[ray]'"))
    if options.address.startswith("ray://"):
        message = (
            f"found {options.address}; must be local, auto or HOST:PORT: this machine has to be a "
            "node of the cluster (ray start --address HOST:PORT)"
        )
        faults.append(Fault(PLACE, message))
    for name, value, right in (
        ("--cpus-per-run", options.cpus_per_run, options.cpus_per_run > 0),
        ("--gpus-per-run", options.gpus_per_run, options.gpus_per_run >= 0),
    ):
        if not right:
            faults.append(Fault((name,), f"found {value:g}; must be above 0"))
    return faults


def set_variables(options: RayOptions) -> None:
    """Set the variables that Ray reads at its import; a local cluster requires a key."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if options.address == "local":
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def connect(options: RayOptions, environment: Mapping[str, Any], *, verbose: bool) -> None:
    """Join a cluster, or start one here, without a dashboard.

    Args:
        options: the cluster.
        environment: Ray's runtime environment of all tasks.
        verbose: show Ray's log.

    Raises:
        SpecError: if there is no such cluster, or it refuses the connection.
    """
    import ray

    if ray.is_initialized():
        message = "this process is connected to Ray already; call ray.shutdown() before"
        raise SpecError([Fault(PLACE, message)])
    if options.address not in ("local", "auto"):
        _check_address(options.address)
    started: dict[str, Any] = {"include_dashboard": False} if options.address == "local" else {}
    try:
        with _own_signals():
            ray.init(
                address=options.address,
                runtime_env=dict(environment),
                log_to_driver=verbose,
                logging_level=logging.INFO if verbose else logging.ERROR,
                **started,
            )
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        ray.shutdown()  # a partial start
        raise SpecError([Fault(PLACE, _no_cluster(options.address, error))]) from error


def _check_address(address: str) -> None:
    """Check that an address answers; Ray alone would wait for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError, ValueError) as error:
        raise SpecError([Fault(PLACE, _no_cluster(address, error))]) from error


def _no_cluster(address: str, error: Exception) -> str:
    said = " ".join(str(error).split())[:300]
    return (
        f"no Ray cluster answers at {address}: {said}; start one with ray start --head, or use "
        "--ray local"
    )


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep our signal handlers; Ray installs its own for SIGTERM."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def workers(options: RayOptions) -> int:
    """Return the number of runs that fit into the cluster at a time.

    Raises:
        SpecError: if none fits.
    """
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(int(_room(node, options)) for node in nodes)
    if room < 1:
        wanted = f"{options.cpus_per_run:g} CPUs and {options.gpus_per_run:g} GPUs"
        raise SpecError([Fault(PLACE, f"no node of the cluster has {wanted} for a run")])
    return room


def _room(resources: Mapping[str, float], options: RayOptions) -> float:
    room = resources.get("CPU", 0.0) / options.cpus_per_run
    if options.gpus_per_run:
        room = min(room, resources.get("GPU", 0.0) / options.gpus_per_run)
    return room


def versions() -> dict[str, str]:
    """Return the versions that must be equal everywhere; the body of a task on every node."""
    versions_here = {"python": ".".join(platform.python_version_tuple()[:2]), "kerasbatch": VERSION}
    for name in PACKAGES:
        try:
            versions_here[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions_here[name] = "none"
    return versions_here


def check_nodes() -> None:
    """Compare the versions on the nodes with those on this machine.

    Raises:
        SpecError: with a fault for every difference.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here, faults = versions(), list[Fault]()
    probe = ray.remote(num_cpus=0, max_retries=0)(versions)
    asked = [
        (
            node["NodeManagerAddress"],
            probe.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]
    for address, task in asked:
        try:
            faults += _differences(address, ray.get(task, timeout=PROBE_SECONDS), here)
        except Exception as error:  # the task cannot even import us, or the node is gone
            said = " ".join(str(error).split())[-300:]
            faults.append(Fault(PLACE, f"node {address} cannot run kerasbatch: {said}"))
    if faults:
        raise SpecError(faults)


def _differences(address: str, there: dict[str, str], here: dict[str, str]) -> list[Fault]:
    return [
        Fault(
            PLACE,
            f"node {address} has {name} {there[name]}, this machine {here[name]}; numbers would "
            "differ, so install the same there",
        )
        for name in here
        if there[name] != here[name]
    ]
