"""The structure holds: who may import what, how large a module may be, what the core brings along."""

import ast
import subprocess
import sys
from pathlib import Path

SRC = Path(__file__).parents[1] / "src" / "earmark"
FLOORS = [
    {"errors", "folders", "frames", "programme", "environment", "clock"},
    {
        "features",
        "head",
        "timeline",
        "files",
        "headers",
        "lock",
        "cores",
        "pool",
        "codecs",
        "sources",
        "mixdown",
        "audio_writer",
        "viterbi",
        "pieces",
        "releases",
        "download",
        "npzfile",
        "stores",
    },
    {
        "card",
        "decodings",
        "patchcard",
        "classifiercard",
        "embeddingcard",
        "inputs",
        "media",
        "activity",
        "samples",
        "planner",
        "terminal",
        "metrics",
    },
    {
        "posteriors",
        "posteriorstream",
        "audio",
        "effects",
        "render",
        "progress",
        "modelfile",
        "decode",
        "tracks",
        "likeliest",
        "course",
        "windows",
        "gate",
        "formats",
    },
    {
        "model",
        "patchnet",
        "cells",
        "patchmodel",
        "chunkmodel",
        "classifier",
        "classifiernet",
        "catalogue",
        "embedding",
    },
    {"chains", "detector", "classrows", "evaluation", "datasets"},
    {"live", "jobs", "parquetfile", "embedjobs", "classifyjobs", "train", "__init__"},
    {"batch"},
    {"server"},
    {"bench"},
    {"cli", "__main__"},
]


def modules() -> list[Path]:
    return sorted(SRC.rglob("*.py"))


def part(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_every_part_has_a_floor():
    placed = set().union(*FLOORS)
    assert {part(path) for path in modules()} <= placed


def test_nothing_imports_from_a_floor_above():
    floor = {name: i for i, names in enumerate(FLOORS) for name in names}
    upwards = [
        f"{path.relative_to(SRC)} imports {name}"
        for path in modules()
        for name in imports(path)
        if name.startswith("earmark.") and part(path) != "__init__"
        if floor[name.split(".")[1]] > floor[part(path)]
    ]
    assert upwards == []


def test_only_training_imports_torch_and_the_vocoder():
    heavy = {"torch", "onnx", "onnxscript", "h5py", "pyworld", "sklearn", "scipy", "matplotlib"}
    outside = [
        str(path.relative_to(SRC))
        for path in modules()
        if part(path) != "train" and {name.split(".")[0] for name in imports(path)} & heavy
    ]
    assert outside == []


def test_the_core_loads_nothing_heavy():
    code = (
        "import sys, earmark, earmark.cli.app, earmark.cli.detect, earmark.detector, earmark.jobs;"
        "import earmark.audio;"
        "heavy = {'torch', 'scipy', 'pandas', 'librosa', 'sklearn', 'matplotlib', 'pyarrow'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_detector_loads_no_other_kinds_of_models():
    code = (
        "import sys; from earmark import Detector; Detector();"
        "print([k for k in ('patchmodel', 'chunkmodel', 'classifier', 'embedding', 'course', 'patchcard')"
        " if f'earmark.{k}' in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_modules_stay_small():
    long = {str(p.relative_to(SRC)): n for p in modules() if (n := len(p.read_text().splitlines())) > 350}
    assert long == {}
