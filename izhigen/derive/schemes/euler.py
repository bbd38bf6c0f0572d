"""Forward Euler."""

from izhigen.derive.runge_kutta import runge_kutta

SCHEME = runge_kutta("euler", order=1, a=[[]], b=[1])
