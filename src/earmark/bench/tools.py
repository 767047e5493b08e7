"""Other programs that tell speech or music, to be measured beside: ``-m earmark.bench.tools NAME FILE``.

Each is used as its own documentation shows, on one core and with one thread, and must be installed where
earmark is.  Those that take samples are given them by `open_audio`; the others decode themselves.  What
happens once per process (imports, models) is done before the clock starts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import numpy as np

from earmark.audio import open_audio, read_audio
from earmark.bench.worker import Work, keep_to, measure, read_only
from earmark.errors import ConfigError

_RATE = 16_000
# WebRTC's detector takes 10, 20 or 30 ms at a time, of 16 bits.
_WEBRTC_BYTES = 2 * _RATE * 30 // 1000


def _webrtc(path: str) -> Work:
    import webrtcvad

    def work() -> float:
        detector, rest, n_samples = webrtcvad.Vad(2), b"", 0
        with open_audio(path, sample_rate=_RATE) as audio:
            for block in audio:
                n_samples += len(block)
                data = rest + (np.clip(block, -1, 1) * 32_767).astype("<i2").tobytes()
                whole = len(data) // _WEBRTC_BYTES * _WEBRTC_BYTES
                for at in range(0, whole, _WEBRTC_BYTES):
                    detector.is_speech(data[at : at + _WEBRTC_BYTES], _RATE)
                rest = data[whole:]
        return n_samples / _RATE

    return work


def _silero(path: str) -> Work:
    from silero_vad import get_speech_timestamps, load_silero_vad

    model = load_silero_vad(onnx=True)
    get_speech_timestamps(np.zeros(_RATE, np.float32), model)

    def work() -> float:
        samples, _ = read_audio(path, sample_rate=_RATE)
        get_speech_timestamps(samples, model)
        return len(samples) / _RATE

    return work


def _ina(path: str) -> Work:
    from inaSpeechSegmenter import Segmenter

    segmenter = Segmenter(vad_engine="smn", detect_gender=False)
    return lambda: float(segmenter(path)[-1][2])


def _pyannote(path: str) -> Work:
    from pyannote.audio import Model
    from pyannote.audio.pipelines import VoiceActivityDetection

    pipeline = VoiceActivityDetection(segmentation=Model.from_pretrained("pyannote/segmentation-3.0"))
    pipeline.instantiate({"min_duration_on": 0.0, "min_duration_off": 0.0})
    seconds = read_only(path)

    def work() -> float:
        pipeline(path)
        return seconds

    return work


# By the name of the package: its module, other packages that have it, and how it is used.
_TOOLS: dict[str, tuple[str, tuple[str, ...], Callable[[str], Work]]] = {
    "webrtcvad": ("webrtcvad", ("webrtcvad-wheels",), _webrtc),
    "silero-vad": ("silero_vad", (), _silero),
    "inaSpeechSegmenter": ("inaSpeechSegmenter", (), _ina),
    "pyannote.audio": ("pyannote.audio", (), _pyannote),
}


def installed_tools() -> dict[str, str]:
    """Return the tools that can be measured here, and their versions."""
    return {name: _version(name) for name, (module, _, _) in _TOOLS.items() if _is_there(module)}


def check_tools(names: list[str] | None) -> dict[str, str]:
    """Return the tools that are asked for, by default all that are installed, and their versions.

    Raises
    ------
    ConfigError
        If one is not known, or not installed.
    """
    there = installed_tools()
    for name in names or ():
        if name not in _TOOLS:
            raise ConfigError(f"--tool {name}: there are {', '.join(_TOOLS)}")
        if name not in there:
            raise ConfigError(f"--tool {name}: it is not installed here; pip install {name}")
    return there if names is None else {name: there[name] for name in names}


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package around it
        return False


def _version(name: str) -> str:
    for package in (name, *_TOOLS[name][1]):
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return ""


def main(name: str, path: str) -> None:
    """Measure a tool on a recording."""
    keep_to(1)
    out, sys.stdout = sys.stdout, sys.stderr  # what a tool prints is no result
    measure(_TOOLS[name][2](path), out)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
