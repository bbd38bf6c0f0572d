"""Ralston's method of order 2, with the least error bound (Ralston 1962, Math. Comp. 16:431)."""

from izhigen.derive.runge_kutta import runge_kutta

SCHEME = runge_kutta("ralston2", order=2, a=[[], ["2/3"]], b=["1/4", "3/4"])
