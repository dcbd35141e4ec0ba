"""The cheapest sequence of states through time."""

from __future__ import annotations

import numpy as np

from diffsign.geometry.arrays import Floats, Indices


def cheapest_path(cost: Floats, change: Floats) -> Indices:
    """Return the states (T,) whose costs and changes are least in sum, by Viterbi's algorithm (1967).

    Of equally cheap paths the one with the lowest numbers is taken, from the last state backwards.

    Args:
        cost: (T, C) of being in each of C states.
        change: (T − 1, C, C), or anything that broadcasts to it: entry (t, i, j) is the cost of going from state i
            at t to state j at t + 1.

    >>> cheapest_path(np.array([[0.0, 1], [5, 0], [0, 1]]), np.array([[0.0, 3], [3, 0]])).tolist()
    [1, 1, 1]
    """
    states = cost.shape[1]
    change = np.broadcast_to(change, (len(cost) - 1, states, states))
    total = cost[0]
    origins: list[Indices] = []
    for t in range(1, len(cost)):
        ways = total[:, None] + change[t - 1]
        origins.append(ways.argmin(axis=0))
        total = ways.min(axis=0) + cost[t]
    path = [int(total.argmin())]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return np.array(path[::-1], dtype=np.intp)
