"""Ralston's method of order 3 (Ralston 1962, Math. Comp. 16:431)."""

from izhigen.derive.runge_kutta import runge_kutta

SCHEME = runge_kutta("ralston3", order=3, a=[[], ["1/2"], [0, "3/4"]], b=["2/9", "1/3", "4/9"])
