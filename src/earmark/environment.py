"""What a measured figure depends on besides the code: versions and the machine."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def environment(*packages: str) -> dict[str, str]:
    """Return the versions a result depends on; `packages` are further ones that it used."""
    versions = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
    }
    for package in ("earmark", "numpy", "av", "soxr", "onnxruntime", *packages):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed as a package"
    return versions


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
