"""The harness itself: kernels written by hand do on the host what they would do on a GPU, and mistakes in them are found."""

import ctypes

import numpy as np
import pytest

from tests.cuda.host import ONE_OS_THREAD_EACH, BuildError, HostModule, entry_points, needs_compiler, run_program

pytestmark = needs_compiler
ADD = """
struct vectors { const float *a; const float *b; float *sum; long long n; };
extern "C" __global__ void __launch_bounds__(256) vectors_add(const struct vectors v, const float scale)
{
    #pragma unroll 1
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < v.n; i += (long long)gridDim.x * blockDim.x)
        v.sum[i] = v.a[i] + scale * v.b[i];
}
"""
HISTOGRAM = """
#include <stdint.h>
extern "C" __global__ void histogram(const int32_t *__restrict__ value, unsigned long long *count, int *least, long long *last, const int n)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    atomicAdd(count + value[i], 1);
    atomicMin(least, value[i]);
    atomicMax(last, (long long)value[i]);
}
"""
APPEND = """
static __device__ __forceinline__ unsigned long long place(unsigned long long *count)
{
    const unsigned lane = threadIdx.x & 31u, mask = __activemask();
    const int leader = __ffs((int)mask) - 1, rank = __popc(mask & ((1u << lane) - 1u));
    unsigned long long base = 0;
    if ((int)lane == leader) base = atomicAdd(count, (unsigned long long)__popc(mask));
    return __shfl_sync(mask, base, leader) + (unsigned long long)rank;
}
extern "C" __global__ void append(const int *value, const int n, int *out, unsigned long long *count)
{
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        if (value[i] % 3 == 0) out[place(count)] = value[i];
}
"""
SHAPES = [(1, 1), (1, 33), (3, 7), (5, 64), (64, 32)]
WAYS = [(False, 1), (True, 1), (False, 3), (True, 2)]


@pytest.mark.parametrize("reverse,os_threads", WAYS)
@pytest.mark.parametrize("grid,block", SHAPES)
def test_every_thread_runs_once(grid, block, reverse, os_threads):
    n = 1000
    a, b, total = np.arange(n, dtype="f4"), np.ones(n, "f4"), np.zeros(n, "f4")
    vectors = np.array((a.ctypes.data, b.ctypes.data, total.ctypes.data, n), dtype="u8,u8,u8,i8")
    HostModule(ADD).launch("vectors_add", grid, (block,), [vectors, np.float32(2)], reverse, os_threads)
    assert (total == a + 2).all()


@pytest.mark.parametrize("reverse,os_threads", [*WAYS, (False, ONE_OS_THREAD_EACH)])
def test_atomics(reverse, os_threads):
    value = np.random.default_rng(1).integers(2, 12, 500).astype("i4")
    count, least, last = np.zeros(16, "u8"), np.full(1, 99, "i4"), np.full(1, -1, "i8")
    HostModule(HISTOGRAM).launch(
        "histogram", 8, 64, [value, count, least, last, np.int32(value.size)], reverse, os_threads
    )
    assert (count == np.bincount(value, minlength=16)).all() and least[0] == value.min() and last[0] == value.max()


@pytest.mark.parametrize("reverse,os_threads", WAYS)
@pytest.mark.parametrize("grid,block", SHAPES)
def test_lists_filled_a_warp_at_a_time(grid, block, reverse, os_threads):
    value, out, count = np.arange(700, dtype="i4"), np.full(700, -1, "i4"), np.zeros(1, "u8")
    HostModule(APPEND).launch("append", grid, block, [value, np.int32(700), out, count], reverse, os_threads)
    expected = value[value % 3 == 0]
    assert (
        count[0] == expected.size
        and (np.sort(out[: expected.size]) == expected).all()
        and (out[expected.size :] == -1).all()
    )


def test_order_is_the_one_asked_for():
    value, n = np.arange(0, 96, 3, dtype="i4"), 32
    for reverse in (False, True):
        out, count = np.full(n, -1, "i4"), np.zeros(1, "u8")
        HostModule(APPEND).launch("append", 4, 8, [value, ctypes.c_int(n), out, count], reverse)
        assert (out == (value[::-1] if reverse else value)).all()


def test_entry_points_are_found_by_their_form():
    assert entry_points(ADD + HISTOGRAM + APPEND) == ["vectors_add", "histogram", "append"]


def test_arguments_must_be_those_of_the_kernel():
    module = HostModule(APPEND)
    assert module.sizes == {"append": [8, 4, 8, 8]}
    value, count = np.zeros(4, "i4"), np.zeros(1, "u8")
    with pytest.raises(TypeError, match=r"append takes arguments of \[8, 4, 8, 8\] bytes, not of \[8, 8, 8, 8\]"):
        module.launch("append", 1, 1, [value, np.int64(4), value, count])
    assert HostModule(ADD).bounds == {"vectors_add": 256}
    with pytest.raises(ValueError, match="1 to 1024"):
        module.launch("append", 1, 2048, [value, np.int32(4), value, count])
    with pytest.raises(ValueError, match="x only"):
        module.launch("append", (1, 2), 1, [value, np.int32(4), value, count])


@pytest.mark.parametrize(
    "broken",
    [
        "int f(",
        "__device__ void f() { __syncthreads(); }",
        "__device__ void f(uint64_t *p) { atomicAdd(p, 1ul); }",
        "__device__ int f() { int unused; return 0; }",
    ],
)
def test_what_cuda_has_not_and_warnings_do_not_build(broken):
    with pytest.raises(BuildError, match="error"):
        HostModule(ADD + broken)


RACE = """
extern "C" __global__ void total(const int *value, int *sum, const int n)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) ADD_TO(sum, value[i]);
}
"""
RACE_MAIN = """
#include <cstdio>
int main()
{
    int values[64], total_of_all = 0, n = 64;
    for (int &value : values) value = 1;
    const int *value = values;
    int *sum = &total_of_all;
    void *args[] = {&value, &sum, &n};
    on_host::launch(total, args, 4, 16, false, OS_THREADS);
    std::printf("sum %d\\n", total_of_all);
}
"""


@pytest.mark.parametrize("os_threads", [ONE_OS_THREAD_EACH, 2])
@pytest.mark.parametrize("adding,found", [("atomicAdd(p, v)", False), ("*(p) += (v)", True)])
def test_thread_sanitizer_tells_races_from_atomics(os_threads, adding, found):
    outcome = run_program(
        f"#define ADD_TO(p, v) {adding}\n{RACE}", RACE_MAIN.replace("OS_THREADS", str(os_threads)), "thread"
    )
    if found:
        assert outcome.status != 0 and "data race" in outcome.output, outcome.output
    else:
        assert outcome == type(outcome)(0, "sum 64\n")


@pytest.mark.parametrize("n,found", [(10, False), (11, True)])
def test_address_sanitizer_finds_what_lies_outside(n, found):
    main = f"""
#include <vector>
int main()
{{
    std::vector<float> a(10, 1.0f), b(10, 1.0f), sum(10);
    struct vectors v = {{a.data(), b.data(), sum.data(), {n}}};
    float scale = 1.0f;
    void *args[] = {{&v, &scale}};
    on_host::launch(vectors_add, args, 1, 32, false, 1);
    return sum[9] == 2.0f ? 0 : 1;
}}
"""
    outcome = run_program(ADD, main, "address,undefined")
    assert (outcome.status != 0) == found, outcome.output
    assert ("heap-buffer-overflow" in outcome.output) == found
