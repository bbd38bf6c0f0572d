"""Heun's method of order 2, the explicit trapezoidal rule."""

from izhigen.derive.runge_kutta import runge_kutta

SCHEME = runge_kutta("heun2", order=2, a=[[], [1]], b=["1/2", "1/2"])
