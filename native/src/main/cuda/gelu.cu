// out = x/2 · (1 + tanh u), u = √(2/π) · (x + 0.044715 · x³) (Hendrycks & Gimpel 2016, their approximation; gelu_new in Hugging Face),
// computed as x · σ(2u), which is the same and does not cancel.
// Forward: bytes: two arrays once. Backward: dX may be x or dOut; bytes: three arrays once. Flops: about 30 per element, most of them the
// exponential.
#include "sigmoid.cuh"
#include "vector.cuh"

#define TWICE_SCALE 1.5957691216057308f
#define CUBIC 0.044715f

extern "C" __global__ void gelu_forward(float *out, const float *x, long n, int wide) {
    const long i = firstOfFour();
    if (i >= n) return;
    const bool four = wide && i + 4 <= n;
    float v[4];
    load4(v, x, i, n, four);
    for (int j = 0; j < 4; j++) v[j] *= sigmoid(TWICE_SCALE * (v[j] + CUBIC * v[j] * v[j] * v[j])).x;
    store4(out, v, i, n, four);
}
CALM_KERNEL(gelu_forward)

extern "C" __global__ void gelu_backward(float *dX, const float *dOut, const float *x, long n, int wide) {
    const long i = firstOfFour();
    if (i >= n) return;
    const bool four = wide && i + 4 <= n;
    float v[4], d[4];
    load4(v, x, i, n, four);
    load4(d, dOut, i, n, four);
    for (int j = 0; j < 4; j++) {
        const float2 s = sigmoid(TWICE_SCALE * (v[j] + CUBIC * v[j] * v[j] * v[j]));
        d[j] *= s.x + v[j] * s.x * s.y * TWICE_SCALE * (1.0f + 3 * CUBIC * v[j] * v[j]);
    }
    store4(dX, d, i, n, four);
}
CALM_KERNEL(gelu_backward)
