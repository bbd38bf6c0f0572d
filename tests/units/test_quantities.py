"""Numbers that bring a unit: text, pint's, astropy's and Brian2's, wherever a model and a population take numbers."""

from decimal import Decimal
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
        lambda: iz.inputs.from_array(make(np.ones((3, 1)), "nA")),
        lambda: iz.inputs.from_array([make(1.0, "nA")] * 3, 0.1),
        lambda: iz.inputs.section([[make(1.0, "nA")] * 2], [10.0]),
        lambda: iz.inputs.poisson([make(0.01, "nA")] * 2),
        lambda: iz.inputs.spikes([make(0.01, "ms")], [0]),
        lambda: iz.inputs.spike_train([1.0], [quantity], 1.0, 10.0),
        lambda: iz.distributions.normal(make(1.0, "nF"), make(0.1, "nF")),
        lambda: LIF.population(2).run(1.0, neurons=make(np.array([0, 1]), "ms")),
        lambda: LIF.step_function(backend="numpy")({"V": make(np.array([-65.0]), "mV")}, {}),
        lambda: LIF.step_function(backend="numpy")({"V": np.array([-65.0])}, {"I": [make(1.0, "nA")]}),
        lambda: LIF.scaled((make(-70.0, "mV"), make(-50.0, "mV")), (0.0, 1.0)),
    ):
        with pytest.raises(IzhigenError):
            call()


def held_in(make, values, unit):
    """The same values as every kind of list."""
    objects = np.empty(len(values), object)
    for place, value in enumerate(values):
        objects[place] = make(value, unit)
    return [[make(v, unit) for v in values], tuple(make(np.array(v), unit) for v in values), objects]


@pytest.mark.parametrize("make", MAKERS)
def test_lists_of_quantities_are_converted_one_by_one(make):
    values = [0.1, 0.2, 0.3]
    plainly = LIF.population(3, backend="numpy").run(1.0, I=np.array([100.0, 200.0, 300.0]), record="V")["V"]
    for given in held_in(make, values, "nF"):
        np.testing.assert_allclose(LIF.population(3, backend="numpy", C=given).C, [100.0, 200.0, 300.0], rtol=1e-6)
        drawn = LIF.population(3, backend="numpy", C=lambda n, rng, given=given: given)
        np.testing.assert_allclose(drawn.C, [100.0, 200.0, 300.0], rtol=1e-6)
    for given in held_in(make, values, "nA"):
        found = LIF.population(3, backend="numpy").run(1.0, I=given, record="V")["V"]
        np.testing.assert_allclose(found, plainly, rtol=1e-6)
    rows = [[make(v, "nA") for v in values]] * 10
    found = LIF.population(3, backend="numpy").run(1.0, I=rows, record="V")["V"]
    np.testing.assert_allclose(found, plainly, rtol=1e-6)
    pop = LIF.population(3, backend="numpy")
    pop.V = [make(-0.06, "V"), make(-65.0, "mV"), make(-0.07, "V")]
    np.testing.assert_allclose(pop.V, [-60.0, -65.0, -70.0], rtol=1e-6)
    for mixed in ([make(0.1, "nF"), 200.0, 300.0], [[make(0.1, "nF")], [200.0]]):
        with pytest.raises(ValueShapeError, match="C: some of its numbers bring a unit and others do not"):
            LIF.population(len(mixed), backend="numpy", C=mixed)
    np.testing.assert_allclose(LIF.population(2, backend="numpy", C=["0.1*nF", "200*pF"]).C, [100.0, 200.0])


def test_lists_within_lists_without_end_are_refused():
    own = [1.0]
    own.append(own)
    for call in (lambda: LIF.population(1, C=own), lambda: LIF.population(1).run(1.0, I=own)):
        with pytest.raises(ValueShapeError, match="nested deeper than 64 levels"):
            call()


@pytest.mark.parametrize("make", MAKERS)
def test_sweeps_take_quantities_wherever_they_take_numbers(make):
    pytest.importorskip("xarray")

    def trace(values, **others):
        of_run = {"I": 600.0, "backend": "numpy", "measure": {"trace": lambda r: r["V"].T}, "record": "V", **others}
        return np.asarray(iz.sweep(LIF, values, 2.0, **of_run)["trace"])

    values, columns = [0.1, 0.2, 0.3], {"EL": [-70.0, -71.0, -72.0]}
    for given in (make(np.array(values), "nF"), *held_in(make, values, "nF"), ["0.1*nF", "200*pF", "300*pF"]):
        np.testing.assert_allclose(trace({"C": given}), trace({"C": [100.0, 200.0, 300.0]}), rtol=1e-6)
    one = make(0.1, "nF")
    for given in (make(np.full(3, 0.1), "nF"), one, [one] * 3, "0.1*nF", lambda n, rng: make(np.full(n, 0.1), "nF")):
        np.testing.assert_allclose(trace(columns, C=given), trace(columns, C=100.0), rtol=1e-6)
    for given in (make(0.6, "nA"), make(np.full(3, 0.6), "nA"), make(np.full((20, 1), 0.6), "nA")):
        np.testing.assert_allclose(trace(columns, I=given), trace(columns), rtol=1e-6)
    for given in (make(np.array(values), "nF"), [make(v, "nF") for v in values]):
        table = iz.sweeps.Table({"C": given})
        np.testing.assert_allclose(trace(table), trace({"C": [100.0, 200.0, 300.0]}), rtol=1e-6)
    found = iz.sweep(LIF, {"C": make(np.array(values), "nF")}, 2.0, backend="numpy")
    np.testing.assert_allclose(found["C"], [100.0, 200.0, 300.0])
    assert found["C"].attrs["units"] == "pF"
    for wrong in ({"C": make(np.array(values), "mV")}, {"C": ["0.1*nF", "1*mV"]}):
        with pytest.raises(ValueShapeError, match=r"C is given in .*, and its unit is pF"):
            trace(wrong)
    with pytest.raises(ValueShapeError, match="C is given in .*, and its unit is pF"):
        trace(columns, C=lambda n, rng: make(np.full(n, 0.1), "mV"))


@pytest.mark.parametrize("make", MAKERS)
def test_fits_take_quantities(make):
    pytest.importorskip("scipy")

    def fit(target, trainable, **others):
        of_search = {"generations": 2, "candidates": 5, "backend": "numpy", "progress": False}
        return iz.fit(LIF, target, trainable, 2.0, **{"inputs": {"I": 300.0}, **of_search, **others})

    def loss(*arguments, **others):
        return fit(*arguments, **others).loss

    trace, ranges = np.full(20, -69.0), {"C": (100.0, 300.0)}
    expected = loss({"V": trace}, ranges, start={"C": 150.0})
    low, high = make(0.1, "nF"), make(0.3, "nF")
    for edges in ((low, high), make(np.array([0.1, 0.3]), "nF"), ("0.1*nF", "0.3*nF")):
        assert loss({"V": make(trace / 1000, "V")}, {"C": edges}, start={"C": make(0.15, "nF")}) == pytest.approx(
            expected, rel=1e-6
        )
    assert loss({"V": trace}, {"C": (low, high, "log")}, inputs={"I": make(0.3, "nA")}) == pytest.approx(
        loss({"V": trace}, {"C": (100.0, 300.0, "log")}), rel=1e-6
    )
    for EL in (make(-0.071, "V"), "-71*mV"):
        assert fit({"V": trace}, ranges, EL=EL).variant("Fitted").parameters["EL"] == -71.0
    spikes, given = np.array([1.0]), make(np.array([1.0]), "ms")
    assert loss(given, ranges) == loss(spikes, ranges) == loss([make(1.0, "ms")], ranges)
    assert loss({"first_spike": make(1.0, "ms")}, ranges) == loss({"first_spike": 1.0}, ranges)
    for wrong in (make(0.1, "mV"), "0.1*mV"):
        with pytest.raises(ValueShapeError, match=r"trainable: C is given in .*, and its unit is pF"):
            loss(spikes, {"C": (wrong, high)})


@pytest.mark.parametrize("make", MAKERS)
def test_models_take_quantities_as_initial_values_and_noise(make):
    model = LIF.variant("Other", initial={"V": make(np.array(-0.06), "V")})
    assert model.initial["V"].text == "-60.0"
    with pytest.raises(ModelError, match=r"initial value of V is given in .*, and its unit is mV"):
        LIF.variant("Other", initial={"V": make(1.0, "nA")})
    with pytest.raises(ModelError, match=r"noise on V is given in .*, and its unit is mV/ms\*\*\(1/2\)"):
        LIF.with_noise(V=make(1.0, "mV"))


def test_noise_of_a_quantity():
    for amplitude in (of_pint(0.002, "V/ms**0.5"), OfBrian2(0.002 / np.sqrt(1e-3), (2, 1, -3.5, -1, 0, 0, 0))):
        assert LIF.with_noise(V=amplitude).parameters["sigma_V"] == pytest.approx(2.0)


def test_an_input_has_its_own_unit_whatever_it_is_called():
    model = Model(
        "D", "dV/dt = (I_delta - V)/tau : mV", None, None, {"tau": 10.0, "I": 1.0}, ["I_delta"],
        units={"tau": "ms", "I": "V", "I_delta": "mV"},
    )  # fmt: skip
    found = model.population(1, backend="numpy").run(0.1, I_delta=of_pint(1.0, "V"), record="V")["V"]
    np.testing.assert_array_equal(found, model.population(1, backend="numpy").run(0.1, I_delta=1000.0, record="V")["V"])
    assert LIF.unit_of("V_delta") == "mV" and LIF.unit_of("t_last_spike") == "ms"


@pytest.mark.parametrize("text", ["1/10", "10*5", "2/3*mV", "10*mV*5", "2*10*mV", "10/2"])
def test_text_with_two_numbers_is_refused(text):
    """Where nothing says of its unit: the second number would be that of a unit, and only the first be taken."""
    with pytest.raises(ModelError, match="several numbers"):
        Model("A", "dx/dt = -x/tau", parameters={"tau": text})
    with pytest.raises(ValueShapeError, match="the model says of no unit"):
        Model("A", "dx/dt = -x/tau", parameters={"tau": 1.0}).population(1, tau=text)


def test_numbers_of_units_count_where_a_unit_is_due():
    assert plain("1/10", "1", "x") == 0.1 and plain("3*um**2*100", "um**2", "x") == 300.0
    assert plain("2/3*mV", "mV", "x") == pytest.approx(2 / 3) and plain("3*um**2*100", "um**2*100", "x") == 3.0


def test_text_that_a_float_cannot_hold_is_refused():
    for text in ("1e-400*pF", "-0.001e-330*pF"):
        with pytest.raises(ModelError, match="too small for a float"):
            LIF.variant("Other", C=text)
    assert LIF.variant("Other", C="0.00e-400*pF").parameters["C"] == 0.0
    with pytest.raises(ModelError, match="not a real number"):
        LIF.variant("Other", C="\u0661\u0660*pF")  # digits, but not ours
    for given, unit in (("1*Tm**100", "fm**100"), ("1*fm**100", "Tm**100")):
        with pytest.raises(ModelError, match="too far from"):
            plain(given, unit, "x")


def test_temperatures_count_from_zeros_that_differ():
    assert plain(of_pint(20.0, "degC"), "degC", "x") == 20.0 and plain("20*degC", "degC", "x") == 20.0
    assert plain(of_pint(2.0, "delta_degC"), "K", "x") == 2.0
    for value, unit in (
        (of_pint(20.0, "degC"), "K"),
        (of_pint(293.0, "K"), "degC"),
        ("20*degC", "K"),
        ("293*K", "degC"),
    ):
        with pytest.raises(ModelError, match=f"its unit is {unit}"):
            plain(value, unit, "x")
    for unit, own in (("degF", "K"), ("dB", "1"), ("dBm", "W")):
        with pytest.raises(ModelError, match="the zero of .* is another than in SI"):
            plain(registry().Quantity(3.0, unit), own, "x")
    with pytest.raises(IzhigenError, match="give it in kelvin"):
        iz.from_brian2("dv/dt = -v/(T*tau) : kelvin", namespace={"T": of_pint(20.0, "degC"), "tau": "10*ms"})


def test_temperatures_of_astropy():
    units = pytest.importorskip("astropy.units")
    assert plain(20.0 * units.deg_C, "degC", "x") == 20.0
    for value, unit in ((20.0 * units.deg_C, "K"), (293.0 * units.K, "degC")):
        with pytest.raises(ModelError, match=f"its unit is {unit}"):
            plain(value, unit, "x")


class ComplexOfBrian2(np.ndarray):
    """An array of complex numbers with the dimension of a capacitance."""

    dim = type("Dimension", (), {"_dims": (-2, -1, 4, 2, 0, 0, 0)})()


@pytest.mark.parametrize("make", [of_pint, of_astropy, lambda value, unit: np.asarray(value).view(ComplexOfBrian2)])
@pytest.mark.parametrize("value", [1 + 1j, np.array([1 + 1j])])
def test_quantities_of_complex_numbers_are_refused(make, value):
    with pytest.raises(ValueShapeError, match="no real number"):
        LIF.population(1, backend="numpy", C=make(value, "nF"))


def test_numbers_of_other_types_within_quantities():
    exact = pytest.importorskip("pint").UnitRegistry(non_int_type=Decimal)
    assert plain(exact.Quantity(Decimal("0.1"), "V"), "mV", "x") == 100.0
    half = LIF.population(2, backend="numpy", V=of_pint(np.array([100.0, -0.5], np.float16), "V")).V
    np.testing.assert_array_equal(half, [100_000.0, -500.0])
    assert LIF.population(1, backend="numpy", dt=of_pint(np.float32(0.0001), "s")).dt == 0.1
    masked = of_pint(np.ma.masked_array([1.0, 2.0], [False, True]), "nF")
    for value in (masked, of_pint(np.ma.masked_array(1.0, True), "nF")):
        with pytest.raises(ValueShapeError, match="masked"):
            LIF.population(2, backend="numpy", C=value)


def test_masked_quantities_of_astropy_are_refused():
    masked, units = pytest.importorskip("astropy.utils.masked"), pytest.importorskip("astropy.units")
    for values, mask in (([1.0, 2.0], [False, True]), (1.0, True)):
        with pytest.raises(ValueShapeError, match="masked"):
            LIF.population(2, backend="numpy", C=masked.Masked(values * units.nF, mask=mask))


def test_a_stimulus_times_a_quantity_is_converted():
    """pint keeps it as a magnitude."""
    drive = iz.inputs.sinusoid(1.0, 50.0, 2.0)
    found, expected = (
        LIF.population(1, backend="numpy").run(2.0, I=given, record="V")["V"]
        for given in (of_pint(drive, "nA"), 1000.0 * drive)
    )
    np.testing.assert_array_equal(found, expected)


def test_quotients_of_quantities_are_plain_numbers():
    bare = Model("A", "dx/dt = -x/tau", parameters={"tau": 10.0})
    assert bare.population(1, backend="numpy", tau=of_pint(5.0, "ms") / of_pint(1.0, "ms")).tau == 5.0
    with pytest.raises(ValueShapeError, match="given in dimensionless, and its unit is pF"):
        LIF.population(1, C=of_pint(5.0, "dimensionless"))


class OfAnother(np.ndarray):
    """What arrays with units of a library that is not known look like (unyt)."""

    units = property(lambda self: "nF")


def test_quantities_of_other_libraries_are_refused():
    one = np.asarray(1.0).view(OfAnother)
    for value in (np.ones(2).view(OfAnother), one, [one, one]):
        with pytest.raises(ValueShapeError, match="the unit of .* cannot be read|bring"):
            LIF.population(2, C=value)


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
