/* CUDA C++ as ordinary C++: included before a generated CUDA source, it lets g++ build that source unchanged.
 *
 * Every thread is as if alone in its warp, so threads may run one after the other in any order, or side by side.
 * Barriers (__syncthreads, __syncwarp) and __shared__ are left out on purpose: a source that uses them does not build.
 * Atomics are relaxed and exist for the types that CUDA has them for, no others.
 */
#ifndef CUDA_ON_HOST_H
#define CUDA_ON_HOST_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __noinline__ /* after all headers, which use the word */
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)

struct uint3 { unsigned x, y, z; };
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

static thread_local uint3 threadIdx{0, 0, 0}, blockIdx{0, 0, 0};
static thread_local dim3 blockDim, gridDim;
static constexpr int warpSize = 32;

/* Warps of one thread: the mask names the caller's own lane, and a shuffle finds the caller alone. */
static inline unsigned __activemask() { return 1u << (threadIdx.x % 32u); }
template <class T> static inline T __shfl_sync(unsigned, T value, int, int = 32) { return value; }
static inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
static inline int __popcll(unsigned long long bits) { return __builtin_popcountll(bits); }
static inline int __ffs(int bits) { return __builtin_ffs(bits); }
static inline int __ffsll(long long bits) { return __builtin_ffsll(bits); }
static inline int __clz(int bits) { return bits ? __builtin_clz(static_cast<unsigned>(bits)) : 32; }
static inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((static_cast<uint64_t>(a) * b) >> 32); }
template <class T> static inline T __ldg(const T *place) { return *place; }

inline double __dmul_rn(double a, double b)
{
    const volatile double product = a * b; /* never part of a multiply-add */
    return product;
}

namespace on_host {

/* Replace what lies at a place by change(old), as one step; what lay there before is returned. */
template <class T, class Change> static inline T update(T *place, Change change) {
    T old, fresh;
    __atomic_load(place, &old, __ATOMIC_RELAXED);
    do fresh = change(old);
    while (!__atomic_compare_exchange(place, &old, &fresh, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return old;
}

}  // namespace on_host

#define ON_HOST_ATOMIC(name, T, result) \
    static inline T name(T *place, T value) { return on_host::update(place, [value](T old) { return result; }); }
#define ON_HOST_ATOMICS(T) \
    ON_HOST_ATOMIC(atomicAdd, T, static_cast<T>(old + value)) \
    ON_HOST_ATOMIC(atomicExch, T, ((void)old, value))
#define ON_HOST_INTEGER_ATOMICS(T) \
    ON_HOST_ATOMIC(atomicMin, T, old < value ? old : value) \
    ON_HOST_ATOMIC(atomicMax, T, old < value ? value : old) \
    ON_HOST_ATOMIC(atomicAnd, T, old & value) \
    ON_HOST_ATOMIC(atomicOr, T, old | value) \
    ON_HOST_ATOMIC(atomicXor, T, old ^ value)

ON_HOST_ATOMICS(int)
ON_HOST_ATOMICS(unsigned)
ON_HOST_ATOMICS(unsigned long long)
ON_HOST_ATOMICS(float)
ON_HOST_ATOMIC(atomicAdd, double, old + value)
ON_HOST_INTEGER_ATOMICS(int)
ON_HOST_INTEGER_ATOMICS(unsigned)
ON_HOST_INTEGER_ATOMICS(long long)
ON_HOST_INTEGER_ATOMICS(unsigned long long)

namespace on_host {

/* A kernel whose type is forgotten, and what calls it with pointers to the values of its arguments: what runs the threads
 * of a launch is compiled once, not for every kernel. */
using Kernel = void (*)();
using Caller = void (*)(Kernel kernel, void **args);

template <class... P, size_t... I> static void call(void (*kernel)(P...), void **args, std::index_sequence<I...>) {
    (void)args;
    kernel(*static_cast<P *>(args[I])...);
}

template <class... P> static void call(Kernel kernel, void **args) {
    call(reinterpret_cast<void (*)(P...)>(kernel), args, std::index_sequence_for<P...>{});
}

/* The bytes that each parameter takes; what is returned is their number. */
template <class... P> static int parameters(void (*)(P...), size_t *sizes) {
    const size_t each[] = {sizeof(P)..., 0};
    if (sizes) std::memcpy(sizes, each, sizeof...(P) * sizeof(size_t));
    return static_cast<int>(sizeof...(P));
}

/* A launch: threads are counted through all its blocks. */
struct Launch {
    Caller caller;
    Kernel kernel;
    void **args;
    unsigned grid, block;
    bool reverse;
    size_t span, spans, crew; /* of the spans of threads, each OS thread of the crew takes every crew-th */
};

struct Share {
    const Launch *launch;
    size_t own;
    pthread_t thread;
};

/* Run some threads of a launch: from first on, count of them. */
inline void stretch(const Launch &launch, size_t first, size_t count) {
    gridDim = dim3{launch.grid, 1, 1};
    blockDim = dim3{launch.block, 1, 1};
    for (size_t k = first; k < first + count; ++k) {
        const size_t thread = launch.reverse ? static_cast<size_t>(launch.grid) * launch.block - 1 - k : k;
        blockIdx.x = static_cast<unsigned>(thread / launch.block);
        threadIdx.x = static_cast<unsigned>(thread % launch.block);
        launch.caller(launch.kernel, launch.args);
    }
}

inline void *run_share(void *given) {
    const Share &share = *static_cast<const Share *>(given);
    for (size_t k = share.own; k < share.launch->spans; k += share.launch->crew)
        stretch(*share.launch, k * share.launch->span, share.launch->span);
    return nullptr;
}

inline void run(const Launch &launch) {
    Share *shares = new Share[launch.crew];
    for (size_t own = 0; own < launch.crew; ++own) {
        shares[own].launch = &launch;
        shares[own].own = own;
        if (pthread_create(&shares[own].thread, nullptr, run_share, &shares[own]) != 0) std::abort();
    }
    for (size_t own = 0; own < launch.crew; ++own) pthread_join(shares[own].thread, nullptr);
    delete[] shares;
}

/* Run a kernel for every thread of every block; args are pointers to the values of its arguments.
 * os_threads: how many share the blocks, each taking every os_threads-th; 0: each CUDA thread is one by itself. */
template <class... P> static void launch(void (*kernel)(P...), void **args, unsigned grid, unsigned block, bool reverse, unsigned os_threads) {
    const size_t all = static_cast<size_t>(grid) * block;
    const size_t span = os_threads ? block : 1, spans = os_threads ? grid : all;
    const size_t crew = os_threads && os_threads < spans ? os_threads : spans;
    const Launch whole{call<P...>, reinterpret_cast<Kernel>(kernel), args, grid, block, reverse, span, spans, crew};
    if (os_threads == 1) return stretch(whole, 0, all);
    run(whole);
}

}  // namespace on_host

#endif
