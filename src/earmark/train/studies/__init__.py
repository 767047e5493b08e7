"""Studies of the papers that are no tables: separability, transfer to broadcasts, learned features.

Each is a command of `earmark bench`; benchmarks/README.md shows how they are run.
"""
