"""What an adaptation came to: figures of recordings that were left out, and what a user should know."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class AdaptReport:
    """What was learned from, and what it brought.

    Parameters
    ----------
    recordings : int
        Those that were heard.
    seconds : float
        Their length together.
    labels : tuple of str
        Of the adapted model.
    new_labels : tuple of str
        Those that the model given did not have.
    before, after : dict of str to float
        Frame-wise F of labels, 0 to 1, on recordings left out: of the model given, and adapted without them.
        Empty if there is one group; a label that is marked nowhere, or too rarely to be left out, is in
        neither, a new one only in `after`.
    changed : bool
        Whether any weights of the model's own labels were changed: if not, the model given was best on
        recordings left out.
    notes : tuple of str
        What a user should know, a sentence each.
    failed : dict of str to str
        Recordings that could not be used, by path, and why.
    """

    recordings: int
    seconds: float
    labels: tuple[str, ...]
    new_labels: tuple[str, ...]
    before: dict[str, float]
    after: dict[str, float]
    changed: bool
    notes: tuple[str, ...]
    failed: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)
