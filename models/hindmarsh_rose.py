"""Three variables that burst: Hindmarsh and Rose (1984), Proc. R. Soc. Lond. B 221:87.

Everything but time is a plain number; ``tau`` says how many ms the paper's unit of time lasts. x is the potential.
"""

from izhigen import Model

HindmarshRose = Model(
    name="HindmarshRose",
    description="three variables that burst (Hindmarsh and Rose 1984)",
    equations="""
        dx/dt = (y - a*x**3 + b*x**2 - z + I)/tau : 1
        dy/dt = (c - d*x**2 - y)/tau              : 1
        dz/dt = r*(s*(x - x_rest) - z)/tau        : 1
    """,
    threshold="x >= x_th",
    parameters={
        "a": 1.0,
        "b": 3.0,
        "c": 1.0,
        "d": 5.0,
        "r": 0.006,
        "s": 4.0,
        "x_rest": -1.6,
        "x_th": 1.0,
        "tau": 1.0,
    },
    inputs=["I"],
    initial={"x": "x_rest", "y": "c - d*x**2"},
    units={
        **dict.fromkeys(("a", "b", "c", "d", "r", "s", "x_rest", "x_th", "I"), "1"),
        "tau": "ms",
    },
)
