"""Model files: where they lie, what they are called, and how they are opened.

A model is named if it comes with earmark, or lies in the user's folder as ``NAME.onnx``; any other is given
by its path.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple, NoReturn

import onnxruntime as ort

from earmark.card import CLASSIFIER, EMBEDDING, METADATA_KEY, card_kind
from earmark.errors import ConfigError, ModelError
from earmark.folders import data_folder
from earmark.releases import PUBLISHED

DEFAULT_MODEL = "detector"
DEFAULT_EMBEDDER = "embedder"
# Of its embeddings, the one that classifiers learn.
LEARNED_EMBEDDING = "960"
_SUFFIX = ".onnx"
# What models of a kind of card do, and the command for them.
_USES = {
    EMBEDDING: ("gives embeddings", "embed --model"),
    CLASSIFIER: ("tells classes of recordings", "classify"),
}
_OTHER_USE = ("marks recordings", "detect --model")


class ModelFile(NamedTuple):
    """An open model: its network, its card as JSON, and the name or path it was opened by."""

    session: ort.InferenceSession
    card: str
    origin: str


def embedded_models() -> list[str]:
    """Return the names of the models that come with earmark."""
    folder = files("earmark") / "assets"
    if not folder.is_dir():
        return []
    return sorted(f.name.removesuffix(_SUFFIX) for f in folder.iterdir() if f.name.endswith(_SUFFIX))


def user_folder() -> Path:
    """Return the folder of the user's own models; it need not exist.

    It is what the variable EARMARK_MODELS says, or ``earmark/models`` in the folder for the data of
    programs: ``~/.local/share`` or XDG_DATA_HOME, on macOS ``~/Library/Application Support``, on Windows
    LOCALAPPDATA.
    """
    own = os.environ.get("EARMARK_MODELS")
    if own:
        return Path(own)
    return data_folder() / "models"


def user_models() -> list[str]:
    """Return the names of the models in the user's folder, but for those that come with earmark."""
    try:
        found = {path.stem for path in user_folder().iterdir() if path.suffix == _SUFFIX}
    except OSError:
        return []
    return sorted(found - set(embedded_models()))


def user_path(name: str) -> Path:
    """Return where a model of the user's folder lies, or is to lie."""
    return user_folder() / f"{name}{_SUFFIX}"


def read_model(name_or_path: str | Path) -> bytes:
    """Return the bytes of a model file.

    Raises
    ------
    ModelError
        If there is none.
    """
    names = embedded_models()
    if name_or_path in names:
        return (files("earmark") / "assets" / f"{name_or_path}{_SUFFIX}").read_bytes()
    is_own = name_or_path in user_models()
    try:
        return (user_path(str(name_or_path)) if is_own else Path(name_or_path)).read_bytes()
    except OSError as err:
        if name_or_path in PUBLISHED:
            wanted = PUBLISHED[str(name_or_path)]
            get = "" if wanted.files[0].url else f"get '{wanted.files[0].name}' from {wanted.home}, then "
            raise ModelError(
                f"model '{name_or_path}' is not imported yet; {get}run: {wanted.command}"
            ) from err
        own = user_models()
        known = f"one of {', '.join(names)}" if names else "none is installed"
        known += f", or one of yours: {', '.join(own)}" if own else ""
        raise ModelError(
            f"no model '{name_or_path}' ({err.strerror or err}); give the name of a built-in model ({known}) "
            "or the path of an .onnx file"
        ) from err


def open_model(name_or_path: str | Path, threads: int = 1, *, blocked: bool = True) -> ModelFile:
    """Open a model by its name or path; it may use that many threads.

    Parameters
    ----------
    name_or_path : str or Path
    threads : int
    blocked : bool
        Let the runtime lay channels out in blocks: faster for small kernels, much slower for large ones.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or has no card.
    ConfigError
        If `threads` is below 1.
    """
    if threads < 1:
        raise ConfigError(f"threads {threads}: it must be 1 or more")
    origin = str(name_or_path)
    session = open_session(read_model(name_or_path), origin, threads, blocked)
    card = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if card is None:
        raise ModelError(
            f"'{origin}' has no model card, so its labels and front end are unknown; "
            "give a model made by earmark's training"
        )
    return ModelFile(session, card, origin)


def open_session(data: bytes, origin: str, threads: int = 1, blocked: bool = True) -> ort.InferenceSession:
    """Open a session whose settings are its own: nothing process-wide is touched.

    Raises `ModelError` if the bytes are no model that can be run; `origin` names it.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # The arena keeps the blocks of a run for the next one, so that memory does not grow with the recording;
    # patterns would hold one block as large as all of them.
    options.enable_mem_pattern = False
    # Idle threads sleep; by default they spin, which costs more than it saves between short runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    if not blocked:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as err:  # onnxruntime's errors share no other base
        raise ModelError(
            f"'{origin}' is no ONNX model that can be run ({one_line(err)}); it may be damaged: get it again"
        ) from err


def refuse_kind(file: ModelFile, lacks: str) -> NoReturn:
    """Raise `ModelError`: a model of this kind `lacks` what is wanted, e.g. ``"gives no embeddings"``."""
    does, command = _USES.get(card_kind(file.card) or "", _OTHER_USE)
    raise ModelError(
        f"model '{file.origin}' {does} and {lacks}; use it with: earmark {command} {file.origin}"
    )


def one_line(err: Exception) -> str:
    """Return onnxruntime's own words without its code and its further lines."""
    lines = str(err).strip().splitlines()
    return lines[0].rpartition(" : ")[2][:160].rstrip(". ") if lines else type(err).__name__
