"""Benchmarks: how right a detector is, and how fast; each gives figures, a table and JSON."""
