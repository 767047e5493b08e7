"""Programs of pairwise minima and maxima that find the medians of sliding windows.

A *tile* is a few neighbouring windows.  They share a core, of which only the elements of middle rank can
become a median; each half of the tile adds the elements its windows have in common, then the quarters
do, down to single windows.  Tiles of 4 for windows of 7::

    window 0   0 1 2 3 4 5 6
    window 1     1 2 3 4 5 6 7              core           3 4 5 6
    window 2       2 3 4 5 6 7 8            left half    2 3 4 5 6 7
    window 3         3 4 5 6 7 8 9          right half       3 4 5 6 7 8  (ranks 3 to 4 of each)

Elements are sorted in runs as wide as a tile by Batcher's odd-even merges.  A run that appears in
several tiles is the same run, some tiles further on, so it is sorted once; steps that no median depends
on are dropped.  Nothing here touches data: `earmark.features.median` runs the programs.

References
----------
.. [1] K. E. Batcher, "Sorting networks and their applications", AFIPS 1968.
.. [2] A. Adams, "Fast median filters using separable sorting networks", ACM Trans. Graphics 40(4), 2021:
       tiles that are halved, and the pruning by rank, for images.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple


class Value(NamedTuple):
    """What a node holds for the tile that many tiles further on.

    Nodes below the tile's width are the elements of the tile; the others are results of steps.
    """

    node: int
    tile: int


class Step(NamedTuple):
    """The minima or maxima of two registers, each read from a tile on, put into a third one.

    They are taken for `extra` tiles more than medians are asked for.
    """

    largest: bool
    left: int
    left_tile: int
    right: int
    right_tile: int
    target: int
    extra: int


class Program(NamedTuple):
    """How to find the medians of all windows.

    Parameters
    ----------
    width : int
        Windows in a tile; elements from one tile to the next.  The first registers hold the elements.
    n_registers : int
        Registers, each of one value per tile.
    reach : int
        Tiles of elements needed beyond those medians are asked for.
    steps : tuple of Step
        In the order they are to be taken; no step writes to what it reads.
    medians : tuple of (int, int)
        Of each window of a tile: register, and tile it starts from.
    """

    width: int
    n_registers: int
    reach: int
    steps: tuple[Step, ...]
    medians: tuple[tuple[int, int], ...]


@lru_cache(maxsize=16)
def median_program(length: int) -> Program:
    """Return the shortest program found for windows of `length` elements, an odd number from 3 up."""
    # Wider tiles save steps in long windows, at the price of more values alive at once.
    widths = [width for width in (2, 4, 8) if width <= length]
    programs = [_program(length, width, doublings) for width in widths for doublings in (0, 1, 2)]
    return min(programs, key=lambda program: len(program.steps) / program.width)


def _program(length: int, width: int, doublings: int) -> Program:
    network = _Network(width)
    middle = (length - 1) // 2
    ranks, below = _core(network, length, middle, doublings)
    medians: dict[int, Value] = {}

    def halve(first: int, last: int, ranks: list[Value], below: int) -> None:
        """Descend from windows `first` to `last`, whose core has `below` elements under `ranks`."""
        if first == last:
            medians[first] = ranks[middle - below]
            return
        half = (last - first + 1) // 2
        lowest = max(0, middle - half + 1)
        for start, added in ((first, first + half - 1), (first + half, first + length)):
            common = network.sort([network.element(i) for i in range(added, added + half)])
            kept = network.select(ranks, common, lowest - below, middle - below)
            halve(start, start + half - 1, kept, lowest)

    halve(0, width - 1, ranks, below)
    return network.program([medians[window] for window in range(width)])


def _core(network: _Network, length: int, middle: int, doublings: int) -> tuple[list[Value], int]:
    """Return the elements of a tile's core that can be a median, sorted, and how many lie below them."""
    width = network.width
    size = length - width + 1
    lists, at = [], width - 1
    while size - (at - width + 1) >= width:
        run = width << doublings
        while run > size - (at - width + 1):
            run //= 2
        lists.append(network.sort_runs(at, run))
        at += run
    lists.append(network.sort([network.element(i) for i in range(at, length)]))
    ranks, below, merged = lists[0], 0, len(lists[0])
    for other in lists[1:]:
        merged += len(other)
        # What is not merged yet may all lie below these, or all above: lower and higher ranks are out.
        lowest = max(0, middle - (width - 1) - (size - merged))
        highest = min(merged - 1, middle)
        ranks = network.select(ranks, other, lowest - below, highest - below)
        below = lowest
    lowest = max(0, middle - (width - 1))
    return ranks[lowest - below : middle + 1 - below], lowest


class _Network:
    """Steps under construction; equal steps of different tiles are one."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._nodes: dict[tuple[bool, Value, Value], int] = {}

    def element(self, index: int) -> Value:
        """Return an element, counted from the first of the tile."""
        return Value(index % self.width, index // self.width)

    def sort(self, values: Sequence[Value]) -> list[Value]:
        """Sort values."""
        if len(values) < 2:
            return list(values)
        half = len(values) // 2
        return self._merge(self.sort(values[:half]), self.sort(values[half:]))

    def sort_runs(self, start: int, size: int) -> list[Value]:
        """Sort elements from runs as wide as the tile, which other tiles have too, up to the whole."""
        if size == self.width:
            return self.sort([self.element(start + i) for i in range(size)])
        half = size // 2
        return self._merge(self.sort_runs(start, half), self.sort_runs(start + half, half))

    def select(self, a: list[Value], b: list[Value], lowest: int, highest: int) -> list[Value]:
        """Return the elements of ranks `lowest` to `highest`, from 0, of two sorted lists together."""
        skip_a, skip_b = max(0, lowest - len(b)), max(0, lowest - len(a))
        merged = self._merge(a[skip_a : highest + 1], b[skip_b : highest + 1])
        skipped = skip_a + skip_b
        return merged[lowest - skipped : highest + 1 - skipped]

    def _merge(self, a: list[Value], b: list[Value]) -> list[Value]:
        """Merge two sorted lists: those at even and at odd places, then neighbours between the two."""
        if not a or not b:
            return [*a, *b]
        if len(a) == len(b) == 1:
            return [self._step(False, a[0], b[0]), self._step(True, a[0], b[0])]
        evens, odds = self._merge(a[::2], b[::2]), self._merge(a[1::2], b[1::2])
        merged = evens[:1]
        for odd, even in zip(odds, evens[1:], strict=False):
            merged += [self._step(False, odd, even), self._step(True, odd, even)]
        paired = min(len(odds), len(evens) - 1)
        return merged + evens[1 + paired :] + odds[paired:]

    def _step(self, largest: bool, a: Value, b: Value) -> Value:
        tile = min(a.tile, b.tile)
        left, right = sorted(Value(node, at - tile) for node, at in (a, b))
        node = self._nodes.setdefault((largest, left, right), self.width + len(self._nodes))
        return Value(node, tile)

    def program(self, medians: list[Value]) -> Program:
        """Keep the steps that the medians depend on, and give each a register."""
        tiles: dict[int, tuple[int, int]] = {}

        def need(value: Value, first: int, last: int) -> None:
            first, last = first + value.tile, last + value.tile
            known = tiles.get(value.node, (first, last))
            tiles[value.node] = (min(known[0], first), max(known[1], last))

        for value in medians:
            need(value, 0, 0)
        # Medians are used by no step last.
        last_use: dict[int, int] = {value.node: -1 for value in medians}
        for (_, left, right), node in reversed(self._nodes.items()):
            if node in tiles:
                for operand in (left, right):
                    need(operand, *tiles[node])
                    last_use.setdefault(operand.node, node)
        reach = max(last for node, (_, last) in tiles.items() if node < self.width)
        # Elements are held for all tiles, the results of steps from the first tile they are needed for.
        registers = {node: (node, 0) for node in range(self.width)}
        free: list[int] = []
        n_registers = self.width
        steps: list[Step] = []
        for (largest, left, right), node in self._nodes.items():
            if node not in tiles:
                continue
            first, last = tiles[node]
            a, b = (Value(registers[v.node][0], first + v.tile - registers[v.node][1]) for v in (left, right))
            if not free:
                free.append(n_registers)
                n_registers += 1
            target = free.pop()
            steps.append(Step(largest, a.node, a.tile, b.node, b.tile, target, last - first))
            registers[node] = (target, first)
            free += {registers[v.node][0] for v in (left, right) if last_use[v.node] == node}
        found = tuple((registers[node][0], tile - registers[node][1]) for node, tile in medians)
        return Program(self.width, n_registers, reach, tuple(steps), found)
