"""Two variables that are excitable as the squid axon is: FitzHugh (1961), Biophys. J. 1:445; as a circuit, Nagumo,
Arimoto and Yoshizawa (1962), Proc. IRE 50:2061.

Everything but time is a plain number; ``tau_V`` says how many ms the papers' unit of time lasts. V, w and I have the
signs of Izhikevich (2007), "Dynamical Systems in Neuroscience": a positive I excites.
"""

from izhigen import Model

FitzHughNagumo = Model(
    name="FitzHughNagumo",
    description="two variables that are excitable as the squid axon is (FitzHugh 1961)",
    equations="""
        dV/dt = (V - V**3/3 - w + I)/tau_V : 1
        dw/dt = (V + a - b*w)/tau_w        : 1
    """,
    threshold="V >= V_th",
    parameters={"a": 0.7, "b": 0.8, "tau_V": 1.0, "tau_w": 12.5, "V_th": 1.0},
    inputs=["I"],
    initial={"V": -1.1994080352440044, "w": -0.6242600440550055},
    units={"a": "1", "b": "1", "tau_V": "ms", "tau_w": "ms", "V_th": "1", "I": "1"},
)
