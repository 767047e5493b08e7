"""Batches: any number of recordings marked by any number of workers, safe to stop at any instant.

What a source names becomes items (`items`), which a ledger on disk keeps (`ledger`); a run (`run`) hands
them to an engine (`engines`), whose workers do one at a time (`process`), and writes down what came of each.
"""
