"""A small Ray on this machine, reachable from here alone, that leaves nothing behind."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OBJECT_STORE_BYTES = 80 * 2**20
SECONDS_TO_GO = 30.0


@contextmanager
def local_ray(*, cpus: int = 4, importable: Path | None = None) -> Iterator[int]:
    """Ray, and Serve's proxy on a free port of 127.0.0.1.

    Args:
        cpus: that Ray pretends to have; a replica reserves as much of them as its settings say.
        importable: a folder whose modules replicas can import.

    Yields:
        The proxy's port.

    Raises:
        RuntimeError: a process of it is left at the end.
    """
    os.environ.update(
        RAY_USAGE_STATS_ENABLED="0",
        RAY_AUTH_TOKEN=secrets.token_hex(32),  # else one is written into the home directory
        RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",  # one machine: every port is on loopback
    )
    if importable:
        paths = (str(importable), os.environ.get("PYTHONPATH"))
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    import ray
    from ray import serve

    folder = tempfile.mkdtemp(prefix="mf-ray-", dir="/tmp")  # sockets need a short path
    ray.init(
        num_cpus=cpus,
        num_gpus=0,
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        _temp_dir=folder,
        log_to_driver=False,
        logging_level="ERROR",
    )
    try:
        port = free_port()
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        yield port
    finally:
        serve.shutdown()
        ray.shutdown()
        left = _left(folder)
        shutil.rmtree(folder, ignore_errors=True)
    if left:
        raise RuntimeError(f"still running: {left}")


def free_port() -> int:
    """A port of 127.0.0.1 at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def engines() -> list[int]:
    """The process ids of the engines that this process's Ray runs."""
    running = psutil.Process().children(recursive=True)
    return [process.pid for process in running if ":engine" in _name(process)]


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _left(folder: str) -> list[str]:
    """Processes of this Ray that are there after a while."""
    give_up_at = time.monotonic() + SECONDS_TO_GO
    while (left := _processes(folder)) and time.monotonic() < give_up_at:
        time.sleep(0.2)
    return left


def _processes(folder: str) -> list[str]:
    return [
        process.info["name"]
        for process in psutil.process_iter(["name", "cmdline", "status"])
        if process.info["status"] != psutil.STATUS_ZOMBIE
        and any(folder in word for word in process.info["cmdline"] or ())
    ]
