"""Synapses and their outputs, as parts for ``model.with_part(**iz.part("Expon", output="COBA"))``.

Names, parameters and the order of a step are those of BrainPy's classes. Each synapse is driven by ``pre``, the spikes
that arrive in a step, and has ``g``, which is what BrainPy's ``update`` returns: a conductance, or for ``STD`` and
``STP`` the efficacy that scales one. An output makes the current of it, ``weight`` of which is that of one unit of g,
and brings the unit that the current is to have.

``AMPA``, ``GABAa`` and ``BioNMDA`` open in the step in which a spike arrives, so their ``pre`` is an input that the
equations read; that of the others acts on the states after integration (``on_event``).

References: Dayan and Abbott (2001), "Theoretical Neuroscience", chapter 5 (Expon, Alpha, DualExpon, DualExponV2);
Destexhe, Mainen and Sejnowski (1994), Neural Comput. 6:14 (AMPA, GABAa); Gabbiani, Midtgaard and Knöpfel (1994),
J. Neurophysiol. 72:999 (NMDA); Destexhe, Mainen and Sejnowski (1994), J. Comput. Neurosci. 1:195 (BioNMDA); Tsodyks,
Pawelzik and Markram (1998), Neural Comput. 10:821 (STD, STP); Brette et al. (2007), J. Comput. Neurosci. 23:349 (COBA,
CUBA); Jahr and Stevens (1990), J. Neurosci. 10:3178 (MgBlock).
"""

from izhigen import Event

_LONG_AGO = -1e7
"""ms at which the last spike arrived, before any has."""
_OPEN = "where(pre > 0, 0, t - spike_arrival_time) < T_dur"
"""Whether transmitter is there: for T_dur from the start of the step in which a spike arrives."""
_ARRIVAL = {"arrival": Event("pre > 0", "spike_arrival_time = t")}

Expon = {
    "description": "conductance that a spike raises, and that decays (Dayan and Abbott 2001)",
    "equations": "dg/dt = -g/tau : 1",
    "on_event": {"pre": "g = g + pre"},
    "parameters": {"tau": 8.0},
    "units": {"tau": "ms", "pre": "1"},
}

Alpha = {
    "description": "conductance that rises and decays with one time constant, alpha function (Dayan and Abbott 2001)",
    "equations": """
        dh/dt = -h/tau_decay    : 1
        dg/dt = (h - g)/tau_decay : 1
    """,
    "on_event": {"pre": "h = h + pre"},
    "parameters": {"tau_decay": 10.0},
    "units": {"tau_decay": "ms", "pre": "1"},
}

_BIEXPONENTIAL_UNITS = {"tau_decay": "ms", "tau_rise": "ms", "pre": "1"}

DualExpon = {
    "description": "conductance with a time constant of the rise and one of the decay (Dayan and Abbott 2001)",
    "equations": """
        a = (tau_rise/tau_decay)**(tau_rise/(tau_rise - tau_decay))/tau_rise : 1/ms  # a spike alone has its peak at 1
        dh/dt = -h/tau_rise      : 1/ms
        dg/dt = -g/tau_decay + h : 1
    """,
    "on_event": {"pre": "h = h + a*pre"},
    "parameters": {"tau_decay": 10.0, "tau_rise": 1.0},
    "units": _BIEXPONENTIAL_UNITS,
}

DualExponV2 = {
    "description": "DualExpon as the difference of two exponentials (Dayan and Abbott 2001)",
    "equations": """
        a = tau_decay/(tau_decay - tau_rise)*(tau_rise/tau_decay)**(tau_rise/(tau_rise - tau_decay)) : 1
        dg_rise/dt = -g_rise/tau_rise    : 1
        dg_decay/dt = -g_decay/tau_decay : 1
        g = a*(g_decay - g_rise)         : 1
    """,
    "on_event": {"pre": "g_rise = g_rise + pre; g_decay = g_decay + pre"},
    "parameters": {"tau_decay": 10.0, "tau_rise": 1.0},
    "units": _BIEXPONENTIAL_UNITS,
}

NMDA = {
    "description": "conductance that saturates, opened slowly after a spike (Gabbiani 1994)",
    "equations": """
        dg/dt = -g/tau_decay + a*x*(1 - g) : 1
        dx/dt = -x/tau_rise                : 1
    """,
    "on_event": {"pre": "x = x + pre"},
    "parameters": {"a": 0.5, "tau_decay": 100.0, "tau_rise": 2.0},
    "units": {"a": "1/ms", **_BIEXPONENTIAL_UNITS},
}

_BOUND = {
    "equations": f"""
        transmitter = where({_OPEN}, T, 0)           : mM
        dg/dt = alpha*transmitter*(1 - g) - beta*g : 1
        dspike_arrival_time/dt = 0                   : ms
    """,
    "inputs": ["pre"],
    "events": _ARRIVAL,
    "initial": {"spike_arrival_time": _LONG_AGO},
    "units": {"alpha": "1/(ms*mM)", "beta": "1/ms", "T": "mM", "T_dur": "ms", "pre": "1"},
}

AMPA = {
    "description": "fast excitation, a receptor that transmitter binds to for T_dur after a spike (Destexhe 1994)",
    **_BOUND,
    "parameters": {"alpha": 0.98, "beta": 0.18, "T": 0.5, "T_dur": 0.5},
}

GABAa = {
    "description": "fast inhibition, a receptor that transmitter binds to for T_dur after a spike (Destexhe 1994)",
    **_BOUND,
    "parameters": {"alpha": 0.53, "beta": 0.18, "T": 1.0, "T_dur": 1.0},
}

BioNMDA = {
    "description": "slow excitation, a receptor that transmitter opens in two steps (Destexhe 1994)",
    "equations": f"""
        transmitter = where({_OPEN}, T, 0)             : mM
        dg/dt = alpha1*x*(1 - g) - beta1*g           : 1
        dx/dt = alpha2*transmitter*(1 - x) - beta2*x : 1
        dspike_arrival_time/dt = 0                     : ms
    """,
    "inputs": ["pre"],
    "events": _ARRIVAL,
    "parameters": {"alpha1": 2.0, "beta1": 0.01, "alpha2": 1.0, "beta2": 0.5, "T": 1.0, "T_dur": 0.5},
    "initial": {"spike_arrival_time": _LONG_AGO},
    "units": {
        "alpha1": "1/ms",
        "beta1": "1/ms",
        "alpha2": "1/(ms*mM)",
        "beta2": "1/ms",
        "T": "mM",
        "T_dur": "ms",
        "pre": "1",
    },
}

STD = {
    "description": "depression, the efficacy that spikes use up (Tsodyks 1998)",
    "equations": """
        dx/dt = (1 - x)/tau : 1
        g = x               : 1
    """,
    "on_event": {"pre": "x = x - pre*U*old(x)"},
    "parameters": {"tau": 200.0, "U": 0.07},
    "initial": {"x": 1.0},
    "units": {"tau": "ms", "U": "1", "pre": "1"},
}

STP = {
    "description": "depression and facilitation, the efficacy that spikes use up and raise (Tsodyks 1998)",
    "equations": """
        du/dt = -u/tau_f      : 1
        dx/dt = (1 - x)/tau_d : 1
        g = u*x               : 1
    """,
    "on_event": {"pre": "u = u + pre*U*(1 - u); x = x - pre*new(u)*x"},
    "parameters": {"U": 0.15, "tau_f": 1500.0, "tau_d": 200.0},
    "initial": {"u": "U", "x": 1.0},
    "units": {"U": "1", "tau_f": "ms", "tau_d": "ms", "pre": "1"},
}

COBA = {
    "description": "output, the current of a conductance (Brette 2007)",
    "current": "weight*g*(E - V)",
    "parameters": {"weight": 1.0, "E": 0.0},
    "units": {"E": "mV"},
}

CUBA = {
    "description": "output, a current in proportion to g (Brette 2007)",
    "current": "weight*g",
    "parameters": {"weight": 1.0},
}

MgBlock = {
    "description": "output, COBA with a block by magnesium that depends on V (Jahr and Stevens 1990)",
    "current": "weight*g*(E - V)/(1 + cc_Mg/beta*exp(alpha*(V_offset - V)))",
    "parameters": {"weight": 1.0, "E": 0.0, "cc_Mg": 1.2, "alpha": 0.062, "beta": 3.57, "V_offset": 0.0},
    "units": {"E": "mV", "cc_Mg": "mM", "alpha": "1/mV", "beta": "mM", "V_offset": "mV"},
}
