"""What a client is told when something cannot be done."""

from __future__ import annotations

from typing import Any

from earmark.errors import EarmarkError


class Refusal(EarmarkError):
    """A request that cannot be met, with the status of HTTP that says why.

    Parameters
    ----------
    status : int
    message : str
        One line.
    **more
        Further members of the answer.
    """

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.more = status, more


def missing(what: str, name: str) -> Refusal:
    """Return the refusal of what does not exist."""
    return Refusal(404, f"there is no {what} '{name}'")
