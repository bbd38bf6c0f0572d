"""Models that tests name on the command line."""

from izhigen import Model

grows = Model("Grows", "dV/dt = V**2", initial={"V": 1.0})
