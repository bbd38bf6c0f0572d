"""Ralston's method of order 4, with the least error bound (Ralston 1962, Math. Comp. 16:431), in exact surds."""

from izhigen.derive.runge_kutta import runge_kutta

SCHEME = runge_kutta(
    "ralston4",
    order=4,
    a=[
        [],
        ["2/5"],
        ["(-2889 + 1428*sqrt(5))/1024", "(3785 - 1620*sqrt(5))/1024"],
        ["(-3365 + 2094*sqrt(5))/6040", "(-975 - 3046*sqrt(5))/2552", "(467040 + 203968*sqrt(5))/240845"],
    ],
    b=[
        "(263 + 24*sqrt(5))/1812",
        "(125 - 1000*sqrt(5))/3828",
        "1024*(3346 + 1623*sqrt(5))/5924787",
        "(30 - 4*sqrt(5))/123",
    ],
)
