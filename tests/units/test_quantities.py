"""Numbers that bring a unit: text, pint's, astropy's and Brian2's, wherever a model and a population take numbers."""

from functools import cache

import numpy as np
import pytest

import izhigen as iz
from izhigen import Model
from izhigen.errors import EquationError, IzhigenError, ModelError, ValueShapeError
from izhigen.units.quantities import plain, read_text

LIF = Model(
    "LIF",
    "dV/dt = (gL*(EL - V) + I)/C : mV",
    "V >= VT",
    "V = EL",
    {"gL": "10*nS", "EL": "-70*mV", "VT": "-50*mV", "C": "0.2*nF"},
    ["I"],
    {"V": "EL"},
    units={"I": "pA", "C": "pF"},
    strict_units=True,
)


class OfBrian2(np.ndarray):
    """What a quantity of Brian2 has: numbers in SI base units, and the exponents of seven dimensions."""

    def __new__(cls, value, dims):
        new = np.asarray(value, float).view(cls)
        new.dim = type("Dimension", (), {"_dims": dims})()
        return new


@cache
def registry():
    return pytest.importorskip("pint").UnitRegistry()


def of_pint(value, unit):
    return registry().Quantity(value, unit)


def of_astropy(value, unit):
    units = pytest.importorskip("astropy.units")
    return value * units.Unit(unit)


def of_brian2(value, unit):
    dims = {"ms": (0, 0, 1, 0, 0, 0, 0), "pA": (0, 0, 0, 1, 0, 0, 0), "nA": (0, 0, 0, 1, 0, 0, 0)}
    dims |= {"nF": (-2, -1, 4, 2, 0, 0, 0), "mV": (2, 1, -3, -1, 0, 0, 0), "V": (2, 1, -3, -1, 0, 0, 0)}
    scale = {"m": 1e-3, "p": 1e-12, "n": 1e-9}.get(unit[0] if len(unit) > 1 else "", 1.0)
    return OfBrian2(np.asarray(value) * scale, dims[unit])


MAKERS = [of_pint, of_astropy, of_brian2]


def test_text_is_read_and_converted():
    assert dict(LIF.parameters) == {"gL": 10.0, "EL": -70.0, "VT": -50.0, "C": 200.0}
    assert LIF.unit_of("gL") == "nS" and LIF.unit_of("C") == "pF"
    assert LIF.variant("Other", C="1e-4*uF").parameters["C"] == 100.0
    assert LIF.with_current("g*(E - V)", ["g"], E="0*mV", units={"g": "nS"}).unit_of("E") == "mV"
    assert LIF.with_refractory("0.002*s").parameters["tau_ref"] == 2.0
    assert Model("A", "dx/dt = -x/tau", parameters={"tau": "10*ms", "k": "3"}).unit_of("k") == ""
    assert read_text("0.7*pA/mV**2", "k") == (0.7, "pA/mV**2") and read_text(" -1.5e3 / ms ", "k") == (-1500.0, "1/ms")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10 ms", "not a real number, nor one with a unit"),
        ("ms", "not a real number"),
        ("10*mx", "unknown unit 'mx'"),
        ("10*", "not a real number"),
        ("1e999*pF", "not finite"),
        ("10*ms*(", "is not a unit"),
        ("__import__('os')", "not a real number"),
        ("1" * 400, "not a real number"),
        ("10*pA", "given in pA, and its unit is pF"),
    ],
)
def test_other_text_is_refused(text, message):
    with pytest.raises((ModelError, EquationError), match=message):
        LIF.variant("Other", C=text)


@pytest.mark.parametrize("make", MAKERS)
def test_quantities_are_numbers_in_the_unit_of_the_model(make):
    assert LIF.variant("Other", C=make(0.3, "nF")).parameters["C"] == pytest.approx(300.0, rel=1e-15)
    pop = LIF.population(3, C=make(np.array([0.1, 0.2, 0.3]), "nF"), V=make(-0.065, "V"), dt=make(0.05, "ms"))
    np.testing.assert_allclose(pop.C, [100.0, 200.0, 300.0], rtol=1e-6)
    assert pop.dt == 0.05 and pop.V[0] == -65.0
    pop.C = make(0.25, "nF")
    assert pop.C == 250.0
    pop.reset()
    plainly = LIF.population(3, C=250.0, V=-65.0, dt=0.05)
    found = pop.run(make(20.0, "ms"), I=make(np.full(3, 0.6), "nA"), V_delta=make(1.0, "mV"), record=["V"])
    expected = plainly.run(20.0, I=np.full(3, 600.0), V_delta=1.0, record=["V"])
    np.testing.assert_allclose(found["V"], expected["V"], rtol=1e-6)
    assert pop.step(I=make(0.1, "nA")).shape == (3,)
    drawn = LIF.population(4, C=lambda n, rng: make(np.full(n, 0.1), "nF"))
    np.testing.assert_allclose(drawn.C, 100.0, rtol=1e-6)


@pytest.mark.parametrize("make", MAKERS)
def test_quantities_of_another_dimension_are_refused(make):
    with pytest.raises(ValueShapeError, match=r"C is given in .*, and its unit is pF"):
        LIF.population(1, C=make(1.0, "mV"))
    with pytest.raises(ValueShapeError, match=r"input I is given in .*, and its unit is pA"):
        LIF.population(1).run(1.0, I=make(1.0, "mV"))
    with pytest.raises(IzhigenError, match="its unit is ms"):
        LIF.population(1).run(make(1.0, "mV"))
    with pytest.raises(ModelError, match="given in"):
        LIF.variant("Other", gL=make(1.0, "mV"))
    bare = Model("A", "dx/dt = -x/tau + I", parameters={"tau": 10.0}, inputs=["I"])
    with pytest.raises(ValueShapeError, match="the model says of no unit; give it one, or a plain number"):
        bare.population(1, tau=make(1.0, "ms"))


@pytest.mark.parametrize("make", MAKERS)
def test_nothing_takes_a_unit_for_a_number(make):
    quantity = make(10.0, "ms")
    for call in (
        lambda: iz.inputs.ramp(0.0, 1.0, quantity),
        lambda: iz.inputs.section([1.0], [quantity]),
        lambda: iz.sweep(LIF, {"C": make(np.array([1.0, 2.0]), "nF")}, 10.0),
        lambda: iz.inputs.from_array(make(np.ones((3, 1)), "nA")),
    ):
        with pytest.raises(IzhigenError):
            call()


def test_units_of_pint_that_are_no_powers_of_ten_and_others():
    assert plain(of_pint(2.0, "minute"), "ms", "x") == pytest.approx(120_000.0)
    assert plain(of_pint(1.0, "radian"), "1", "x") == pytest.approx(1.0)
    with pytest.raises(ModelError, match="cannot be read"):
        plain(of_pint(1.0, "candela"), "mV", "x")
    assert plain(np.arange(3), "mV", "x") is not None and plain(2.5, "", "x") == 2.5


def test_brian2_itself():
    b2 = pytest.importorskip("brian2", exc_type=Exception)
    pop = LIF.population(2, C=[100, 200] * b2.pF, V=-65 * b2.mV, dt=0.1 * b2.ms)
    np.testing.assert_allclose(pop.C, [100.0, 200.0], rtol=1e-6)
    assert plain(10 * b2.ms, "ms", "x") == 10.0
