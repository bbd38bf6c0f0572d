"""The classical method of order 4 (Kutta 1901)."""

from izhigen.derive.runge_kutta import runge_kutta

SCHEME = runge_kutta("rk4", order=4, a=[[], ["1/2"], [0, "1/2"], [0, 0, 1]], b=["1/6", "1/3", "1/3", "1/6"])
