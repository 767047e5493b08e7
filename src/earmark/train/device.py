"""What a network is trained on: device, bfloat16, threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from earmark.errors import ConfigError


def find_device(name: str) -> torch.device:
    """Return a device, ``"cpu"`` or ``"cuda"``, if it is there.

    Raises
    ------
    ConfigError
        If it is neither, or there is no such card.
    """
    if name not in ("cpu", "cuda"):
        raise ConfigError(f"device '{name}': choose cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device 'cuda': PyTorch finds no such card here; take cpu")
    return torch.device(name)


def has_bfloat16(device: torch.device) -> bool:
    """Tell whether a device multiplies bfloat16 itself; emulated, it would only be slower.

    bfloat16 has the range of float32 in half its bits, and products of it are several times as fast.
    """
    return device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: sums then have one order, and small networks are as fast."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
