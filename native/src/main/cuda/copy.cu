// Copies between types: out[i] = x[i], widened, or rounded to the nearest even. Equal types are copied by the driver.
// Bytes: size of both types per element. Flops: none. Each thread takes four neighbours.
#include "vector.cuh"

extern "C" __global__ void copy(void *out, int outType, const void *x, int type, long n, int wide) {
    const long i = firstOfFour();
    if (i >= n) return;
    const bool four = wide && i + 4 <= n;
    float v[4];
    load4(v, x, type, i, n, four);
    store4(out, outType, v, i, n, four);
}
CALM_KERNEL(copy)
