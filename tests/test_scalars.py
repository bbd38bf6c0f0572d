"""Numbers of every kind in every place: read, or refused in one line that can be printed."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import izhigen as iz
from izhigen import Model
from izhigen.errors import IzhigenError, NonFiniteError, ValueShapeError

MODEL = Model("A", "dV/dt = (I - V)/tau", parameters={"tau": 10.0}, inputs=["I"], threshold="V > 1", reset="V = 0")
BAD = {
    "large": 10**400,
    "minus large": -(10**400),
    "large fraction": Fraction(10**400),
    "large decimal": Decimal("1e400"),
    "infinite": np.inf,
    "undefined": np.nan,
    "none": None,
    "text": "\ud800",
    "numpy text": np.str_("x"),
    "bytes": b"1",
    "complex": 1j,
    "ragged": [[1], [2, 3]],
    "object": object(),
}
PLACES = {
    "Model": lambda v: Model("A", "dV/dt = -V/tau", parameters={"tau": v}),
    "variant": lambda v: MODEL.variant(tau=v),
    "refractory": MODEL.with_refractory,
    "noise": lambda v: MODEL.with_noise(V=v),
    "initial": lambda v: MODEL.variant(initial={"V": v}),
    "scaled": lambda v: MODEL.scaled((0, v), (0, 1)),
    "parameter": lambda v: population(tau=v),
    "state": lambda v: population(V=v),
    "dt": lambda v: population(dt=v),
    "input of run": lambda v: population().run(1.0, I=v),
    "input of step": lambda v: population().step(I=v),
}
MANY = {
    "parameter": lambda v: population(tau=v),
    "state": lambda v: population(V=v),
    "input of run": lambda v: population().run(1.0, I=v),
    "input of step": lambda v: population().step(I=v),
    "rate": iz.inputs.poisson,
    "weight": lambda v: iz.inputs.poisson(1.0, weight=v),
    "times": lambda v: iz.inputs.spikes(v, [0, 1]),
    "section": lambda v: iz.inputs.section([v], [10.0]),
    "constant": lambda v: iz.inputs.constant(v, 10.0),
    "series": lambda v: iz.inputs.from_array(v, 0.1),
}
"""Places that take a number for each neuron, or several numbers."""
ALONE = {place: call for place, call in MANY.items() if place not in ("times", "series")} | {
    "lengths": lambda v: iz.inputs.spike_train([1.0], v, 1.0, 10.0),
    "sizes": lambda v: iz.inputs.spike_train([1.0], 1.0, v, 10.0),
    "start of a ramp": lambda v: iz.inputs.ramp(v, 1.0, 10.0),
    "amplitude": lambda v: iz.inputs.sinusoid(v, 1.0, 10.0),
    "summand": lambda v: iz.inputs.ramp(0.0, 1.0, 10.0) + v,
    "subtrahend": lambda v: iz.inputs.ramp(0.0, 1.0, 10.0) - v,
    "duration": lambda v: population().run(v),
    "dt": lambda v: population(dt=v),
    "default": lambda v: MODEL.variant(tau=v),
}
"""Places that take one number."""
WHOLE = {
    "batch": lambda v: population(batch=v),
    "threads": lambda v: population(threads=v),
    "every": lambda v: population().run(1.0, every=v),
    "neurons": lambda v: population().run(1.0, neurons=v),
    "steps": lambda v: population().run(steps=v),
}
FLAGS = {
    "check_finite of run": lambda v: population().run(1.0, check_finite=v),
    "check_finite of backward": lambda v: (
        population(surrogate="sigmoid").run(1.0, tape=[], record=[]).backward({}, check_finite=v)
    ),
    "check_finite of step": lambda v: population().step(check_finite=v),
    "progress": lambda v: population().run(1.0, progress=v),
    "bias of a sinusoid": lambda v: iz.inputs.sinusoid(1.0, 1.0, 10.0, bias=v),
    "bias of a square wave": lambda v: iz.inputs.square(1.0, 1.0, 10.0, bias=v),
}


def population(**options):
    return MODEL.population(2, backend="numpy", **options)


def population_of(size):
    return MODEL.population(size, backend="numpy")


WHOLE["size"] = population_of


def refused(call, value):
    with pytest.raises(IzhigenError) as caught:
        call(value)
    text = str(caught.value)
    assert len(text.splitlines()) == 1 and len(text) < 600
    text.encode("utf-8")


@pytest.mark.parametrize(
    "value", [np.array([True, False]), np.zeros(0), [True], "no", b"", 2, 0.5, np.nan, np.timedelta64(1, "s"), object()]
)
@pytest.mark.parametrize("place", FLAGS)
def test_what_is_neither_true_nor_false_is_no_flag(place, value):
    refused(FLAGS[place], value)


@pytest.mark.parametrize("value", [True, False, np.True_, np.array(False), 1, np.int8(0)])
@pytest.mark.parametrize("place", FLAGS)
def test_flags_of_other_libraries_are_read(place, value):
    FLAGS[place](value)


@pytest.mark.parametrize("value", [False, np.False_, 0, np.array(0)])
def test_a_flag_says_what_it_is(value):
    pop = population()
    pop.run(1.0, I=np.nan, check_finite=value)
    assert np.isnan(np.asarray(pop.state["V"])).all()
    plain, raised = (iz.inputs.sinusoid(2.0, 50.0, 10.0, dt=0.1, bias=flag) for flag in (value, not value))
    np.testing.assert_allclose(np.asarray(raised) - np.asarray(plain), 2.0, atol=1e-12)


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_finite_number_is_refused(place, kind):
    refused(PLACES[place], BAD[kind])


@pytest.mark.parametrize("value", [10**400, -(10**400), Fraction(10**400, 3), Decimal("1e400"), np.longdouble("1e400")])
@pytest.mark.parametrize("place", ALONE)
def test_a_number_beyond_a_float_is_called_too_large(place, value):
    with pytest.raises(IzhigenError, match="too large for a float"):
        ALONE[place](value)


@pytest.mark.parametrize("value", [10**400, Fraction(10**400, 3), np.longdouble("1e400")])
@pytest.mark.parametrize("place", MANY)
def test_numbers_beyond_a_float_in_lists_are_called_too_large(place, value):
    with pytest.raises(ValueShapeError, match="too large for a float"):
        MANY[place]([1.0, value])


def test_a_number_beyond_the_kernels_type_is_called_too_large():
    for given in ({"tau": 1e39}, {"V": 1e39}, {"tau": [1.0, 1e39]}, {"V": [1.0, -1e39]}):
        with pytest.raises(ValueShapeError, match="too large for float32"):
            population(**given)
    for call in (population().run, population().step):
        with pytest.raises(NonFiniteError, match="neuron 0 "):
            call(**({"steps": 3} if call.__name__ == "run" else {}), I=1e39)
    with pytest.raises(ValueShapeError, match="too large for float32.*neuron 0"):
        MODEL.variant(initial={"V": "1e39 + tau"}).population(2, backend="numpy")
    with pytest.raises(ValueShapeError, match="not finite"):
        population(tau=np.inf)


@pytest.mark.parametrize("value", [True, np.True_, np.array(False), np.timedelta64(3, "s")])
@pytest.mark.parametrize("place", ALONE)
def test_truth_values_and_times_with_units_are_no_numbers(place, value):
    if place in ("summand", "subtrahend") and isinstance(value, (np.bool_, np.ndarray)):
        with pytest.raises(TypeError):  # which is Python's own for what is no number
            ALONE[place](value)
    else:
        refused(ALONE[place], value)


@pytest.mark.parametrize(
    "value", [[True, False], np.array([True, False]), [True, 1.0], [[1.0], [False]], [np.True_, 1.0]]
)
@pytest.mark.parametrize("place", MANY)
def test_truth_values_among_numbers_are_refused(place, value):
    with pytest.raises(ValueShapeError, match="truth value"):
        MANY[place](value)


@pytest.mark.parametrize(
    "value", [np.ones(2) * 1j, np.ones(2, "M8[s]"), np.ones(2, "m8[s]"), np.array(["1", "2"]), np.zeros(2, "i4,i4")]
)
@pytest.mark.parametrize("place", MANY)
def test_arrays_of_other_kinds_are_refused_without_a_warning(place, value, recwarn):
    refused(MANY[place], value)
    assert not recwarn


@pytest.mark.parametrize(
    "value", [[2**70, 1], np.array([2**70, 1]), np.array([2.0**70, 1.0], np.longdouble), [Fraction(2**70), Decimal(1)]]
)
def test_large_numbers_that_fit_are_read(value):
    assert population(V=value).V.tolist() == [2.0**70, 1.0]
    assert iz.inputs.from_array(value, 0.1).sample().tolist() == [2.0**70, 1.0]
    pop, wanted = population(tau=1e25), population(tau=1e25)
    pop.run(1.0, I=value)
    wanted.run(1.0, I=[2.0**70, 1.0])
    np.testing.assert_array_equal(pop.V, wanted.V)


@pytest.mark.parametrize("indices", [[2**70, 0], [2**64 - 1, 0], np.array([2**64 - 1, 0], np.uint64), [0.0, 1.0]])
def test_indices_of_spikes_beyond_any_neuron_are_refused(indices):
    refused(lambda i: iz.inputs.spikes([1.0, 2.0], i), indices)


@pytest.mark.parametrize("value", [2**63, 2**70, 10**400, -1, 1.5, "3", b"1", 1j, [[1], [2, 3]], [2**63], object()])
@pytest.mark.parametrize("place", WHOLE)
def test_what_is_no_whole_number_that_fits_is_refused(place, value):
    refused(WHOLE[place], value)


@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.int8(3), np.array(3.0), Fraction(3), Decimal(3)])
def test_every_kind_of_real_number_is_read(value):
    assert MODEL.variant(tau=value).parameters["tau"] == 3.0
    pop = population(tau=value, V=value, dt=value)
    assert pop.parameters["tau"] == 3.0 and pop.dt == 3.0 and float(pop.V[0]) == 3.0


def test_tensors_of_pytorch_are_read():
    torch = pytest.importorskip("torch")
    wanted = population(tau=3.0, V=[1.0, 2.0])
    pop = population(tau=torch.tensor(3.0), V=torch.tensor([1.0, 2.0]))
    for number in (torch.tensor([0.5, 1.0]), torch.tensor(0.5), np.array([0.5, 1.0])):
        pop.step(I=number)
        wanted.step(I=np.asarray(number))
    np.testing.assert_array_equal(pop.V, wanted.V)
    asking = torch.tensor([0.5, 1.0], requires_grad=True)
    for use in (lambda: population(V=asking), lambda: population(tau=asking[0]), lambda: pop.step(I=asking)):
        with pytest.raises(ValueShapeError, match="requires a gradient.*izhigen.torch.Layer"):
            use()
    assert MODEL.variant(tau=torch.tensor(3.0, requires_grad=True)).parameters["tau"] == 3.0


def test_arrays_of_jax_are_read_and_tracers_refused():
    jax = pytest.importorskip("jax")
    pop = population(tau=jax.numpy.array(3.0), V=jax.numpy.array([1.0, 2.0]))
    pop.step(I=jax.numpy.array([0.5, 1.0]))
    for place in ("parameter", "state", "input of run", "input of step", "variant", "dt"):
        refused(lambda call: jax.jit(lambda x: (call(x), x)[1])(1.0), PLACES[place])


@pytest.mark.parametrize("times", [[[1], [2, 3]], [[1.0, 2.0]], ["a"], [None], 1.0])
def test_spike_trains_that_are_no_list_of_times_are_refused(times):
    refused(lambda t: iz.inputs.spike_train(t, 1.0, 2.0, 100.0), times)


def test_half_a_surrogate_is_refused_wherever_text_goes():
    half = "\ud800"
    for call in (
        lambda: MODEL.variant(half),
        lambda: MODEL.variant(description=f"a {half}"),
        lambda: Model("A", f"dV/dt = -V  {half}"),
        lambda: Model("A", "dV/dt = -V", units={"V": half}),
        lambda: Model("A", f"dV/dt = -V : {half}"),
        lambda: MODEL.variant(threshold=f"V > {half}"),
        lambda: population().run(1.0, I=f"t + {half}"),
        lambda: population().run(1.0, record=[half]),
    ):
        refused(lambda f: f(), call)
