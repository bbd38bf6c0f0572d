"""Models of tests: for the command line, and those that verify has to be right about."""

from izhigen import Model, load

grows = Model("Grows", "dV/dt = V**2", initial={"V": 1.0})
decay = Model("Decay", "dx/dt = -x/tau", parameters={"tau": 10.0}, initial={"x": 1.0})
LIF = Model(
    "LIF",
    "dV/dt = (E - V + R*I)/tau",
    threshold="V >= V_th",
    reset="V = E",
    parameters={"E": -65.0, "R": 10.0, "tau": 10.0, "V_th": -50.0},
    inputs=["I"],
    initial={"V": "E"},
)
noisy = load("RS").with_noise(V=0.1)
HH = Model(
    "HH",
    """
    a_m = 0.1*(V + 40)/(1 - exp(-(V + 40)/10))
    a_n = 0.01*(V + 55)/(1 - exp(-(V + 55)/10))
    a_h = 0.07*exp(-(V + 65)/20)
    dV/dt = 120*m**3*h*(50 - V) + 36*n**4*(-77 - V) + 0.3*(-54.4 - V) + I
    dm/dt = a_m*(1 - m) - 4*exp(-(V + 65)/18)*m
    dh/dt = a_h*(1 - h) - h/(1 + exp(-(V + 35)/10))
    dn/dt = a_n*(1 - n) - 0.125*exp(-(V + 65)/80)*n
    """,
    threshold="V >= 0",
    trigger="rising",
    inputs=["I"],
    initial={"V": -65.0, "m": 0.05, "h": 0.6, "n": 0.32},
)
