#!/usr/bin/env bash
# Everything that needs a CUDA device, from a checkout and a folder of wheels, without a network.
#
#   benchmarks/gpu.sh wheels [PYTHON_VERSION]   beforehand, where there is a network: fill the folder (default: the version of $PYTHON)
#   benchmarks/gpu.sh [STAGE ...]               engine selftest bench ncu sanitize rest, in order of worth; all of them by default
#
# Each stage ends after $LIMIT seconds (580) at most; one that fails does not stop the next, and the exit status is 1 when any failed.
# WHEELS: the folder (default: wheels in the checkout). PYTHON: the interpreter; it, or a wheel, brings CuPy. Results go to $RESULTS
# (default: benchmarks/results): device.json, ncu-*.csv, and gpu.json with machine, date, versions and what each stage said.
set -u
cd "$(dirname "$0")/.." || exit 2
PYTHON=${PYTHON:-python3}
WHEELS=${WHEELS:-$PWD/wheels}
RESULTS=${RESULTS:-$PWD/benchmarks/results}
LIMIT=${LIMIT:-580}
LIBRARIES=${LIBRARIES:-${TMPDIR:-/tmp}/izhigen-gpu-$(id -u)}
STAGES="engine selftest bench ncu sanitize rest"
NEEDED=${NEEDED:-"numpy sympy mpmath jinja2 markupsafe cffi pycparser click tqdm matplotlib platformdirs filelock pytest hypothesis scipy xarray zarr numcodecs"}
# What izhigen needs and its tests (name fewer in $NEEDED for a machine that has the rest); pip adds what these need (pycparser, donfig, google-crc32c, contourpy, pandas, ...).

collect_wheels() {
    local version=${1:-$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')}
    mkdir -p "$WHEELS" || return 1
    # shellcheck disable=SC2086
    "$PYTHON" -m pip download --quiet --disable-pip-version-check --only-binary=:all: --python-version "$version" \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --dest "$WHEELS" $NEEDED
}

# Only what the interpreter lacks is installed, so that its own CuPy keeps the NumPy that it was built for.
install_wheels() {
    local name missing=""
    for name in $NEEDED; do
        "$PYTHON" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$name') is None)" || missing="$missing $name"
    done
    export PYTHONPATH="$PWD:$LIBRARIES${PYTHONPATH:+:$PYTHONPATH}"
    [ -n "$missing" ] || return 0
    if [ ! -d "$WHEELS" ]; then
        echo "missing:$missing, and no folder $WHEELS; run benchmarks/gpu.sh wheels where there is a network"
        return 1
    fi
    # shellcheck disable=SC2086
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --no-index --find-links "$WHEELS" --upgrade --target "$LIBRARIES" $missing || return 1
    # what came along with them but the interpreter has already is its own
    "$PYTHON" - "$LIBRARIES" <<'CODE'
import importlib.util, pathlib, shutil, sys
folder = pathlib.Path(sys.argv[1])
sys.path = [p for p in sys.path if pathlib.Path(p or ".").resolve() != folder.resolve()]
if importlib.util.find_spec("numpy"):
    for path in [folder / "numpy", folder / "numpy.libs", *folder.glob("numpy-*.dist-info")]:
        shutil.rmtree(path, ignore_errors=True)
CODE
}

tests() {
    "$PYTHON" -m pytest -q -p no:cacheprovider "$@"
}

stage_engine() {
    "$PYTHON" -c 'from izhigen.backends.device import load_cupy; print(load_cupy().__version__)' &&
        tests tests/cuda/test_engine.py tests/cuda/test_back.py
}

stage_selftest() {
    local folder dtype
    folder=$(mktemp -d) || return 1
    for dtype in float32 float64; do
        "$PYTHON" -c "from izhigen.cli import main; main()" emit IzhikevichLTC --with adjoint --target cuda --dtype "$dtype" -o "$folder/$dtype" &&
            make -s -C "$folder/$dtype" test main && (cd "$folder/$dtype" && ./main 1000 500 | tail -n 1) || return 1
    done
    rm -rf "$folder"
}

stage_bench() {
    "$PYTHON" benchmarks/device.py --save "$RESULTS/device.json"
}

stage_ncu() {
    local neurons failed=0
    for neurons in 1000000 100000000; do
        ncu --clock-control none --csv --set basic --kernel-name 'regex:(_step|_advance|_pull_back)$' --launch-count 6 \
            "$PYTHON" benchmarks/device.py --quick --sizes "$neurons" > "$RESULTS/ncu-$neurons.csv" || failed=1
    done
    return $failed
}

# CuPy's pool hides from the tools where one array ends and the next begins.
stage_sanitize() {
    local tool failed=0
    for tool in memcheck synccheck racecheck initcheck; do
        echo "== $tool"
        IZHIGEN_TEST_WITHOUT_POOL=1 compute-sanitizer --tool "$tool" --error-exitcode 1 --target-processes all \
            "$PYTHON" -m pytest -q -p no:cacheprovider tests/cuda/test_engine.py tests/cuda/test_back.py \
            -k "launches_of_any_length or list_of_spikes_that_is_full or computed_inputs or however_it_is_cut" ||
            failed=1
    done
    return $failed
}

stage_rest() {
    tests tests -k "cuda or device" --ignore tests/cuda/test_engine.py --ignore tests/cuda/test_back.py
}

# Run one stage under the limit, and keep what it said.
run_stage() {
    local stage=$1 log status started=$SECONDS
    log=$(mktemp) || return 1
    echo "== $stage"
    timeout --kill-after=10 "$LIMIT" "$BASH" benchmarks/gpu.sh --inside "$stage" > "$log" 2>&1
    status=$?
    tail -n 15 "$log"
    "$PYTHON" benchmarks/gpu_result.py "$RESULTS/gpu.json" "$stage" "$status" "$((SECONDS - started))" "$log"
    rm -f "$log"
    return $status
}

if [ "${1:-}" = wheels ]; then
    shift
    collect_wheels "$@"
    exit
fi
if [ "${1:-}" = --inside ]; then
    "stage_$2"
    exit
fi
for stage in "$@"; do
    case " $STAGES " in
    *" $stage "*) ;;
    *)
        echo "no stage $stage; there are: wheels $STAGES" >&2
        exit 2
        ;;
    esac
done
mkdir -p "$RESULTS" && install_wheels || exit 2
failed=""
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $STAGES
for stage in "$@"; do
    run_stage "$stage" || failed="$failed $stage"
done
if [ -n "$failed" ]; then
    echo "failed:$failed"
    exit 1
fi
echo "all stages passed"
