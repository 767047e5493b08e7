"""Which estimate belongs to which reference: two files, or two folders paired by place and stem."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from earmark.errors import AnnotationError, ConfigError
from earmark.formats import FORMATS, format_of

STANDARD_INPUT = "-"

_SUFFIXES = frozenset(suffix.lower() for known in FORMATS.values() for suffix in known.suffixes)
# Names listed in a message; more are counted.
_MOST_NAMES = 10


@dataclass(frozen=True)
class Pair:
    """Two files of one recording.

    Parameters
    ----------
    name : str
        How tables call it: the place below the folders without suffix, or the reference's file name.
    reference : str
        Path, or ``"-"`` for standard input.
    estimate : str or None
        Likewise; None if there is none.
    """

    name: str
    reference: str
    estimate: str | None


@dataclass(frozen=True)
class Pairing:
    """Pairs, and what stands alone.

    Parameters
    ----------
    pairs : tuple of Pair
        Sorted by name.
    unscored : tuple of str
        Estimates without a reference, by name.
    """

    pairs: tuple[Pair, ...]
    unscored: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """References without an estimate, by name."""
        return tuple(pair.name for pair in self.pairs if pair.estimate is None)


def find_pairs(
    reference: str | os.PathLike[str],
    estimate: str | os.PathLike[str],
    reference_format: str | None = None,
    estimate_format: str | None = None,
) -> Pairing:
    """Pair two files, or the annotation files below two folders.

    In folders, files of the suffixes of `earmark.formats.FORMATS` count, hidden ones left out.  A pair has
    the same path below its folder but for the suffix, so the formats may differ.

    Parameters
    ----------
    reference, estimate : path
        Both files (one may be ``"-"``, standard input), or both folders.
    reference_format, estimate_format : str, optional
        Of several files of one recording, the one with a suffix of this format counts.

    Raises
    ------
    ConfigError
        If one is a folder and the other is not, both are standard input, or no format has the name.
    AnnotationError
        If one does not exist, holds no references, or holds two files of one recording.
    """
    sides = [os.fspath(reference), os.fspath(estimate)]
    if sides == [STANDARD_INPUT] * 2:
        raise ConfigError("standard input holds one annotation; give the other one as a file")
    folders = [os.path.isdir(side) for side in sides]
    if not any(folders):
        name = "standard input" if sides[0] == STANDARD_INPUT else os.path.basename(sides[0])
        return Pairing((Pair(name, *sides),))
    if not all(folders):
        folder, other = sides if folders[0] else reversed(sides)
        if other != STANDARD_INPUT and not os.path.lexists(other):
            raise AnnotationError(f"'{other}' does not exist; check the path")
        raise ConfigError(f"'{folder}' is a folder and '{other}' is not; give two folders or two files")
    references = _by_name(sides[0], reference_format, "--reference-format")
    estimates = _by_name(sides[1], estimate_format, "--estimate-format")
    if not references:
        raise AnnotationError(
            f"folder '{sides[0]}' holds no annotation files; known suffixes are {' '.join(sorted(_SUFFIXES))}"
        )
    return Pairing(
        tuple(Pair(name, path, estimates.get(name)) for name, path in sorted(references.items())),
        tuple(sorted(estimates.keys() - references.keys())),
    )


def check_pairing(pairing: Pairing, allow_missing: bool) -> list[str]:
    """Return warnings about what stands alone.

    Raises
    ------
    AnnotationError
        If an estimate is missing and that is not allowed.
    """
    warnings = []
    if missing := pairing.missing:
        what = f"no estimate for {len(missing)} of {len(pairing.pairs)} references: {listed(missing)}"
        if not allow_missing:
            raise AnnotationError(f"{what}; add what is missing, or score it as empty with --allow-missing")
        warnings.append(f"{what}; scored as if nothing had been reported")
    if pairing.unscored:
        n = len(pairing.unscored)
        warnings.append(f"no reference for {n} of the estimates, not scored: {listed(pairing.unscored)}")
    return warnings


def listed(names: Iterable[str]) -> str:
    """Return names for a message: the first ones, and how many more there are."""
    every = [f"'{name}'" for name in names]
    more = len(every) - _MOST_NAMES
    return ", ".join(every[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _by_name(folder: str, format: str | None, option: str) -> dict[str, str]:
    """Return the annotation files below a folder, by path below it without suffix."""
    wanted = () if format is None else [suffix.lower() for suffix in format_of("", format).suffixes]
    found: dict[str, Path] = {}
    for path in _annotations(folder):
        name = unicodedata.normalize("NFC", path.relative_to(folder).with_suffix("").as_posix())
        before = found.setdefault(name, path)
        if before is path:
            continue
        fits = [each.suffix.lower() in wanted for each in (before, path)]
        if fits[0] == fits[1]:
            raise AnnotationError(
                f"'{before}' and '{path}' are both annotations of '{name}'; keep one of them, or say which "
                f"format counts with {option}"
            )
        found[name] = before if fits[0] else path
    return {name: str(path) for name, path in found.items()}


def _annotations(folder: str) -> Iterator[Path]:
    def refuse(err: OSError) -> None:
        raise AnnotationError(
            f"folder '{err.filename}' cannot be read ({err.strerror}); change its permissions"
        ) from err

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in _SUFFIXES:
                yield Path(parent, name)
