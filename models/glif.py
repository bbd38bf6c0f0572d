"""The five generalized integrate-and-fire neurons of the Allen Institute: Teeter et al. (2018), Nat. Commun. 9:709.

1, leaky integrate-and-fire; 2, with a threshold that a spike raises and a reset that keeps some of V; 3, with currents
after a spike; 4, with both; 5, with a threshold that follows V besides. Values are those of cell 490626718 of the Allen
Cell Types Database, as in NEST's ``glif_psc``. Nothing changes during the refractory period, and what a spike leaves is
what is there at its end.
"""

from izhigen import Model

_Leaky = Model(
    name="GLIF1",
    description="leaky integrate-and-fire (Teeter 2018)",
    equations="dV/dt = (I - g*(V - E_L))/C : mV",
    threshold="V >= V_th",
    reset="V = E_L",
    parameters={"C": 58.72, "g": 9.43, "E_L": -78.85, "V_th": -51.68},
    inputs=["I"],
    initial={"V": "E_L"},
    units={"C": "pF", "g": "nS", "E_L": "mV", "V_th": "mV", "I": "pA"},
).with_refractory(tau_ref=3.75)

_KeepsV = _Leaky.variant(
    reset="V = E_L + f_V*(V - E_L) + delta_V", units={"f_V": "1", "delta_V": "mV"}, f_V=0.2, delta_V=18.51
)

_SPIKE_THRESHOLD = {
    "equations": "dtheta_s/dt = -b_s*theta_s : mV",
    "reset": "theta_s = theta_s*exp(-b_s*tau_ref) + delta_s",
    "parameters": {"b_s": 0.009, "delta_s": 0.37},
    "units": {"b_s": "1/ms", "delta_s": "mV"},
}

_AFTER_SPIKE_CURRENTS = {
    "equations": """
        dI_1/dt = -k_1*I_1 : pA
        dI_2/dt = -k_2*I_2 : pA
    """,
    "current": "I_1 + I_2",
    "held": False,
    "reset": "I_1 = f_1*I_1*exp(-k_1*tau_ref) + delta_1; I_2 = f_2*I_2*exp(-k_2*tau_ref) + delta_2",
    "parameters": {"k_1": 0.003, "k_2": 0.1, "f_1": 1.0, "f_2": 1.0, "delta_1": -9.18, "delta_2": -198.94},
    "units": {"k_1": "1/ms", "k_2": "1/ms", "f_1": "1", "f_2": "1", "delta_1": "pA", "delta_2": "pA"},
}

_VOLTAGE_THRESHOLD = {
    "equations": "dtheta_v/dt = a_v*(V - E_L) - b_v*theta_v : mV",
    "parameters": {"a_v": 0.005, "b_v": 0.09},
    "units": {"a_v": "1/ms", "b_v": "1/ms"},
}


def _glif(name, what, model, threshold="V >= V_th"):
    """A model under its own name and threshold, all states of which stand still while it is refractory."""
    named = model.variant(name, description=f"{what} (Teeter 2018)", threshold=threshold)
    return named.with_refractory(3.75, hold=named.states)


GLIF1 = _glif("GLIF1", "leaky integrate-and-fire", _Leaky)

GLIF2 = _glif(
    "GLIF2",
    "leaky integrate-and-fire with a threshold that spikes raise",
    _KeepsV.with_part(**_SPIKE_THRESHOLD),
    "V >= V_th + theta_s",
)

GLIF3 = _glif("GLIF3", "leaky integrate-and-fire with after-spike currents", _Leaky.with_part(**_AFTER_SPIKE_CURRENTS))

_Both = _KeepsV.with_part(**_SPIKE_THRESHOLD).with_part(**_AFTER_SPIKE_CURRENTS)

GLIF4 = _glif(
    "GLIF4",
    "leaky integrate-and-fire with after-spike currents and a threshold that spikes raise",
    _Both,
    "V >= V_th + theta_s",
)

GLIF5 = _glif(
    "GLIF5",
    "leaky integrate-and-fire with after-spike currents and a threshold that follows spikes and V",
    _Both.with_part(**_VOLTAGE_THRESHOLD),
    "V >= V_th + theta_s + theta_v",
)
