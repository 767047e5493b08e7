"""Arrays that come part by part, written to one .npz file in memory that does not grow."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from earmark.errors import EarmarkError
from earmark.files import atomic_write

# What is copied at a time; less is kept in memory.
_COPY_BYTES = 1 << 20


class NpzWriter:
    """Keeps the rows of arrays in temporary files until all are there.

    Raises `EarmarkError` if there is no room for them.
    """

    def __init__(self) -> None:
        self._resources = ExitStack()
        self._copies: dict[str, IO[bytes]] = {}
        self._headers: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> NpzWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the temporary files."""
        self._resources.close()

    def append(self, name: str, rows: npt.NDArray[np.generic]) -> None:
        """Take the rows of an array that follow; their shapes and types must agree."""
        # Files are little-endian on every machine.
        rows = np.ascontiguousarray(rows, rows.dtype.newbyteorder("<"))
        try:
            if name not in self._copies:
                copy = tempfile.SpooledTemporaryFile(max_size=_COPY_BYTES)  # noqa: SIM115
                self._copies[name] = self._resources.enter_context(copy)
                self._headers[name] = {
                    "descr": np.lib.format.dtype_to_descr(rows.dtype),
                    "fortran_order": False,
                    "shape": (0, *rows.shape[1:]),
                }
            self._copies[name].write(rows.tobytes())
        except OSError as err:
            raise EarmarkError(
                f"the results cannot be kept in '{tempfile.gettempdir()}': {err.strerror or err}; "
                "free some space there"
            ) from err
        n_rows, *rest = self._headers[name]["shape"]
        self._headers[name]["shape"] = (n_rows + len(rows), *rest)

    def save(self, path: str | Path, others: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Write `others` and what was appended, under exactly this name, whole or not at all."""
        with atomic_write(path, binary=True) as file, zipfile.ZipFile(file, "w") as archive:
            for name, array in others.items():
                with archive.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
            for name, copy in self._copies.items():
                copy.seek(0)
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array_header_1_0(member, self._headers[name])
                    shutil.copyfileobj(copy, member, _COPY_BYTES)
