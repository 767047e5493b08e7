"""What the networks for genres cost: an epoch of training, its memory, and an hour of audio in use."""

from __future__ import annotations

import json
import multiprocessing
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from torch import nn

from earmark.train.crops.config import CropConfig
from earmark.train.device import find_device, has_bfloat16
from earmark.train.fitting.netfile import write_trunk
from earmark.train.fitting.netsettings import QUANTISABLE, NetworkSettings
from earmark.train.models import count_parameters

Tell = Callable[[str], None]

# GTZAN: an epoch has eight crops of each of 800 songs.
SONGS, _CYCLE, _CLASSES = 800, 8, 10
# As `earmark classify` runs them; what a profile shows.
_WINDOWS, _MOST_OPERATIONS = 8, 6
# A recording of 30 s has 16 crops in HEO's test-time augmentation.
_CROPS_PER_HOUR = 16 * 120


def training_cost(name: str, width: float, batch: int, steps: int, device: str) -> dict[str, Any]:
    """Train on noise in a process of its own, as many steps and one before them.

    Returns
    -------
    dict
        ``parameters``; ``seconds`` of a step and ``epoch_s`` of an epoch of GTZAN; ``memory_mb``, the most
        that the process held, or on a card PyTorch.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_train, (name, width, batch, steps, device))


def _train(name: str, width: float, batch: int, steps: int, device: str) -> dict[str, Any]:
    where, settings = find_device(device), NetworkSettings(name, CropConfig(), width)
    extractor = settings.extractor
    net = settings.network(_CLASSES).to(where).train()
    optimiser = torch.optim.Adam(net.parameters())
    x = torch.randn(batch, extractor.n_bands, extractor.patch_length, device=where)
    y = torch.arange(batch, device=where) % _CLASSES
    taken = []
    for _ in range(steps + 1):
        began = time.monotonic()
        with torch.autocast(where.type, torch.bfloat16, enabled=has_bfloat16(where)):
            logits = net(x)
        assert isinstance(logits, torch.Tensor)
        optimiser.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(logits.float(), y).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if where.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.monotonic() - began)
    seconds = float(np.median(taken[1:]))
    if where.type == "cuda":
        memory = torch.cuda.max_memory_allocated() / 1e6
    else:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {
        "parameters": count_parameters(net),
        "seconds": seconds,
        "epoch_s": seconds * SONGS * _CYCLE / batch,
        "memory_mb": memory,
    }


def use_cost(name: str, width: float, minutes: float) -> dict[str, Any]:
    """Hear noise with one thread as `earmark classify` hears a recording, in windows that follow each other.

    Returns
    -------
    dict
        ``features``, CPU seconds for an hour of audio; and for each kind of ``products`` that the network can
        have, float32 and int8, by turns a run of each: of the ``network`` alone for an hour of audio, and for
        the ``crops`` of an hour of songs of 30 s; and the ``profile``, what the costliest operations take of
        the hour.
    """
    settings = NetworkSettings(name, CropConfig(), width)
    extractor = settings.extractor
    samples = 0.1 * np.random.default_rng(0).normal(size=round(60 * minutes * extractor.sample_rate))
    began = time.process_time()
    features = extractor(samples.astype(np.float32))
    features_s = time.process_time() - began
    starts = np.arange(0, features.shape[1] - extractor.patch_length + 1, extractor.patch_length)
    patches = extractor.patches_at(features, starts)
    runs = [patches[at : at + _WINDOWS] for at in range(0, len(patches), _WINDOWS)]
    net, kinds = settings.network(_CLASSES).eval(), ["float32", *(["int8"] if name in QUANTISABLE else [])]
    hours, products = minutes / 60, {}
    with tempfile.TemporaryDirectory() as folder:
        sessions = {}
        for kind in kinds:
            path = Path(folder) / f"{kind}.onnx"
            write_trunk(net, replace(settings, int8=kind == "int8"), path, [torch.from_numpy(runs[0])])
            sessions[kind] = _session(path)
            sessions[kind].run(None, {"patches": runs[0]})
        spent = dict.fromkeys(kinds, 0.0)
        for run in runs:
            for kind, session in sessions.items():
                began = time.process_time()
                session.run(None, {"patches": run})
                spent[kind] += time.process_time() - began
        for kind, session in sessions.items():
            shares = _profile(Path(session.end_profiling()))
            network_s = spent[kind] / hours
            products[kind] = {
                "network": network_s,
                "crops": spent[kind] / len(patches) * _CROPS_PER_HOUR,
                "profile": {operation: share * network_s for operation, share in shares.items()},
            }
    return {"features": features_s / hours, "products": products}


def _session(path: Path) -> ort.InferenceSession:
    """Open a model as in use, but with a profile."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.enable_profiling = True
    options.profile_file_prefix = str(path.with_suffix(""))
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _profile(path: Path) -> dict[str, float]:
    """Return the costliest operations of a profile and their shares of the time, 0 to 1."""
    spent: Counter[str] = Counter()
    for event in json.loads(path.read_text()):
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"]
    total = sum(spent.values()) or 1
    return {name: value / total for name, value in spent.most_common(_MOST_OPERATIONS)}


def measure_costs(
    names: Sequence[str], *, width: float, batch: int, steps: int, minutes: float, device: str, tell: Tell
) -> dict[str, dict[str, Any]]:
    """Return `training_cost` and `use_cost` of each network, by name."""
    found = {}
    for name in names:
        tell(f"{name}: training")
        found[name] = {"training": training_cost(name, width, batch, steps, device)}
        tell(f"{name}: in use")
        found[name]["use"] = use_cost(name, width, minutes)
    return found
