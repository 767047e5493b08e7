"""The rows of a table's file, read and checked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_type_hints

import torch

from earmark.errors import ConfigError
from earmark.features.extractor import Extractor
from earmark.features.registry import create_features
from earmark.train.config import checked_values
from earmark.train.crops.config import CropConfig
from earmark.train.experiments.augment import Augment
from earmark.train.experiments.fitconfig import FitConfig
from earmark.train.experiments.nets import row_network
from earmark.train.experiments.protocol import OVERLAP, Protocol
from earmark.train.experiments.rows import (
    CropRow,
    Embedding,
    HeadConfig,
    NetworkRow,
    Row,
    TransferRow,
    TrivialRow,
    VectorRow,
)
from earmark.train.experiments.signals import Signal
from earmark.train.experiments.transfer import check_frozen
from earmark.train.experiments.vary import varied

_COMMON = {"name": str, "note": str, "share": float, "only": tuple[str, ...]}
# What each kind of row has besides.
_KINDS: dict[str, tuple[str, ...]] = {
    "network": ("features", "model", "signal", "fit", "frozen"),
    "crops": ("features", "model", "training", "crops"),
    "vectors": ("embedding", "head", "statistics", "validates"),
    "trivial": (),
}
_NEEDED: dict[str, tuple[str, ...]] = {
    "network": ("features", "model"),
    "crops": ("features", "model"),
    "vectors": ("embedding", "head"),
    "trivial": (),
}
# BHA's tasks, and mixing anew, are about these.
_BHA_CLASSES = Protocol().classes
# Classes of a network that is only made to see whether it can be: of a task, as many as it has.
_SOME_CLASSES = 2


def read_rows(given: dict[str, Any], table: dict[str, Any], protocol: Protocol, where: str) -> list[Row]:
    """Return what a row of a file stands for.

    Parameters
    ----------
    given : dict
        As it stands in the file.
    table : dict
        The file; its ``signal``, ``fit``, ``training`` and ``share`` are those of rows that have none.
    protocol : Protocol
    where : str
        Names the file in messages.

    Raises
    ------
    ConfigError
        If a key or a value is wrong.
    """
    place = f"row '{given.get('name', '')}' of {where}"
    kind = "crops" if "training" in given or "training" in table else "network"
    kind = "trivial" if "trivial" in given else "vectors" if "embedding" in given else kind
    refuse_unknown(given, [*_COMMON, *_KINDS[kind], "trivial", "vary", "paper"], place)
    for key in ("name", *_NEEDED[kind]):
        if key not in given:
            raise ConfigError(f"{place} has no {key}")
    return [_row(kind, one, table, protocol, where) for one in varied(given, place)]


def _row(kind: str, row: dict[str, Any], table: dict[str, Any], protocol: Protocol, where: str) -> Row:
    given = {key: table[key] for key in ("share",) if key in table}
    common = checked_values(_COMMON, given | {key: row[key] for key in _COMMON if key in row}, where)
    where = f"row '{common['name']}' of {where}"
    common["paper"] = _published(row, where)
    try:
        if kind == "trivial":
            if row["trivial"] is not True:
                raise ConfigError("'trivial' can be true, or left out")
            return TrivialRow(**common)
        if kind == "vectors":
            embedding = filled(Embedding(""), row, "embedding", where)
            if not embedding.model:
                raise ConfigError("the embedding has no 'model'")
            head = filled(HeadConfig(), row, "head", where)
            flags: dict[str, Any] = {key: row[key] for key in ("statistics", "validates") if key in row}
            more = checked_values(dict.fromkeys(flags, bool), flags, where)
            return VectorRow(**common, embedding=embedding, head=head, **more)
        if kind == "crops":
            return _crop_row(common, row, table, protocol, where)
    except ConfigError as err:
        raise _at(where, err) from err
    return _network_row(common, row, table, protocol, where)


def _crop_row(
    common: dict[str, Any], row: dict[str, Any], table: dict[str, Any], protocol: Protocol, where: str
) -> CropRow:
    training = filled(filled(CropConfig(), table, "training", where), row, "training", where)
    crops = checked_values({"crops": int}, {"crops": row.get("crops", 0)}, where)["crops"]
    extractor, model = _extractor(row, where), section(row, "model", where)
    if crops < 0 or extractor.scaling != "none" or OVERLAP in protocol.classes:
        raise ConfigError(
            f"{where} is trained on crops: crops must be 0 or more, features of the scaling 'none', and no "
            f"class '{OVERLAP}'; it has {crops}, '{extractor.scaling}' and {', '.join(protocol.classes)}"
        )
    with torch.device("meta"):
        row_network(model, extractor, len(protocol.classes) or _SOME_CLASSES)
    return CropRow(**common, extractor=extractor, model=model, training=training, crops=crops)


def _extractor(row: dict[str, Any], where: str) -> Extractor:
    """Return the front end of a row."""
    features = section(row, "features", where)
    if "name" not in features:
        raise ConfigError(f"features of {where} have no name; docs/features.md lists them")
    words: dict[str, Any] = {key: features[key] for key in ("name", "variant") if key in features}
    checked_values(dict.fromkeys(words, str), words, f"features of {where}")
    return create_features(**features)


def _network_row(
    common: dict[str, Any], row: dict[str, Any], table: dict[str, Any], protocol: Protocol, where: str
) -> NetworkRow:
    fit = filled(filled(FitConfig(), table, "fit", where), row, "fit", where)
    signal = filled(filled(Signal(), table, "signal", where), row, "signal", where)
    model = section(row, "model", where)
    try:
        extractor = _extractor(row, where)
        signal.check(extractor.sample_rate, OVERLAP in protocol.classes)
        with torch.device("meta"):  # whether it can be made, before anything is computed for it
            row_network(model, extractor, len(protocol.classes) or _SOME_CLASSES)
        made = NetworkRow(**common, extractor=extractor, model=model, signal=signal, fit=fit)
        if "frozen" in row:
            frozen = checked_values({"frozen": tuple[str, ...]}, {"frozen": row["frozen"]}, where)
            made = TransferRow(**vars(made), **frozen)
            check_frozen(made)
    except ConfigError as err:
        raise _at(where, err) from err
    augments = fit.augment != Augment()
    if augments and not extractor.additive:
        raise ConfigError(
            f"{where} augments features '{extractor.name}', which are no sums of powers; "
            "take 'detector' or leave 'augment' out"
        )
    if (augments or model.get("head") in ("mtl", "c-mtl")) and protocol.classes != _BHA_CLASSES:
        what = "augments" if augments else f"has the head '{model['head']}'"
        raise ConfigError(
            f"{where} {what}: the classes must be {', '.join(_BHA_CLASSES)}, in this order; "
            f"they are {', '.join(protocol.classes) or 'those of the task'}"
        )
    return made


def _at(where: str, err: ConfigError) -> ConfigError:
    """Return an error that names the row, if it does not yet."""
    return err if where in str(err) else ConfigError(f"{where}: {err}")


def _published(row: dict[str, Any], where: str) -> dict[str, tuple[float, ...]]:
    """Return the paper's figures: a number each, or a number and its deviation."""
    paper = {}
    for measure, given in section(row, "paper", where).items():
        values = given if isinstance(given, list) else [given]
        if len(values) not in (1, 2) or not all(type(value) in (int, float) for value in values):
            raise ConfigError(f"'{measure}' in paper of {where} must be a value or [value, deviation]")
        paper[measure] = tuple(map(float, values))
    return paper


def filled(base: Any, table: dict[str, Any], name: str, where: str) -> Any:
    """Replace fields of a dataclass by the values of a table's section, checked."""
    values = section(table, name, where)
    where = f"{name} of {where}"
    values = checked_values(get_type_hints(type(base)), values, where)
    try:
        return replace(base, **values)
    except ConfigError as err:
        raise ConfigError(f"{where}: {err}") from err


def section(table: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    """Return a table inside a table, empty if it is not there."""
    found = table.get(name, {})
    if not isinstance(found, dict):
        raise ConfigError(f"'{name}' of {where} must be a table, got {found!r}")
    return found


def refuse_unknown(table: dict[str, Any], keys: list[str], where: str) -> None:
    """Refuse keys that have no meaning."""
    unknown = [key for key in table if key not in keys]
    if unknown:
        raise ConfigError(f"unknown key '{unknown[0]}' in {where}; allowed are {', '.join(keys)}")
