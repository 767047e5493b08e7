"""Sliding medians of arrays, by minima and maxima over whole rows.

The programs of `earmark.features.network` need 12 (window 11) to 38 (window 51) minima or maxima per
median; each is taken for thousands of elements at once, in blocks that stay in the processor's cache.
"""

from __future__ import annotations

import numpy as np

from earmark.errors import ConfigError
from earmark.features.mel import FloatArray
from earmark.features.network import Program, median_program

# Elements that one step handles: enough to outweigh the call, few enough for the cache.
_ELEMENTS = 2**15
_COLUMNS = 1024


def sliding_median(values: FloatArray, length: int) -> FloatArray:
    """Return the medians of windows that slide along the first axis.

    Parameters
    ----------
    values : float32, shape=(n, m)
        Finite; fastest where rows are contiguous and m is at least 64.
    length : int
        Elements in a window; odd, from 3 to n.

    Returns
    -------
    float32, shape=(n - length + 1, m)
        Row i is the median of rows i to i + length - 1.

    Raises
    ------
    ConfigError
        If the length is even, below 3, or greater than n.
    """
    check_length(length, "window")
    n_rows = len(values) - length + 1
    if n_rows < 1:
        raise ConfigError(
            f"window {length}: it must not be longer than the {len(values)} elements it slides on"
        )
    program = median_program(length)
    n_columns = min(_COLUMNS, values.shape[1])
    n_tiles = min(-(-n_rows // program.width), max(1, _ELEMENTS // max(1, n_columns)))
    rows = n_tiles * program.width
    registers = np.zeros((program.n_registers, (n_tiles + program.reach) * n_columns), np.float32)
    out = np.empty((n_rows, values.shape[1]), np.float32)
    for left in range(0, values.shape[1], _COLUMNS):
        for top in range(0, n_rows, rows):
            part = out[top : top + rows, left : left + _COLUMNS]
            _run(program, registers, values[top : top + rows + length - 1, left : left + _COLUMNS], part)
    return out


def check_length(length: int, name: str) -> None:
    """Refuse a window length that is even or below 3."""
    if length < 3 or length % 2 == 0:
        raise ConfigError(f"{name} {length}: it must be odd and at least 3, e.g. 21")


def _run(program: Program, registers: FloatArray, values: FloatArray, out: FloatArray) -> None:
    """Find the medians of one block, shape=(n_rows + length - 1, m), into (n_rows, m)."""
    n_tiles, n_columns = -(-len(out) // program.width), values.shape[1]
    for element in range(program.width):
        rows = values[element :: program.width]
        # What lies beyond the end stays what it was: no median that is asked for depends on it.
        registers[element, : rows.size].reshape(rows.shape)[:] = rows
    for largest, left, left_tile, right, right_tile, target, extra in program.steps:
        size, a, b = (n_tiles + extra) * n_columns, left_tile * n_columns, right_tile * n_columns
        take = np.maximum if largest else np.minimum
        take(registers[left, a : a + size], registers[right, b : b + size], out=registers[target, :size])
    for window, (register, tile) in enumerate(program.medians):
        rows = out[window :: program.width]
        start = tile * n_columns
        rows[:] = registers[register, start : start + rows.size].reshape(rows.shape)
