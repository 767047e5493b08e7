"""Classes of recordings as rows of a table: written as they come, kept whatever happens, taken up again.

======  =================================================================================================
csv     path, label, confidence, and a column for each class with its score
json    a list of objects: path, label, confidence, scores, duration, windows, warnings; a line each
======  =================================================================================================

The rows do not say of which model they are.  The user's folder for caches does, as long as it is there: a
file in its ``rows`` is named by where a table lies, and holds the SHA-256 of the model's file.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from earmark.classifier import Classified
from earmark.errors import AnnotationError, EarmarkError
from earmark.files import atomic_write
from earmark.folders import cache_folder

_COLUMNS = ("path", "label", "confidence")


class Layout(NamedTuple):
    """What stands before, between and behind the rows of a file."""

    head: str
    between: str
    tail: str


def layout(name: str, classes: Sequence[str]) -> Layout:
    """Return how a file of a format is laid out."""
    if name == "csv":
        return Layout(_csv_line([*_COLUMNS, *classes]), "", "")
    return Layout("[\n", ",\n", "\n]\n")


def row(name: str, path: str, found: Classified) -> str:
    """Return a recording's row in a format."""
    # Names of files need not be valid text.
    path = path.encode("utf-8", "backslashreplace").decode("utf-8")
    if name == "csv":
        scores = (found.confidence, *found.scores.values())
        return _csv_line([path, found.label, *(f"{score:.4f}" for score in scores)])
    fields = {
        "path": path,
        "label": found.label,
        "confidence": round(found.confidence, 6),
        "scores": {label: round(score, 6) for label, score in found.scores.items()},
        "duration": round(found.duration, 3),
        "windows": found.n_windows,
        "warnings": list(found.warnings),
    }
    return json.dumps(fields, ensure_ascii=False)


def document(name: str, classes: Sequence[str], rows: Sequence[str]) -> str:
    """Return a whole file."""
    head, between, tail = layout(name, classes)
    return head + between.join(rows) + tail


class RowFile:
    """Rows in a file, which holds each of them as soon as it is added.

    Parameters
    ----------
    path : Path
    name : str
        Format, "csv" or "json".
    classes : sequence of str
    model : bytes
        The file of the model whose rows they are.
    resume : bool
        Keep the rows that are there; else they are overwritten.

    Raises
    ------
    AnnotationError
        If what is there is no such table, one of other classes, or known to be of another model.
    EarmarkError
        If the file cannot be read or written.
    """

    def __init__(self, path: Path, name: str, classes: Sequence[str], *, model: bytes, resume: bool) -> None:
        self._path, self._name, self._classes = path, name, tuple(classes)
        self._rows = self._read() if resume and path.exists() else {}
        self._note(hashlib.sha256(model).hexdigest())
        self._between = layout(name, classes).between
        # A device or a named pipe gets all rows at the end.
        self._file: IO[bytes] | None = None
        if path.is_file() or not path.exists():
            self._write_all()
            self._file = self._opened(len(layout(name, classes).tail))

    def __contains__(self, path: str) -> bool:
        """Tell whether there is a row for a recording."""
        return path in self._rows

    def add(self, path: str, found: Classified) -> None:
        """Write the row of one more recording."""
        between = self._between if self._rows else ""
        self._rows[path] = row(self._name, path, found)
        if self._file is None:
            return
        try:
            self._file.write(f"{between}{self._rows[path]}".encode())
            self._file.flush()
        except OSError as err:
            raise self._unwritable(err) from err

    def close(self, order: Sequence[str]) -> None:
        """Complete the file, its rows in this order; those of other recordings come first, as they were."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        place = {path: i for i, path in enumerate(order)}
        self._rows = dict(sorted(self._rows.items(), key=lambda item: place.get(item[0], -1)))
        self._write_all()

    def _note(self, model: str) -> None:
        """Keep of which model the rows are; refuse to go on with those of another."""
        place = hashlib.sha256(str(self._path.absolute()).encode("utf-8", "backslashreplace")).hexdigest()
        note = cache_folder() / "rows" / place
        with suppress(OSError):
            if self._rows and note.read_bytes() != model.encode():
                raise AnnotationError(
                    f"the rows in '{self._path}' are of another model; leave out --skip-existing, or write "
                    "elsewhere"
                )
        with suppress(EarmarkError), atomic_write(note) as file:
            file.write(model)

    def _write_all(self) -> None:
        with atomic_write(self._path) as file:
            file.write(document(self._name, self._classes, list(self._rows.values())))

    def _opened(self, n_tail: int) -> IO[bytes]:
        """Open the file behind its last row."""
        try:
            file = self._path.open("r+b")
            file.truncate(file.seek(-n_tail, io.SEEK_END))
            return file
        except OSError as err:
            raise self._unwritable(err) from err

    def _unwritable(self, err: OSError) -> EarmarkError:
        return EarmarkError(
            f"'{self._path}' cannot be written: {err.strerror or err}; "
            "free some space there or write elsewhere"
        )

    def _read(self) -> dict[str, str]:
        try:
            text = self._path.read_bytes().decode("utf-8")
            return self._csv_rows(text) if self._name == "csv" else self._json_rows(text)
        except OSError as err:
            raise EarmarkError(f"'{self._path}' cannot be read: {err.strerror or err}; check it") from err
        except (ValueError, KeyError, TypeError, csv.Error) as err:
            raise AnnotationError(
                f"'{self._path}' is no {self._name} table of the classes {', '.join(self._classes)} to go on "
                "with; leave out --skip-existing, or write elsewhere"
            ) from err

    def _csv_rows(self, text: str) -> dict[str, str]:
        """Return the rows by recording; the last one may be cut off."""
        if not text:
            return {}
        header, *rows = csv.reader(io.StringIO(text, newline=""))
        if header != [*_COLUMNS, *self._classes]:
            raise ValueError("other columns")
        if rows and not text.endswith("\n"):
            rows.pop()
        if any(len(fields) != len(header) for fields in rows):
            raise ValueError("other rows")
        return {fields[0]: _csv_line(fields) for fields in rows}

    def _json_rows(self, text: str) -> dict[str, str]:
        found: list[Any] = []
        try:
            found = json.loads(text)
        except ValueError:  # cut off: whole lines are whole rows
            for line in text.splitlines()[1:]:
                with suppress(ValueError):
                    found.append(json.loads(line.removesuffix(",")))
        if any(list(fields["scores"]) != list(self._classes) for fields in found):
            raise ValueError("other classes") from None
        return {fields["path"]: json.dumps(fields, ensure_ascii=False) for fields in found}


def _csv_line(fields: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue()
