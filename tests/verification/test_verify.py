"""What verify finds: orders, what a tolerance picks, a wrong derivation, errors of functions; as Python and on the command line."""

import json
import math
import re
import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import mpmath
import numpy as np
import pytest
import sympy as sp

import izhigen as iz
from izhigen import Model
from izhigen.cli import main
from izhigen.derive import functions
from izhigen.derive.scheme import find_scheme, method_names
from izhigen.errors import BackendError, DerivationError, ValueShapeError
from izhigen.verification import derivation, ladder, pick, rates, survey
from izhigen.verification.amplitudes import find_inputs
from izhigen.verification.digits import VALUES
from izhigen.verification.ladder import Choice, Curve, Point, choices, ladder_for, matched
from tests.command_line import fails, ok
from tests.conftest import ROOT
from tests.verification import models

LTC = iz.load("IzhikevichLTC")
SMOOTH = Model(
    "Smooth", "dV/dt = V - V**3/3 - w + I\ndw/dt = 0.08*(V + 0.7 - 0.8*w)", inputs=["I"], initial={"V": -1.0}
)
AMPLITUDES = [1.0, *range(8, 30, 2)]
COMPILER = any(shutil.which(name) for name in ("cc", "gcc", "clang"))


@pytest.fixture(scope="module")
def found():
    """Izhikevich's model over a short ladder, as NumPy computes it: no compiler is needed."""
    options = {"method": ("exp_euler", "rk4"), "dt": (0.4, 0.2, 0.1), "backend": "numpy"}
    return iz.verify(LTC, 40.0, inputs={"I": AMPLITUDES}, **options)


def test_observed_orders(found):
    order = {str(double.choice): double.order for double, _ in found.curves}
    assert list(order) == ["exp_euler, step", "rk4, step", "rk4, linear", "rk4, located"]
    assert order["exp_euler, step"] == pytest.approx(1, abs=0.5)
    assert order["rk4, linear"] == pytest.approx(2, abs=0.5)
    assert order["rk4, located"] > 3.2
    assert found.passed and all(check.passed for check in found.checks) and len(found.checks) == 6


def test_text_data_and_picture(found):
    text = str(found)
    for words in (
        "spikes 0, 2, 2, 2, 3",
        "J of V vanishes at V = -62.5",
        "not stiff",
        "exponential methods 0.18",
        "J changes by more than 1/dt within a step (first at V = ",
        "exp_euler is x + dt*phi1(dt*J)*f",
        "cheapest step with a mean error of at most 0.1 ms",
    ):
        assert words in text, text
    data = json.loads(json.dumps(found.data))
    assert data["events"]["spike"][1][0] == pytest.approx(4.2, abs=0.2) and len(data["curves"]) == 8
    assert data["inputs"] == {"I": AMPLITUDES} and data["rates"]["growth"] == pytest.approx(7.4, abs=0.01)
    before = plt.get_fignums()
    figure = found.plot()
    assert figure.axes[0].get_lines()[0].get_label() == "exp_euler, step"
    assert len(figure.png()) > 5000 and plt.get_fignums() == before
    assert repr(found) == "<Verification of IzhikevichLTC: 6 checks, 0 failed, 4 curves>"


def test_a_model_without_events_is_compared_by_its_states():
    result = iz.verify(SMOOTH, 20.0, method="rk4", dt=(0.05, 0.025), backend="numpy")
    assert "no events" in str(result) and result.curves[0][0].order == pytest.approx(4, abs=0.3)
    assert result.tolerance == 0.001 and [str(double.choice) for double, _ in result.curves] == ["rk4, step"]


@pytest.mark.parametrize("which", ["rate", "off diagonal", "right-hand side", "remainder"])
def test_a_wrong_derivation_is_found(monkeypatch, which):
    system = derivation.derive_step(LTC, "euler").system
    first, second = system.equations
    half = sp.Rational(1, 2)
    if which == "rate":
        wrong = replace(system, equations=(replace(first, rate=first.rate * half), second))
    elif which == "off diagonal":
        wrong = replace(system, jacobian=sp.ImmutableMatrix([[first.rate, 1], [0, second.rate]]))
    elif which == "right-hand side":
        wrong = replace(system, equations=(first, replace(second, rhs=second.rhs + 1)))
    else:
        wrong = replace(system, equations=(first, replace(second, remainder=second.remainder * half)))
    true = derivation.derive_step
    monkeypatch.setattr(derivation, "derive_step", lambda model, method: replace(true(model, method), system=wrong))
    result = iz.verify(LTC, 20.0, inputs={"I": 10.0}, method="euler", dt=0.5, backend="numpy")
    assert not result.passed and "WRONG" in str(result)


def test_a_wrong_update_is_found(monkeypatch):
    """A phi1 that is forgotten leaves the order as it is, and is seen in the formula; a wrong coefficient is in the order."""
    true = derivation.derive_step

    def wrong(model, method):
        step = true(model, method)
        halves = tuple(1.0001 * increment for increment in step.increments)
        return (
            replace(true(model, "euler"), scheme=find_scheme(method))
            if method == "exp_euler"
            else replace(step, increments=halves)
        )

    monkeypatch.setattr(derivation, "derive_step", wrong)
    result = iz.verify(LTC, 20.0, inputs={"I": 10.0}, method=("exp_euler", "rk4"), dt=0.5, backend="numpy")
    failed = [check.what for check in result.checks if check.passed is False]
    assert failed == ["exp_euler is x + dt*phi1(dt*J)*f", "one step of rk4 is right up to order 4"]


def test_the_derivations_of_many_kinds_of_equations_pass():
    gates = "dV/dt = -m**3*(V - 50) - (V + 60) + I\ndm/dt = 0.1*(V + 40)/(1 - exp(-(V + 40)/10))*(1 - m) - 4*exp(-(V + 65)/18)*m"
    for model in (
        Model("Gates", gates, "V >= 0", inputs=["I"], initial={"V": -60.0}),
        Model("Block", "dV/dt = -V - w + I\ndw/dt = V/3 - w/2", "V >= 1", "V = 0", inputs=["I"]),
        iz.load("RS").with_current("g*(E - V)", E=0.0, g=0.01),
        Model(
            "Kinks",
            "dV/dt = max(-V, 0.2*V) + where(V > 0.5, sin(t), abs(w)) + I\ndw/dt = -heaviside(V)*w",
            "V >= 3",
            "V = 0",
            inputs=["I"],
        ),
    ):
        result = iz.verify(
            model,
            10.0,
            inputs={"I": 5.0},
            method=("exp_euler", "heun2"),
            spike_timing="step",
            dt=0.25,
            backend="numpy",
        )
        assert all(check.passed for check in result.checks), str(result)


def test_every_function_of_a_derivation_has_a_value_in_many_digits():
    """That of its definition: by quadrature, by others of them, or by its derivative."""
    classes = [c for name, c in vars(functions).items() if isinstance(c, type) and not name.startswith("_")]
    names = {c.__name__ for c in classes if issubclass(c, functions.OwnFunction)} - {"OwnFunction"}
    assert len(names) > 20 and names <= set(VALUES), names - set(VALUES)
    entries = [mpmath.mpf(x) / 10 for x in (-7, 3, 2, -4)]
    matrix = mpmath.matrix([entries[:2], entries[2:]])

    def spread(row, column):
        return mpmath.quad(lambda s: mpmath.expm(matrix * s)[row, 1] * mpmath.expm(matrix * s)[column, 1], [0, 1])

    for row, column in ((0, 0), (0, 1), (1, 1)):
        found = VALUES["block_covariance"](row, column, 1, *entries)
        assert mpmath.almosteq(found, spread(row, column), 1e-12)
    for x in (mpmath.mpf(-3), mpmath.mpf("-0.5")):  # no factor exp(-sqrt(x)) there
        assert mpmath.almosteq(VALUES["sinhc_sqrt_slope"](x), mpmath.diff(VALUES["sinhc_sqrt"], x), 1e-8)
    assert VALUES["sinhc_sqrt_slope"](mpmath.mpf(0)) == mpmath.mpf(1) / 6


@pytest.mark.parametrize("model", [models.decay, models.LIF, iz.load("RS"), models.HH], ids=lambda model: model.name)
def test_correct_models_pass_with_the_methods_that_are_looked_at_by_default(model):
    lines = []
    inputs = {"I": 20.0} if model.inputs else None
    result = iz.verify(model, 5.0, inputs=inputs, dt=0.5, backend="numpy", echo=lines.append)
    assert result.passed and "WRONG" not in str(result) and str(result).splitlines() == lines, str(result)
    is_linear = model in (models.decay, models.LIF)
    assert ("one step of exact is exact: only rounding is left" in str(result)) == is_linear


def test_every_method_that_a_model_can_have_is_checked():
    result = iz.verify(LTC, 5.0, inputs={"I": 10.0}, method="all", seconds=0, backend="numpy")
    checked = {check.what.split()[3] for check in result.checks if "one step" in check.what and check.passed}
    assert checked == set(method_names()) - {"exact"} and all(check.passed for check in result.checks)


def test_quantities_are_converted():
    quantity = pytest.importorskip("pint").UnitRegistry().Quantity
    model = iz.load("izhikevich2007")
    about = {"method": "exp_euler", "spike_timing": "step", "backend": "numpy", "seconds": 1.0}
    found = iz.verify(
        model, quantity(0.05, "s"), inputs={"I": [quantity(0.2, "nA")]}, dt=quantity(1e-4, "s"),
        C=quantity(0.12, "nF"), tolerance=quantity(2e-4, "s"), **about,
    )  # fmt: skip
    plainly = iz.verify(model, 50.0, inputs={"I": [200.0]}, dt=0.1, C=120.0, tolerance=0.2, **about)
    assert found.data["rates"] == plainly.data["rates"] and str(found)[:400] == str(plainly)[:400]
    assert found.tolerance == plainly.tolerance == 0.2


def test_noise_is_left_out():
    result = iz.verify(
        iz.load("RS").with_noise(V=3.0), 20.0, inputs={"I": 10.0}, method="rk4", dt=0.25, backend="numpy"
    )
    assert "noise is left out" in str(result) and result.curves[0][0].points[0].mean < 0.2


def test_a_kernel_that_overflows_is_a_finding():
    model = Model("Fast", "dV/dt = -40*(V - cos(t))*(1 + V**2)", initial={"V": 1.0})
    result = iz.verify(model, 20.0, method="rk4", dt=(0.5, 0.02), backend="numpy")
    assert "not finite" in str(result) and result.curves[0][0].points[1].mean < 1e-3
    assert result.rates.is_stiff is False or "stiff" in str(result)


def test_left_out_cannot_have_and_not_met_are_three_things(monkeypatch):
    """Time is spent from the coarsest step on and on the quickest first: what is slow leaves no method without a row."""
    now, seconds = [0.0], {"rk4": 1.0, "heun2": 4.0, "euler": 0.01}
    monkeypatch.setattr(survey, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(survey, "timed", lambda curves, subject, deadline: [list(curve.points) for curve in curves])

    def errors_at(subject, choice, dtype, dt):
        if choice.method == "exact":
            raise DerivationError("no.")
        now[0] += seconds[choice.method] / dt
        return Point(dt, dt if choice.method == "euler" else dt / 100, 0.0)

    monkeypatch.setattr(survey, "errors_at", errors_at)
    options = {"method": ("heun2", "exact", "rk4", "euler"), "spike_timing": "step", "dt": (1.0, 0.5, 0.25)}
    result = iz.verify(LTC, 10.0, inputs={"I": 10.0}, seconds=50.0, backend="numpy", **options)
    steps = {both.float64.choice.method: [p.dt for p in both.float64.looked_at] for both in result.curves}
    assert steps == {"heun2": [1.0], "exact": [], "rk4": [1.0, 0.5, 0.25], "euler": [1.0, 0.5, 0.25]}
    end = str(result).splitlines()[-6:]
    assert [line.split()[0] for line in end[1:3]] == ["heun2,", "rk4,"]
    assert end[3] == "  not met by euler, step" and end[4].startswith("  cannot have exact: no")
    assert end[5].endswith("as the time was over (--seconds gives more): heun2, step from dt 0.5 on")


def test_the_largest_step_at_which_an_update_means_something():
    """J of a logistic x is 1 - 2*x, which changes by 2*f = 2*x*(1 - x) a ms: at most 1/2, at x = 1/2."""
    model = Model("Logistic", "dx/dt = x*(1 - x)\ndg/dt = -x*g", initial={"x": 0.01, "g": 1.0})
    found = iz.verify(model, 12.0, method="rk4", dt=0.5, backend="numpy").rates.linearized
    assert found["x"][0] == pytest.approx(math.sqrt(2), rel=0.01) and found["x"][1] == pytest.approx(0.5, abs=0.05)
    assert found["g"][0] == pytest.approx(2, rel=0.01), "another state changes its rate, -x"


# -- rules ----------------------------------------------------------------------------------------------------------


def test_spikes_are_matched_one_by_one():
    errors, wrong = matched(np.array([1.1, 2.1]), [1.0, 2.0, 3.0], 100.0)
    np.testing.assert_allclose(errors, 0.1)
    assert wrong == 1
    assert matched(np.array([1.1, 99.9]), [1.0], 100.0)[1] == 0, "it may as well have fallen off the end"
    assert matched(np.array([]), [50.0, 60.0], 100.0)[1] == 2


def test_a_tolerance_needs_all_smaller_steps_and_the_right_count():
    def curve(*points):
        return Curve(Choice("rk4"), "float64", tuple(Point(dt, mean, mean, wrong) for dt, mean, wrong in points))

    assert [p.dt for p in curve((1.0, 0.01, 0), (0.5, 0.2, 0), (0.25, 0.05, 0), (0.1, 0.01, 0)).meeting(0.1)] == [
        0.25,
        0.1,
    ]
    assert curve((0.5, 0.01, 1)).meeting(0.1) == () and curve((0.5, math.nan, 0)).meeting(0.1) == ()
    assert curve((1.0, 1.0, 0), (0.5, 0.25, 0), (0.25, 0.0625, 0)).order == pytest.approx(2)
    assert curve((1.0, 1.0, 3), (0.5, 0.25, 0), (0.25, 0.0625, 0), (0.1, 1e-9, 0)).order == pytest.approx(2)
    assert math.isnan(curve((1.0, 1.0, 0)).order)


def test_choices_and_ladders():
    assert {choice.timing for choice in choices(SMOOTH)} == {"step"}
    assert [str(choice) for choice in choices(LTC)] == [
        "exp_euler, step",
        "rk4, located",
        "etdrk2, located",
        "strang, located",
        "heun2, linear",
    ]
    of_lif = ["exp_euler, step", "rk4, located", "heun2, linear", "exact, located"]
    assert [str(choice) for choice in choices(models.LIF)] == of_lif
    assert [str(choice) for choice in choices(models.HH, ["auto"], ["step"])] == ["exp_euler, step"]
    assert [str(choice) for choice in choices(models.HH, ["auto"], ["located"])] == ["strang, located"]
    assert {c.method for c in choices(LTC, ["all"])} >= {"ralston3", "ssprk3", "exp_euler"}
    assert [str(c) for c in choices(LTC, ["exp_auto"], ["located"])] == ["exp_euler, located"]
    assert ladder_for(10.0) == ladder.LADDER and ladder_for(10.0, row=0.1) == (0.1, 0.05, 0.025, 0.01)
    assert ladder_for(0.35) == (0.05, 0.025, 0.01) and ladder_for(10.0, (0.1, 0.5)) == (0.5, 0.1)
    with pytest.raises(ValueShapeError, match="whole number of steps"):
        ladder_for(10.0, (0.3,))


def test_the_page_has_what_the_command_looks_at():
    page = (ROOT / "docs" / "verify.md").read_text()
    assert re.findall(r"^(\w+, \w+) .* mean ", page, re.MULTILINE) == [str(choice) for choice in choices(LTC)]
    said = re.search(r"Without `--method` it looks at (.*?);", page, re.DOTALL)[1]
    assert set(re.findall(r"`(\w+)`", said)) == {*ladder.TELLING, "auto"}


def test_amplitudes_are_found_that_give_no_few_and_many_spikes():
    subject = ladder.Subject(LTC, {}, {}, 200.0, "numpy")
    amplitudes = find_inputs(subject)["I"]
    counts = iz.verify(LTC, 200.0, inputs={"I": amplitudes}, method="euler", dt=1.0, backend="numpy").data["events"][
        "spike"
    ]
    assert len(counts[0]) == 0 and 1 <= len(counts[1]) <= 6 and len(counts[-1]) >= 20
    silent = Model("Silent", "dV/dt = -V + I", "V >= 1e9", "V = 0", inputs=["I"])
    assert list(find_inputs(replace(subject, model=silent, duration=5.0))["I"]) == [0.0]


def test_pick_takes_the_cheapest_that_meets_it(monkeypatch):
    monkeypatch.setattr(survey, "Timer", lambda subject, choice, dtype, dt: (choice.timing == "step", dt))
    monkeypatch.setattr(survey, "costs", lambda timers, deadline: [(10.0 if end else 20.0) / dt for end, dt in timers])
    few = (Choice("exp_euler"), Choice("rk4"), Choice("rk4", "located"))
    monkeypatch.setattr(ladder, "choices", lambda model, methods, timings: few)
    monkeypatch.setattr(ladder, "LADDER", (1.0, 0.5, 0.25))
    options = {"inputs": {"I": 10.0}, "dtype": "float64", "backend": "numpy"}
    loose, tight = pick(LTC, 20.0, 1.0, **options), pick(LTC, 20.0, 5e-3, **options)
    assert loose.point.mean <= 1.0 and tight.point.mean <= 5e-3 and loose.choice.timing == "step"
    assert str(tight.choice) == "rk4, located" and "spike timing located" in tight.reason
    with pytest.raises(DerivationError, match=r"no method meets .* nearest was"):
        pick(LTC, 20.0, 1e-14, **options)
    with pytest.raises(DerivationError, match="nothing happens"):
        pick(LTC, 20.0, 0.1, inputs={"I": 0.0}, backend="numpy")


@pytest.mark.skipif(not COMPILER, reason="needs a C compiler")
def test_errors_of_the_functions_that_a_kernel_calls():
    from izhigen.verification.ulp import called, measure

    model = Model("Calls", "dV/dt = exp(-V) + log(2 + V) + V**0.7 - V*I", inputs=["I"], initial={"V": 1.0})
    for dtype in ("float32", "float64"):
        source = model.source("c", dtype=dtype)
        assert set(called(source)) == {"exp", "log", "pow", "phi1"}
        assert all(0.3 < error.ulp <= 2.5 for error in measure(source, dtype))


def test_rates_of_a_stiff_model():
    model = Model("Stiff", "dV/dt = -50*(V - w)\ndw/dt = 0.01*(1 - w)", initial={"V": 1.0})
    lines = list(iz.verify(model, 10.0, method="exp_euler", dt=0.5, backend="numpy").rates.lines())
    assert "; stiff, explicit methods need dt < 0.04 ms" in lines[0]
    assert lines[2:] == [
        f"  {name} (J {rate} /ms): exponential methods any, as J stays the same; explicit ones {dt} ms, then |dt*J| > 2"
        for name, rate, dt in (("V", -50, 0.04), ("w", -0.01, 200))
    ]
    assert rates.STIFF == 100


# -- the command line -----------------------------------------------------------------------------------------------


QUICK = ("-T", "20", "--dt", "0.5,0.25", "--method", "heun2", "--backend", "numpy")


def test_command(tmp_path, monkeypatch):
    monkeypatch.setattr(ladder, "LADDER", (1.0, 0.5, 0.25))
    np.savetxt(tmp_path / "i.csv", np.full(40, 10.0))
    files = ("--plot", str(tmp_path / "v.png"), "--json", str(tmp_path / "v.json"))
    text = ok("verify", "RS", *QUICK, "--input", str(tmp_path / "i.csv"), "--row", "0.5", *files, "--set", "d=4")
    assert "heun2, located" in text and "picture: " in text and (tmp_path / "v.png").stat().st_size > 5000
    data = json.loads((tmp_path / "v.json").read_text())
    assert data["values"] == {"d": 4.0} and [len(c["points"]) for c in data["curves"]] == [2] * 6
    text = ok(
        "run",
        "RS",
        "-T",
        "20",
        "--input",
        "10",
        "--tolerance",
        "0.1",
        "--backend",
        "numpy",
        "--spike-timing",
        "located",
    )
    assert text.startswith("picked:    ") and "spike timing located" in text and "spikes:    1 in all" in text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["verify", "RS", *QUICK, "--input", "wiener:n=1"], 1, "drawn anew at every step"),
        (["verify", "RS", *QUICK, "--input", "J=1"], 1, "no input 'J'"),
        (["verify", "RS", *QUICK, "--tolerance", "0"], 1, "not above 0"),
        (["verify", "RS", "--method", "rk5", "--input", "1"], 1, "no method 'rk5'"),
        (["verify", "RS", "--dt", "x"], 2, "separated by commas"),
        (["verify", "RS", "-T", "10", "--dt", "0.3"], 1, "not a whole number of steps"),
        (["verify", "RS", "--plot", "v.foo"], 2, "must end in"),
        (["verify", "RS", *QUICK, "--input", "10", "--set", "p1=1e300"], 1, "no reference solution"),
        (["verify", f"{ROOT}/tests/verification/models.py:grows"], 1, "leaves all bounds at t = 1"),
        (["run", "RS", "--tolerance", "0.1", "--dt", "0.1"], 2, "leave out --dt"),
        (["run", "RS", "--tolerance", "0.1", "--method", "rk4"], 2, "leave out --method"),
        (["run", "RS", "--tolerance", "0.1", "--input", "poisson:rate=100"], 1, "drawn anew"),
        (["run", "RS", "--tolerance", "-1"], 2, "Invalid value"),
    ],
)
def test_errors(capsys, monkeypatch, arguments, code, words):
    found, text = fails(capsys, monkeypatch, *arguments)
    assert found == code and words in text and len(text.splitlines()) == 1, text


def test_a_run_with_a_tolerance_says_what_repeats_it_and_that_noise_is_left_out(monkeypatch):
    monkeypatch.setattr(ladder, "LADDER", (0.5, 0.25))
    options = ("-T", "10", "--input", "10", "--backend", "numpy")
    model = f"{ROOT}/tests/verification/models.py:noisy"
    picked, again = ok("run", model, *options, "--tolerance", "1").splitlines()[:2]
    assert "noise is left out of that comparison, not of the run" in picked and again.startswith("to repeat: --method ")
    method, timing, dt = again.split()[3::2]
    assert f"{method}, spike timing {timing}, dt {dt} ms" in picked
    assert "picked:" not in ok("run", model, *options, *again.split()[2:])


def test_a_failed_check_is_exit_code_1(capsys, monkeypatch):
    true = derivation.derive_step
    monkeypatch.setattr(
        derivation, "derive_step", lambda model, method: replace(true(model, "euler"), scheme=find_scheme(method))
    )
    monkeypatch.setattr(sys, "argv", ["izhigen", "verify", "RS", *QUICK, "--input", "10"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1 and "WRONG one step of heun2" in capsys.readouterr().out


def test_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.integrate", None)
    with pytest.raises(BackendError, match=r"pip install 'izhigen\[verify\]'"):
        iz.verify(LTC)


def test_what_it_refuses():
    with pytest.raises(ValueShapeError, match="takes a model"):
        iz.verify("RS")
    with pytest.raises(ValueShapeError, match=r"duration=0.0 is not above 0"):
        iz.verify(LTC, 0.0)
    with pytest.raises(ValueShapeError, match=r"dt=0.0 is not a step"):
        iz.verify(LTC, 10.0, dt=0.0)
    with pytest.raises(ValueShapeError, match="neither a step in ms nor several"):
        iz.verify(LTC, dt="0.1")
    with pytest.raises(ValueShapeError, match="at most 16"):
        iz.verify(LTC, inputs={"I": np.ones(20)})
    with pytest.raises(ValueShapeError, match="from_array"):
        iz.verify(LTC, inputs={"I": np.ones((20, 1))})
    with pytest.raises(ValueShapeError, match="for 2 and for 3 neurons"):
        iz.verify(LTC.with_current("g", inputs=["g"]), inputs={"I": [1, 2], "g": [1, 2, 3]})


def test_ctrl_c_ends_it(monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(survey, "errors_at", interrupt)
    with pytest.raises(KeyboardInterrupt):
        iz.verify(LTC, 10.0, inputs={"I": 10.0}, method="rk4", dt=0.5, backend="numpy")
