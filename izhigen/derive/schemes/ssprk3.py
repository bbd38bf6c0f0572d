"""The strong-stability-preserving method of order 3 (Shu and Osher 1988, J. Comput. Phys. 77:439)."""

from izhigen.derive.runge_kutta import runge_kutta

SCHEME = runge_kutta("ssprk3", order=3, a=[[], [1], ["1/4", "1/4"]], b=["1/6", "1/6", "2/3"])
