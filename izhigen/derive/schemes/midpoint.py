"""The explicit midpoint rule (Runge 1895)."""

from izhigen.derive.runge_kutta import runge_kutta

SCHEME = runge_kutta("midpoint", order=2, a=[[], ["1/2"]], b=[0, 1])
