/* The part of CUDA's runtime that emitted projects call, on the host: memory of the device is memory of the process, and a launch runs
   its threads before it returns. */
#ifndef CUDA_RUNTIME_ON_HOST_H
#define CUDA_RUNTIME_ON_HOST_H

#include "../cuda_on_host.h"

#include <cstdlib>
#include <cstring>

typedef int cudaError_t;
typedef void *cudaStream_t;
enum { cudaSuccess = 0, cudaErrorMemoryAllocation = 2 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2 };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16 };

inline cudaError_t cudaMalloc(void **pointer, size_t size)
{
    *pointer = std::malloc(size ? size : 1);
    if (*pointer != nullptr)
        std::memset(*pointer, 0xff, size); /* NaN, where nobody writes */
    return *pointer == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}

inline cudaError_t cudaFree(void *pointer)
{
    std::free(pointer);
    return cudaSuccess;
}

inline cudaError_t cudaMemset(void *pointer, int value, size_t size)
{
    std::memset(pointer, value, size);
    return cudaSuccess;
}

inline cudaError_t cudaMemcpy(void *target, const void *source, size_t size, cudaMemcpyKind)
{
    std::memcpy(target, source, size);
    return cudaSuccess;
}

inline int occupancy_queries = 0, delayed_copies = 0; /* copies from the host that are made only later: they must not come from a stack */

inline cudaError_t cudaMemcpyAsync(void *target, const void *source, size_t size, cudaMemcpyKind kind, cudaStream_t)
{
    delayed_copies += kind == cudaMemcpyHostToDevice;
    return cudaMemcpy(target, source, size, kind);
}

inline cudaError_t cudaStreamSynchronize(cudaStream_t)
{
    return cudaSuccess;
}

inline cudaError_t cudaGetDevice(int *device)
{
    *device = 0;
    return cudaSuccess;
}

inline cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr, int)
{
    *value = 3;
    return cudaSuccess;
}

inline const char *cudaGetErrorString(cudaError_t error)
{
    return error == cudaSuccess ? "no error" : "out of memory";
}

template <class Kernel>
cudaError_t cudaOccupancyMaxPotentialBlockSize(int *grid, int *block, Kernel, size_t, int limit)
{
    occupancy_queries++;
    *grid = 3;
    *block = limit ? limit : 1024;
    return cudaSuccess;
}

template <class... Parameters>
cudaError_t cudaLaunchKernel(void (*kernel)(Parameters...), dim3 grid, dim3 block, void **arguments, size_t, cudaStream_t)
{
    on_host::launch(kernel, arguments, grid.x, block.x, true, 2);
    return cudaSuccess;
}

#endif
