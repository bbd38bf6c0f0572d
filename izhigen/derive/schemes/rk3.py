"""Kutta's method of order 3 (Kutta 1901)."""

from izhigen.derive.runge_kutta import runge_kutta

SCHEME = runge_kutta("rk3", order=3, a=[[], ["1/2"], [-1, 2]], b=["1/6", "2/3", "1/6"])
