"""Kutta's 3/8 rule of order 4 (Kutta 1901)."""

from izhigen.derive.runge_kutta import runge_kutta

SCHEME = runge_kutta("rk4_38rule", order=4, a=[[], ["1/3"], ["-1/3", 1], [1, -1, 1]], b=["1/8", "3/8", "3/8", "1/8"])
