// Copies between types: out[i] = x[i], widened, or rounded to the nearest even. Equal types are copied by the driver.
// Bytes: size of both types per element. Flops: none. Each thread takes four neighbours.
#include "vector.cuh"

template <typename To, typename From> static __device__ void copy(To *out, const From *x, long n, bool wide) {
    const long i = firstOfFour();
    if (i < n) {
        float v[4];
        load4(v, x, i, n, wide && i + 4 <= n);
        store4(out, v, i, n, wide && i + 4 <= n);
    }
}

#define COPY(to, To, from, From)                                                                                \
    extern "C" __global__ void copy_##to##_##from(To *out, const From *x, long n, int wide) {                   \
        copy(out, x, n, wide);                                                                                  \
    }                                                                                                           \
    CALM_KERNEL(copy_##to##_##from)

COPY(f32, float, bf16, bf16)
COPY(f32, float, f16, f16)
COPY(bf16, bf16, f32, float)
COPY(f16, f16, f32, float)
