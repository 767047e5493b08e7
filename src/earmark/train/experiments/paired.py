"""Whether one system is better than another on the same folds, or only luckier."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

# Beyond as many differences, signs are drawn.
_MOST_EXACT = 14
_DRAWS = 20_000


def sign_flip_p(differences: Sequence[float]) -> float:
    """Return the p-value of paired differences, two-sided: Fisher's permutation test.

    If neither is better, each difference could as well have the other sign.  The value is the share of all
    patterns of signs whose mean is at least as far from 0; beyond 14 differences, of 20,000 drawn ones and
    the one at hand.  Folds share what is learned, so that it is a little too small.

    Parameters
    ----------
    differences : sequence of float
        At least one.
    """
    values = np.asarray(differences, np.float64)
    n = len(values)
    if n <= _MOST_EXACT:
        signs = np.array(list(product((1, -1), repeat=n)))
    else:
        drawn = np.random.default_rng(0).choice((1, -1), (_DRAWS, n))
        signs = np.concatenate([np.ones((1, n)), drawn])
    means = np.abs(signs @ values)
    return float((means >= means[0] - 1e-9).mean())
