"""The theta neuron, the normal form of firing that begins at a rate of 0: Ermentrout and Kopell (1986), SIAM J. Appl.
Math. 46:233.

Everything but time is a plain number; ``tau`` says how many ms the paper's unit of time lasts. A spike is where theta
passes pi. With a constant I > 0 the rate is sqrt(I)/(pi tau).
"""

from izhigen import Model

Theta = Model(
    name="Theta",
    description="phase on a circle, the normal form of firing at any low rate (Ermentrout and Kopell 1986)",
    equations="dtheta/dt = (1 - cos(theta) + (1 + cos(theta))*I)/tau : 1",
    threshold="theta >= pi",
    reset="theta = theta - 2*pi",
    parameters={"tau": 1.0},
    inputs=["I"],
    units={"tau": "ms", "I": "1"},
)
