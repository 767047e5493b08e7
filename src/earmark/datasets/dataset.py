"""What a dataset is: facts about it, where it may lie, how a copy is read and checked.

``--data DIR`` of the command line is searched for a dataset in this order: the folder of its name in it
(``DIR/musan``), the folder ``DIR/corpus``, whose index may list it, and `DIR` itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from earmark.datasets.recordings import Annotated, Clip, Spectrogram
from earmark.errors import ConfigError

Recording = TypeVar("Recording", Clip, Annotated, Spectrogram)


@dataclass(frozen=True)
class Layout(Generic[Recording]):
    """A way in which copies lie on the disk.

    Parameters
    ----------
    shape : str
        What a folder must hold, in words for messages.
    find : callable
        ``find(folder) -> Path or None``: the folder itself or one inside it that has this layout.
    read : callable
        ``read(root) -> list`` of the recordings there, without those that are missing.
    check : callable
        ``check(root) -> list of str``: what is wrong with the copy, one line each.
    """

    shape: str
    find: Callable[[Path], Path | None]
    read: Callable[[Path], list[Recording]]
    check: Callable[[Path], list[str]]


@dataclass(frozen=True)
class Copy(Generic[Recording]):
    """A copy of a dataset: its folder, and how it lies there."""

    root: Path
    layout: Layout[Recording]

    def read(self) -> list[Recording]:
        """Return the recordings; see `Dataset.read`."""
        return self.layout.read(self.root)

    def check(self) -> list[str]:
        """Return what is wrong with it; see `Dataset.check`."""
        return self.layout.check(self.root)


@dataclass(frozen=True)
class Dataset(Generic[Recording]):
    """A dataset.

    Parameters
    ----------
    name : str
        What users call it, and the name of its folder.
    title, content : str
        Its full name, and what it holds in a few words.
    labels : tuple of str
        What is told apart in it.
    n_files : int or None
        Published number of recordings; None where it has no fixed one.
    hours : float or None
        Published length; None where it is not stated.
    licence, citation : str
        As its authors ask for.
    source : str
        A sentence that says where to get it.
    uses : tuple of str
        The published experiments that use it.
    layouts : tuple of Layout
        How copies lie on the disk, the usual way first.
    checksums : mapping
        Published ``"algorithm:digest"`` of archives, by file name.
    """

    name: str
    title: str
    content: str
    labels: tuple[str, ...]
    n_files: int | None
    hours: float | None
    licence: str
    citation: str
    source: str
    uses: tuple[str, ...]
    layouts: tuple[Layout[Recording], ...]
    checksums: Mapping[str, str] = field(default_factory=dict)

    def find(self, folder: str | Path) -> Copy[Recording] | None:
        """Return the copy in a folder, or None; the module's first lines say where it is looked for."""
        data = Path(folder)
        for candidate in (data / self.name, data / "corpus", data):
            for layout in self.layouts:
                root = layout.find(candidate) if candidate.is_dir() else None
                if root is not None:
                    return Copy(root, layout)
        return None

    def read(self, folder: str | Path) -> list[Recording]:
        """Return the recordings of a copy.

        What is missing in the copy is left out: `check` tells.

        Parameters
        ----------
        folder : str or Path
            The copy's folder, or one that holds it under the dataset's name.

        Raises
        ------
        ConfigError
            If there is no copy, or nothing in it.
        AnnotationError
            If an annotation cannot be read.
        """
        copy = self.find(folder)
        if copy is None:
            raise ConfigError(self._absent(folder))
        recordings = copy.read()
        if not recordings:
            raise ConfigError(f"'{copy.root}' holds no recording of {self.title}. {self.source}")
        return recordings

    def check(self, path: str | Path) -> list[str]:
        """Return what is wrong with a copy, one line each; nothing if it is complete.

        Parameters
        ----------
        path : str or Path
            The copy's folder, one that holds it under the dataset's name, or an archive as it was
            downloaded, whose checksum is then compared.
        """
        if Path(path).is_file():
            return self._check_archive(Path(path))
        copy = self.find(path)
        return [self._absent(path)] if copy is None else copy.check()

    def _absent(self, folder: str | Path) -> str:
        shapes = ", or ".join(layout.shape for layout in self.layouts)
        return f"no copy of {self.title} in '{folder}': that is a folder with {shapes}. {self.source}"

    def _check_archive(self, path: Path) -> list[str]:
        published = self.checksums.get(path.name)
        if published is None:
            known = ", ".join(self.checksums) or "none"
            return [f"'{path}' cannot be checked: archives with a published checksum are {known}; unpack it"]
        algorithm, _, digest = published.partition(":")
        found = hashlib.new(algorithm)
        try:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    found.update(block)
        except OSError as err:
            return [f"'{path}' cannot be read: {err.strerror or err}"]
        if found.hexdigest() == digest:
            return []
        return [f"'{path}' has the {algorithm} {found.hexdigest()}, not the {digest} published; get it again"]


def locate(folder: Path, inner: Sequence[str], *marks: str) -> Path | None:
    """Return the first of the folders in which every pattern matches something.

    Parameters
    ----------
    folder : Path
        Where to look.
    inner : sequence of str
        Folders inside it, ``""`` for itself; archives often unpack to one more level.
    *marks : str
        Glob patterns, relative to each.
    """
    for name in inner:
        root = folder / name
        if root.is_dir() and all(any(True for _ in root.glob(mark)) for mark in marks):
            return root
    return None
