"""The rendered CUDA source, unchanged: compiled by NVRTC for three generations of devices, and run on the host beside the C backend."""

import json
import re
from functools import cache

import numpy as np
import pytest

import izhigen as iz
from izhigen.backends import build
from izhigen.backends.cuda import OPTIONS
from izhigen.codegen.request import KernelRequest
from izhigen.derive.step import derive_step
from tests.codegen.test_source import FULL, MODELS, ODD
from tests.conftest import ROOT
from tests.cuda import machine_code, nvrtc
from tests.cuda.host import needs_compiler, run_program
from tests.helpers import ALL, distinct_models, host

REGISTERS = ROOT / "benchmarks" / "results" / "cuda_registers.json"
INSTRUCTIONS = ROOT / "benchmarks" / "results" / "cuda_instructions.json"
ARCHITECTURES = ("sm_75", "sm_80", "sm_90")
LOOKED_AT = {"float32": ("sm_75", "sm_80"), "float64": ("sm_90",)}
"""Each generation once, and the middle one in single precision, as most others are compiled. All where the environment asks for it."""
RS = iz.load("IzhikevichLTC")
DRAWING = {
    "jumps": {"deltas": ("V",)},
    "counts": {"deltas": ("V",), "poisson": ("V_delta",)},
    "spikes": {"deltas": ("V",), "spikes": ("V_delta",)},
    "both": {"deltas": ("V",), "poisson": ("I", "V_delta"), "spikes": ("I", "V_delta")},
}
"""What the kernel adds to inputs."""
TIMED = KernelRequest(RS, timed_inputs=(("I", "c0*sin(t) + exp(-t) + floor(k/3)"),), noisy_inputs=("I",))


def code(name):
    """The source of a library model without comments, which tell its defaults, and with another word for its name."""
    text = re.sub(r"/\*.*?\*/", "", iz.load(name).source("cuda"), flags=re.DOTALL)
    return re.sub(rf"(?<![A-Za-z0-9]){name}(?![A-Za-z0-9])", "NAME", text)


@cache
def distinct_kernels():
    """Names of library models whose kernels differ in more than names and defaults."""
    found = {}
    for name in distinct_models():
        found.setdefault(code(name), name)
    return sorted(found.values())


# -- NVRTC ------------------------------------------------------------------------------------------------------------


@nvrtc.needs_nvrtc
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_library_models_compile_without_spills(dtype, request):
    """The kernels' registers are kept as data; they are compared where the compiler is the one that they were counted with."""
    sources = {name: iz.load(name).source("cuda", dtype=dtype) for name in distinct_kernels()}
    update = request.config.getoption("--update-goldens")
    for arch in ARCHITECTURES if ALL or update else LOOKED_AT[dtype]:
        compare_registers("registers", sources, dtype, arch, update)


@nvrtc.needs_nvrtc
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_with_counts_and_spikes_compile_without_spills(dtype, request):
    """Neither do they use memory of their own: no array of random words is indexed by the step. Every shape is compiled once; for
    the other architectures and in double precision, the one that has all.
    """
    update = request.config.getoption("--update-goldens")
    for arch in ARCHITECTURES if ALL or update else LOOKED_AT[dtype]:
        shapes = DRAWING if (arch, dtype) == ("sm_80", "float32") else ("both",)
        sources = {what: RS.source("cuda", dtype=dtype, **DRAWING[what]) for what in shapes}
        assert all(f"{part}_{name}" in sources["both"] for part in ("counts", "delivery") for name in ("I", "V_delta"))
        compare_registers("drawing", sources, dtype, arch, update)


def compare_registers(part, sources, dtype, arch, update):
    """Compile sources, and compare the registers of their kernels with those of a part of the data."""
    counted = {}
    for name, source in sources.items():
        compiled = nvrtc.compile(source, arch, OPTIONS)
        assert "warning" not in compiled.log, compiled.log
        for kernel, use in compiled.kernels.items():
            assert use.spill_stores == use.spill_loads == use.stack == 0, f"{name}: {kernel} {use}"
        counted[name] = {kernel.rsplit("_", 1)[1]: use.registers for kernel, use in compiled.kernels.items()}
    known = json.loads(REGISTERS.read_text()) if REGISTERS.is_file() else {}
    if update:
        known = (
            known
            if known.get("nvrtc") == nvrtc.version()
            else {"nvrtc": nvrtc.version(), "izhigen": iz.__version__, "registers": {}}
        )
        known.setdefault(part, {}).setdefault(dtype, {})[arch] = counted
        REGISTERS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    if known["nvrtc"] == nvrtc.version():
        assert counted == known[part][dtype][arch], (
            "registers changed; look at the difference, then run pytest --update-goldens"
        )


def slots_a_step(compiled, kernel, arch):
    """Issue slots of one step in the loops of ``advance``: with inputs that are held, and with one row a step; and what is done between two
    words of spikes, once in 32 steps."""
    source_steps = 8
    found = machine_code.loops(machine_code.instructions(compiled.cubin, kernel, int(arch[3:])))
    inner = sorted((loop for loop in found if loop.is_innermost), key=lambda loop: -arithmetic(loop))
    held = next(loop for loop in inner if not loop.names["LDG"] and not loop.names["STG"])
    rows = next(loop for loop in inner if loop.names["LDG"])
    between = min((o for o in found if o.first < held.first and held.last < o.last), key=lambda o: o.last - o.first)
    return {"held": held.slots / source_steps, "rows": rows.slots / source_steps, "between": between.slots}


def arithmetic(loop):
    return loop.names["FFMA"] + loop.names["DFMA"]


@nvrtc.needs_nvrtc
@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loops_take_no_more_than_they_did(arch, dtype, request):
    """A list of spikes, or figures of them, takes no instruction in the loop: spikes are bits of a word until the loop is left."""
    compiled = nvrtc.compile(RS.source("cuda", dtype=dtype), arch, OPTIONS)
    counted = slots_a_step(compiled, "IzhikevichLTC_advance", arch)
    if request.config.getoption("--update-goldens"):
        known = json.loads(INSTRUCTIONS.read_text())
        known.update(nvrtc=nvrtc.version(), izhigen=iz.__version__)
        known["now"].setdefault(dtype, {})[arch] = counted
        INSTRUCTIONS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    known = json.loads(INSTRUCTIONS.read_text())
    if known["nvrtc"] == nvrtc.version():
        assert counted == known["now"][dtype][arch], (
            "the loops changed; look at the difference, then run pytest --update-goldens"
        )
    if dtype == "float32":
        assert counted["held"] + counted["between"] / 32 < 27 and counted["rows"] < 35


@nvrtc.needs_nvrtc
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_single_step_asks_for_all_that_it_needs_before_it_looks_at_any(arch):
    """Four neurons a thread, each with two states and an input; what is computed first would wait for what was loaded first."""
    code = machine_code.instructions(
        nvrtc.compile(RS.source("cuda"), arch, OPTIONS).cubin, "IzhikevichLTC_step", int(arch[3:])
    )
    first = next(k for k, one in enumerate(code) if one.name in ("FADD", "FFMA", "FMUL", "FSETP"))
    loads = [k for k, one in enumerate(code) if one.name == "LDG"]
    assert len(loads) > 4 * 3 and max(loads) < first


@nvrtc.needs_nvrtc
@pytest.mark.parametrize("name", [*MODELS, *ODD])
@pytest.mark.sample(6)
def test_other_models_compile_without_spills(name):
    """Odd names, blocks of equations, several inputs, noise: every kernel, with parameters of each neuron, and with counts and spikes for
    every input; one with neither is a part of it. Blocks of each neuron take the compiler long, so theirs are without counts and spikes."""
    model = {**MODELS, **ODD}[name]
    has_block = bool(derive_step(model).system.blocks)
    drawn = () if has_block else (*model.inputs, f"{model.states[0]}_delta")
    shape = {"per_neuron": tuple(model.parameters), "deltas": model.states[:1], "poisson": drawn, "spikes": drawn}
    compiled = nvrtc.compile(model.source("cuda", **shape), "sm_80", OPTIONS)
    assert "warning" not in compiled.log, compiled.log
    assert all(use.spill_stores == use.stack == 0 for use in compiled.kernels.values()), compiled.kernels
    assert has_block == (name in ("Oscillator", "noise in a block"))


@nvrtc.needs_nvrtc
@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("izhikevich2007", "float32"),
        ("HH", "float64"),
        ("Everything", "float32"),
        ("Everything", "float64"),
        ("IzhikevichRefLTC", "float64"),
        ("tau_ref in an equation", "float32"),
    ],
)
@pytest.mark.sample(3)
def test_the_search_for_spikes_inside_a_step_compiles_without_spills(name, dtype):
    model = iz.load(name) if name not in {**MODELS, **ODD} else {**MODELS, **ODD}[name]
    request = KernelRequest(model, "rk4", dtype, deltas=model.states[:1], spike_timing="located")
    compiled = nvrtc.compile(request.program("cuda").source, "sm_80", OPTIONS)
    assert "warning" not in compiled.log, compiled.log
    for kernel, use in compiled.kernels.items():  # the number of spikes may lie on the stack of a single step
        assert use.spill_stores == use.spill_loads == 0 and use.stack <= 16, (kernel, use)


@nvrtc.needs_nvrtc
def test_inputs_computed_from_time_compile():
    compiled = nvrtc.compile(TIMED.program("cuda").source, "sm_75")
    assert {
        "IzhikevichLTC_series",
        "IzhikevichLTC_begin",
        "IzhikevichLTC_advance",
        "IzhikevichLTC_step",
        "IzhikevichLTC_tick",
    } == set(compiled.kernels)
    assert "warning" not in compiled.log


def test_nothing_is_included_at_run_time_and_no_arithmetic_is_relaxed():
    source = RS.source("cuda")
    outside = source.split("#else\n", 1)[0]
    assert "#include" not in outside and "fast" not in source.lower()
    with_headers = source.split("#else\n", 1)[1].split("#endif")[0]
    assert (
        with_headers.split() == "#include <math.h> #include <stddef.h> #include <stdint.h> #include <string.h>".split()
    )


# -- beside the C backend, bit for bit ----------------------------------------------------------------------------------


SHAPES = [(1, 1), (1, 32), (3, 64), (5, 96), (2, 1024)]
STEPS = 120


def recorded(model, backend, dtype, **values):
    """Everything that a run of 333 neurons leaves, with a jump, rows of an input, and figures of the spikes."""
    rng = np.random.default_rng(1)
    pop = model.population(333, dt=0.1, backend=backend, dtype=dtype, seed=7, **values)
    state = model.spike_state or model.states[0]
    inputs = {name: rng.uniform(0, 40, (STEPS, 333 if k else 1)).astype(dtype) for k, name in enumerate(model.inputs)}
    inputs[f"{state}_delta"] = rng.normal(0, 1.0, (STEPS, 333)).astype(dtype)
    wanted = [*model.all_states, *(("spike", "count", "isi") if model.threshold else ())]
    rec = pop.run(
        steps=STEPS, record=wanted, neurons=rng.permutation(333)[:50], every=3, check_finite=False, **inputs
    ).to_host()
    found = {name: rec[name] for name in wanted if name != "isi"}
    if "isi" in wanted:
        found.update(mean=rec["isi"].mean, std=rec["isi"].std, times=rec.spikes[0], neurons=rec.spikes[1])
    return {**found, **{name: host(pop.state[name]) for name in model.all_states}, "flags": host(pop.spike)}


@pytest.fixture
def without_contraction(monkeypatch: pytest.MonkeyPatch) -> None:
    """The C backend rounds every product, as g++ is told to for the CUDA source."""
    monkeypatch.setattr(build, "SHARED", (*build.SHARED, "-ffp-contract=off"))


@needs_compiler
@pytest.mark.parametrize(
    ("name", "dtype", "timing"),
    [
        ("Everything", "float32", "step"),
        ("HH", "float32", "step"),
        ("Oscillator", "float64", "step"),
        ("Everything", "float32", "located"),
        ("Everything", "float64", "linear"),
        ("izhikevich2007", "float32", "located"),
        ("tau_ref in an equation", "float64", "located"),
    ],
)
@pytest.mark.sample(4)
def test_equals_the_c_backend_bit_for_bit(name, dtype, timing, without_contraction, monkeypatch, double):
    """For launches of several shapes, threads in either order, and blocks on several processors at once."""
    model = {**MODELS, **ODD}[name]
    rng = np.random.default_rng(0)
    values = {p: v * rng.uniform(0.9, 1.1, 333).astype(dtype) for p, v in list(model.parameters.items())[::2]}
    values["spike_timing"] = timing
    expected = recorded(model, "c", dtype, **values)
    for number, shape in enumerate(SHAPES):
        monkeypatch.setattr("izhigen.backends.cuda.launch_shape", lambda *_, shape=shape: shape)
        double.reverse, double.os_threads = bool(number % 2), 1 + number % 3
        found = recorded(model, "cuda", dtype, **values)
        for key, array in expected.items():
            np.testing.assert_array_equal(found[key], array, err_msg=f"{key} of {name} on a grid of {shape}")
            assert found[key].dtype == array.dtype


def drawn_inputs(model, state):
    """Counts and spikes for every input of 333 neurons, with rates and weights of all forms, beside other values."""
    rng = np.random.default_rng(2)
    rates = [2e4, rng.uniform(0.0, 4e5, 333), "1e3*t*(1 + sin(t))"]
    weights = [0.25, rng.normal(0.0, 0.2, 333), -0.1]
    feeds = {}
    for k, name in enumerate((*model.inputs, f"{state}_delta")):
        counts = iz.inputs.poisson(rates[k % 3], weight=weights[k % 3], n=k + 1)
        times, neurons = rng.uniform(0.0, 13.0, 2000), rng.integers(0, 333, 2000)
        spikes = iz.inputs.spikes(times, neurons, weight=rng.normal(0.0, 2.0, 2000))
        given = iz.inputs.section([10.0, 5.0] if name in model.inputs else [0.1, -0.1], [3.0, 10.0])
        feeds[name] = given + counts + spikes
    return feeds


@needs_compiler
@pytest.mark.parametrize(
    ("name", "dtype"),
    [("Everything", "float32"), ("HH", "float64"), ("izhikevich2007", "float32")],
)
def test_counts_and_spikes_equal_those_of_c_bit_for_bit(name, dtype, without_contraction, monkeypatch, double):
    """For launches of several shapes, in runs that begin anywhere in a block of four steps, and in single steps."""
    model = MODELS[name]
    state = model.spike_state or model.states[0]
    feeds = drawn_inputs(model, state)

    def made(backend):
        pop = model.population(333, dt=0.1, backend=backend, dtype=dtype, seed=2**40 + 7)
        rows = []
        for steps in (1, 6, 50, 63):
            record = [*model.all_states, *feeds, *(("count",) if model.threshold else ())]
            rec = pop.run(steps=steps, record=record, check_finite=False, **feeds).to_host()
            rows += [rec[each] for each in record]
            pop.step(**feeds)
            rows += [host(pop.state[each]).copy() for each in model.all_states]
        return rows

    expected = made("c")
    assert all(np.isfinite(values).all() for values in expected)
    for number, shape in enumerate(SHAPES):
        monkeypatch.setattr("izhigen.backends.cuda.launch_shape", lambda *_, shape=shape: shape)
        double.reverse, double.os_threads = bool(number % 2), 1 + number % 3
        for k, (found, wanted) in enumerate(zip(made("cuda"), expected, strict=True)):
            np.testing.assert_array_equal(found, wanted, err_msg=f"array {k} of {name} on a grid of {shape}")
            assert found.dtype == wanted.dtype


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inputs_and_noise_of_the_kernel_equal_those_of_c(dtype, without_contraction, double):
    """Text in t, a Wiener process with a column a neuron, noise of the model, over several runs that begin anywhere in a block of four steps."""
    model = FULL.variant("Both", a=0.1)
    wiener = iz.inputs.wiener_process(12.0, n=64, seed=5)
    found = {}
    for backend in ("c", "cuda"):
        pop = model.population(64, dt=0.1, backend=backend, dtype=dtype, seed=2**40 + 1)
        rows = []
        for steps in (1, 6, 33, 50):
            rows.append(host(pop.run(steps=steps, record=["V"], I=10 + 5 * wiener, g="0.1*sin(t/2)**2")["V"]))
            rows.append(host(pop.step(I=3.0, g=0.01))[None])
        found[backend] = rows
    for a, b in zip(found["c"], found["cuda"]):
        np.testing.assert_array_equal(a, b)


@needs_compiler
@pytest.mark.parametrize(("size", "dtype"), [(3, "float32"), (5, "float64")])
def test_several_coupled_states_equal_those_of_c(size, dtype, without_contraction, double):
    """The action of a matrix, without loops and with them."""
    lines = [f"dx{k}/dt = -x{k}*(1 + 0.3*x{(k + 1) % size}) + x{(k - 1) % size}" for k in range(size)]
    model = iz.Model("Ring", "\n".join(lines), initial={f"x{k}": 0.3 + 0.2 * k for k in range(size)})
    names, found = [f"x{k}" for k in range(size)], []
    for backend in ("c", "cuda"):
        pop = model.population(
            40, dt=0.2, backend=backend, dtype=dtype, method="exp_rosenbrock", x0=np.linspace(-3, 9, 40)
        )
        rec = pop.run(steps=20, record=names).to_host()
        found.append(np.array([rec[name] for name in names]))
    np.testing.assert_array_equal(found[0], found[1])


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equations_of_bernoulli_equal_those_of_c(dtype, without_contraction, double):
    model = iz.Model("Bernoulli", "dx/dt = x*(y - x**2)\ndy/dt = 0.2*y + 0.01*y**4", initial={"y": 0.5})
    found = []
    for backend in ("c", "cuda"):
        pop = model.population(40, dt=0.2, backend=backend, dtype=dtype, method="strang", x=np.linspace(-3, 9, 40))
        rec = pop.run(steps=20, record=["x", "y"]).to_host()
        found.append(np.array([rec["x"], rec["y"]]))
    np.testing.assert_array_equal(found[0], found[1])


@needs_compiler
def test_time_in_single_precision_is_that_of_double_precision(without_contraction, double):
    """float32 kernels compute t = step*dt from two parts without arithmetic in double precision, and round it as C does."""
    clock = iz.Model("Clock", "dx/dt = where(t >= 0, t, 0) - x", threshold="x > 1e9", reset="x = 0")
    for dt in (0.1, 0.05, 0.001, 1 / 3):
        for start in (0, 4090, 123_456, 10_000_000, 2**31 - 20):
            rows = []
            for backend in ("c", "cuda"):
                pop = clock.population(1, dt=dt, backend=backend, method="euler")
                pop._neurons.steps_done = start
                rows.append(host(pop.run(steps=40, record=["x"])["x"]))
            np.testing.assert_array_equal(rows[0], rows[1], err_msg=f"dt={dt} from step {start}")


# -- under sanitizers ---------------------------------------------------------------------------------------------------

MAIN = """
#include <cstdio>
#include <vector>
int main()
{
    enum { N = 300, STEPS = 40 };
    std::vector<float> V(N, -70.0f), u(N, -14.0f), I(STEPS * N, 300.0f), a(N, 0.02f), trace(4 * 5), zero(1);
    std::vector<double> last(N, -1e7), tau(N, 2.0), squares(N);
    std::vector<int64_t> chosen = {0, 3, 255, 256, 299}, count(N), first(N, -1), latest(N, -1);
    std::vector<uint64_t> keys(N * STEPS);
    std::vector<uint8_t> flags(N);
    struct Everything_constants constants;
    struct Everything_status status = {0, 0, NONE, NONE, 0};
    struct Everything_population p = {};
    struct Everything_run r = {};
    p.neurons = N; p.dt = 0.1; p.seed = 7; p.state.V = V.data(); p.state.u = u.data(); p.state.t_last_spike = last.data();
    p.parameter.a = a.data(); p.parameter.tau_ref = tau.data(); p.parameter.p1 = 0.04; p.parameter.p2 = 5; p.parameter.p3 = 140;
    p.parameter.b = 0.2; p.parameter.c = -65; p.parameter.d = 8; p.parameter.V_th = 30; p.parameter.sigma_V = 1;
    r.steps = STEPS; r.check_finite = 1; r.input.I.values = I.data(); r.input.I.step_stride = N; r.input.I.neuron_stride = 1;
    r.input.g.values = zero.data(); r.record_every = 10; r.record_phase = 9; r.record_count = 5; r.record_neurons = chosen.data();
    r.record.V = trace.data(); r.spike_capacity = N * STEPS; r.spike_key = keys.data(); r.spike_flag = flags.data();
    r.count = count.data(); r.first_spike = first.data(); r.last_spike = latest.data(); r.interval_squares = squares.data();
    r.constants = &constants; r.status = &status;
    void *args[] = {&p, &r};
    on_host::launch(Everything_begin, args, 1, 1, false, 1);
    on_host::launch(Everything_advance, args, 3, 64, true, OS_THREADS);
    on_host::launch(Everything_step, args, 2, 32, false, OS_THREADS);
    std::printf("%llu\\n", (unsigned long long)status.spikes);
    return status.stopped != 0 || status.bad_neuron != NONE;
}
"""


@needs_compiler
@pytest.mark.parametrize("sanitizer, os_threads", [("address,undefined", 2), ("thread", 3), ("thread", 0)])
def test_runs_clean_under_sanitizers(sanitizer, os_threads):
    source = FULL.source("cuda", per_neuron=("a", "tau_ref"))
    outcome = run_program(source, MAIN.replace("OS_THREADS", str(os_threads)), sanitizer)
    assert outcome.status == 0, outcome.output
    assert int(outcome.output) > 300
