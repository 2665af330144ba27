// out = silu(gate) · up (Shazeer 2020), silu(x) = x · σ(x).
// Forward: bytes: three arrays once. Backward: dGate and dUp may be gate and up, since each thread reads its four elements before it writes
// them; bytes: five arrays once. Flops: about 30 per element, most of them the exponential.
#include "sigmoid.cuh"
#include "vector.cuh"

extern "C" __global__ void swiglu_forward(float *out, const float *gate, const float *up, long n, int wide) {
    const long i = firstOfFour();
    if (i >= n) return;
    const bool four = wide && i + 4 <= n;
    float g[4], u[4];
    load4(g, gate, i, n, four);
    load4(u, up, i, n, four);
    for (int j = 0; j < 4; j++) g[j] = g[j] / (1.0f + expf(-g[j])) * u[j];
    store4(out, g, i, n, four);
}
CALM_KERNEL(swiglu_forward)

extern "C" __global__ void swiglu_backward(float *dGate, float *dUp, const float *dOut, const float *gate, const float *up, long n,
                                           int wide) {
    const long i = firstOfFour();
    if (i >= n) return;
    const bool four = wide && i + 4 <= n;
    float g[4], u[4], d[4];
    load4(g, gate, i, n, four);
    load4(u, up, i, n, four);
    load4(d, dOut, i, n, four);
    for (int j = 0; j < 4; j++) {
        const float2 s = sigmoid(g[j]);
        const float dg = d[j] * u[j] * s.x * (1.0f + g[j] * s.y);
        u[j] = d[j] * g[j] * s.x;
        g[j] = dg;
    }
    store4(dGate, g, i, n, four);
    store4(dUp, u, i, n, four);
}
CALM_KERNEL(swiglu_backward)
