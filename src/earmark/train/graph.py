"""What is done to graphs of ONNX, whatever they compute."""

from __future__ import annotations

from collections.abc import Iterator

import onnx


def prune(graph: onnx.GraphProto, output: str) -> None:
    """Drop what a value does not depend on."""
    wanted, kept = {output}, []
    for node in reversed(graph.node):
        if not wanted.isdisjoint(node.output):
            kept.append(node)
            wanted.update(_read_by(node))
    del graph.node[:]
    graph.node.extend(reversed(kept))
    for items in (graph.initializer, graph.value_info):
        used = [item for item in items if item.name in wanted and item.name != output]
        del items[:]
        items.extend(used)


def _read_by(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names of what a node reads, in graphs inside it as well."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _read_by(inner)
            yield from (output.name for output in graph.output)
