"""What a server is started with: where it listens, what it keeps, what it allows."""

from __future__ import annotations

import ipaddress
import sys
from dataclasses import dataclass, field
from pathlib import Path

from earmark.errors import ConfigError
from earmark.folders import data_folder
from earmark.modelfile import DEFAULT_MODEL
from earmark.pool import Limits

_LEAST_TOKEN = 12
_MEMORY_MB = 2000.0


@dataclass(frozen=True)
class Bounds:
    """What clients may ask of a server.

    Parameters
    ----------
    upload_bytes : int
        Of one recording.
    duration_s : float
        Of one recording, seconds.
    recordings : int
        Kept at a time.
    waiting : int
        Jobs that wait or run at a time, and uploads that are not done.

    Raises
    ------
    ConfigError
        If one is not above 0.
    """

    upload_bytes: int = 4_000_000_000
    duration_s: float = 30 * 3600.0
    recordings: int = 10_000
    waiting: int = 2_000

    def __post_init__(self) -> None:
        for name in ("upload_bytes", "duration_s", "recordings", "waiting"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"a limit of {name} of {getattr(self, name):g}: it must be above 0")


@dataclass(frozen=True)
class Settings:
    """How a server runs.

    Parameters
    ----------
    store : Path
        Folder of all it keeps.
    folder : Path or None
        Recordings that may be chosen on the server's side.
    host : str
        Address to listen at.
    port : int
        0 for any that is free.
    token : str or None
        What clients must know; needed for any address but this machine's own.
    names : tuple of str
        Further names that clients may call the server by.
    allow_urls : bool
        Whether clients may have it fetch recordings from public addresses.
    model : str
        The model that marks unless another is named.
    workers : int
        Processes that work on jobs.
    bounds : Bounds
    limits : Limits
        Of a job, before its process is killed.

    Raises
    ------
    ConfigError
        If a value is not allowed.
    """

    store: Path
    folder: Path | None = None
    host: str = "127.0.0.1"
    port: int = 7373
    token: str | None = None
    names: tuple[str, ...] = ()
    allow_urls: bool = False
    model: str = DEFAULT_MODEL
    workers: int = 2
    bounds: Bounds = field(default_factory=Bounds)
    limits: Limits = field(default_factory=lambda: job_limits())

    def __post_init__(self) -> None:
        if not 0 <= self.port < 1 << 16:
            raise ConfigError(f"port {self.port}: give 0 to 65535")
        if self.workers < 1:
            raise ConfigError(f"jobs {self.workers}: give 1 or more")
        if self.folder is not None and not self.folder.is_dir():
            raise ConfigError(f"'{self.folder}' is no folder; give one with recordings, or none")
        if self.token is not None and len(self.token) < _LEAST_TOKEN:
            raise ConfigError(f"the token has {len(self.token)} characters; give {_LEAST_TOKEN} or more")
        if self.token is None and not is_loopback(self.host):
            raise ConfigError(
                f"host {self.host}: others could reach the server there; give a token, with --token or the "
                "variable EARMARK_TOKEN, or leave --host out"
            )

    @property
    def is_private(self) -> bool:
        """Whether only who sits at this machine is to use it: no token, and no other name."""
        return self.token is None and not self.names


def job_limits(seconds: float = 6 * 3600.0, memory_mb: float | None = None) -> Limits:
    """Return the limits of a job; that of memory is 2000 MB unless given, where the system tells memory."""
    if memory_mb is None and sys.platform == "linux":
        memory_mb = _MEMORY_MB
    return Limits(seconds, memory_mb)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def default_store() -> Path:
    """Return the folder that is used unless another is named."""
    return data_folder() / "serve"
