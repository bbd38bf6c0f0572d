"""Izhikevich's neuron in physical units: Izhikevich (2007), "Dynamical Systems in Neuroscience", MIT Press, chapter 8.

``izhikevich2007`` has the regular spiking cell's values; ``izhikevich2007_RS`` and the others are the cells that the
chapter fits to recordings: RS, regular spiking (figure 8.12), IB, intrinsically bursting (8.19), CH, chattering (8.23),
LTS, low-threshold spiking (8.25), FS, fast spiking (8.27), TC, thalamocortical relay (8.31), RTN, reticular thalamic
(8.32). In LTS and TC the peak and the reset of v move with u, by ``peak_u`` and ``reset_u``.
"""

from izhigen import Model

izhikevich2007 = Model(
    name="izhikevich2007",
    description="Izhikevich's neuron in physical units, a regular spiking pyramidal cell of layer 5 (Izhikevich 2007)",
    equations="""
        dv/dt = (k*(v - v_r)*(v - v_t) - u + I)/C : mV     # membrane potential
        du/dt = a*(b*(v - v_r) - u)               : pA     # recovery current
    """,
    threshold="v >= v_peak",
    reset="v = c; u = u + d",
    parameters={
        "C": 100.0,
        "k": 0.7,
        "v_r": -60.0,
        "v_t": -40.0,
        "v_peak": 35.0,
        "a": 0.03,
        "b": -2.0,
        "c": -50.0,
        "d": 100.0,
    },
    inputs=["I"],
    initial={"v": "v_r", "u": 0.0},
    units={
        "C": "pF",
        "k": "pA/mV**2",
        "v_r": "mV",
        "v_t": "mV",
        "v_peak": "mV",
        "a": "1/ms",
        "b": "pA/mV",
        "c": "mV",
        "d": "pA",
        "I": "pA",
    },
)

izhikevich2007_RS = izhikevich2007.variant(
    "izhikevich2007_RS", description="regular spiking pyramidal cell of layer 5 (Izhikevich 2007)"
)

izhikevich2007_IB = izhikevich2007.variant(
    "izhikevich2007_IB",
    description="intrinsically bursting pyramidal cell of layer 5 (Izhikevich 2007)",
    C=150.0,
    k=1.2,
    v_r=-75.0,
    v_t=-45.0,
    v_peak=50.0,
    a=0.01,
    b=5.0,
    c=-56.0,
    d=130.0,
)

izhikevich2007_CH = izhikevich2007.variant(
    "izhikevich2007_CH",
    description="chattering cell of the cat's visual cortex (Izhikevich 2007)",
    C=50.0,
    k=1.5,
    v_peak=25.0,
    b=1.0,
    c=-40.0,
    d=150.0,
)

izhikevich2007_LTS = izhikevich2007.variant(
    "izhikevich2007_LTS",
    description="low-threshold spiking interneuron of the rat's barrel cortex (Izhikevich 2007)",
    threshold="v >= v_peak + peak_u*u",
    reset="v = c + reset_u*u; u = min(u + d, u_max)",
    units={"peak_u": "mV/pA", "reset_u": "mV/pA", "u_max": "pA"},
    v_r=-56.0,
    v_t=-42.0,
    k=1.0,
    v_peak=40.0,
    b=8.0,
    c=-53.0,
    d=20.0,
    peak_u=-0.1,
    reset_u=0.04,
    u_max=670.0,
)

izhikevich2007_FS = izhikevich2007.variant(
    "izhikevich2007_FS",
    description="fast spiking interneuron of layer 5 of the rat's visual cortex (Izhikevich 2007)",
    equations="""
        dv/dt = (k*(v - v_r)*(v - v_t) - u + I)/C                  : mV
        du/dt = a*(where(v < v_b, 0, b*(v - v_b)**3) - u)          : pA
    """,
    reset="v = c",
    units={"b": "pA/mV**3", "v_b": "mV"},
    C=20.0,
    k=1.0,
    v_r=-55.0,
    v_peak=25.0,
    a=0.2,
    b=0.025,
    v_b=-55.0,
    c=-45.0,
)

_THALAMIC = """
    dv/dt = (k*(v - v_r)*(v - v_t) - u + I)/C                      : mV
    du/dt = a*(where(v <= v_b, b, b_above)*(v - v_b) - u)          : pA  # v_b is where b changes
"""

izhikevich2007_TC = izhikevich2007.variant(
    "izhikevich2007_TC",
    description="thalamocortical relay cell of the cat's lateral geniculate nucleus (Izhikevich 2007)",
    equations=_THALAMIC,
    threshold="v >= v_peak + peak_u*u",
    reset="v = c + reset_u*u; u = u + d",
    units={"b_above": "pA/mV", "v_b": "mV", "peak_u": "mV/pA", "reset_u": "mV/pA"},
    C=200.0,
    k=1.6,
    v_t=-50.0,
    a=0.01,
    b=15.0,
    b_above=0.0,
    v_b=-65.0,
    c=-60.0,
    d=10.0,
    peak_u=0.1,
    reset_u=-0.1,
)

izhikevich2007_RTN = izhikevich2007.variant(
    "izhikevich2007_RTN",
    description="cell of the reticular thalamic nucleus of the rat (Izhikevich 2007)",
    equations=_THALAMIC,
    units={"b_above": "pA/mV", "v_b": "mV"},
    C=40.0,
    k=0.25,
    v_r=-65.0,
    v_t=-45.0,
    v_peak=0.0,
    a=0.015,
    b=10.0,
    b_above=2.0,
    v_b=-65.0,
    c=-55.0,
    d=50.0,
)
