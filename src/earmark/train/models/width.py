"""Narrower forms of published networks, for little data or a slow machine."""

from __future__ import annotations

import inspect

from earmark.train.models.registry import ARCHITECTURES

# Options that are numbers of channels, and what all of these are multiples of.
_CHANNELS, _MULTIPLE = ("channels", "stop", "width", "filters"), 8


def narrowed(name: str, share: float) -> dict[str, int]:
    """Return the options of an architecture with a share of its channels.

    Parameters
    ----------
    name : str
        A name in `ARCHITECTURES`.
    share : float
        Above 0; 1 leaves it as it is.

    Returns
    -------
    dict
        Multiples of 8, of 32 with sub-bands, whose four shares are alike.
    """
    if share == 1:
        return {}
    arch = ARCHITECTURES[name]
    multiple = 4 * _MULTIPLE if arch.options.get("sub_bands") else _MULTIPLE
    keywords = inspect.signature(arch.build).parameters
    defaults = {**{key: keyword.default for key, keyword in keywords.items()}, **arch.options}
    return {
        key: max(multiple, round(share * defaults[key] / multiple) * multiple)
        for key in _CHANNELS
        if defaults.get(key)
    }
