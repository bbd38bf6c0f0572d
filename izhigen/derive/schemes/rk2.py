"""The generic two-stage method of order 2 with node beta = 2/3, BrainPy's default for this name."""

from izhigen.derive.runge_kutta import runge_kutta

SCHEME = runge_kutta("rk2", order=2, a=[[], ["2/3"]], b=["1/4", "3/4"])
