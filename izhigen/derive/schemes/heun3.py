"""Heun's method of order 3 (Heun 1900)."""

from izhigen.derive.runge_kutta import runge_kutta

SCHEME = runge_kutta("heun3", order=3, a=[[], ["1/3"], [0, "2/3"]], b=["1/4", 0, "3/4"])
