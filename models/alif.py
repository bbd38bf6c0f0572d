"""A leaky integrate-and-fire neuron whose threshold rises with each spike: Bellec et al. (2020), Nat. Commun. 11:3625.

As there, V is in units of its threshold at rest, V_th is taken off it at a spike, and the refractory period mutes the
neuron without holding V. ``beta`` is what a spike adds to the threshold, at the paper's 1.7 (1 - exp(-1/tau_a))/(1 -
exp(-1/tau)) for its steps of 1 ms.
"""

from izhigen import Model

ALIF = Model(
    name="ALIF",
    description="leaky integrate-and-fire neuron whose threshold rises with each spike (Bellec 2020)",
    equations="""
        dV/dt = (I - V)/tau : 1
        da/dt = -a/tau_a    : 1  # spikes, fading
    """,
    threshold="V >= V_th + beta*a",
    reset="V = V - V_th; a = a + 1",
    parameters={"V_th": 1.0, "beta": 0.174, "tau": 20.0, "tau_a": 200.0},
    inputs=["I"],
    units={"V_th": "1", "beta": "1", "tau": "ms", "tau_a": "ms", "I": "1"},
).with_refractory(tau_ref=5.0, hold=())
