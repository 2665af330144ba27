// One step of AdamW (Loshchilov & Hutter 2019) in PyTorch's order: g = gradScale · grad, m and v their moving averages,
// w = w · keep − rate · m / (√(v · correction) + ε), with keep = 1 − lr · wd, rate = lr / (1 − β1ᵗ), correction = 1 / (1 − β2ᵗ).
//
// One launch for all tensors of a model, of which most are small: a block is a piece of one of them, found in a table. Where products read
// a rounded copy of a tensor, it is written along. Bytes: four arrays read, three written, and half a one. Flops: about 20 per element.
#include "vector.cuh"

// tensors: eight for each, the addresses of w, m, v, grad, of w rounded (0: none), the size, the decay's bits, and whether accesses are
// wide. pieces: one for each block, the tensor's index in the upper half, the piece's in the lower.
extern "C" __global__ void adamw(const long *tensors, const long *pieces, long pieceSize, double learningRate, float gradScale,
                                 float beta1, float oneMinusBeta1, float beta2, float oneMinusBeta2, float rate, float correction,
                                 float epsilon) {
    const long piece = pieces[blockIdx.x];
    const long *tensor = tensors + 8 * (piece >> 32);
    float *w = reinterpret_cast<float *>(tensor[0]);
    float *m = reinterpret_cast<float *>(tensor[1]);
    float *v = reinterpret_cast<float *>(tensor[2]);
    const float *grad = reinterpret_cast<const float *>(tensor[3]);
    bf16 *rounded = reinterpret_cast<bf16 *>(tensor[4]);
    const long n = tensor[5];
    const float keep = (float) (1.0 - learningRate * __longlong_as_double(tensor[6]));
    const bool wide = tensor[7] != 0;
    const long begin = (piece & 0xFFFFFFFFl) * pieceSize;
    const long end = min(n, begin + pieceSize);
    for (long i = begin + 4 * threadIdx.x; i < end; i += 4 * blockDim.x) {
        const bool four = wide && i + 4 <= end;
        float weight[4], first[4], second[4], g[4];
        load4(weight, w, i, end, four);
        load4(first, m, i, end, four);
        load4(second, v, i, end, four);
        load4(g, grad, i, end, four);
        for (int j = 0; j < 4; j++) {
            g[j] *= gradScale;
            first[j] = beta1 * first[j] + oneMinusBeta1 * g[j];
            second[j] = beta2 * second[j] + oneMinusBeta2 * g[j] * g[j];
            weight[j] = weight[j] * keep - rate * first[j] / (sqrtf(second[j] * correction) + epsilon);
        }
        store4(w, weight, i, end, four);
        store4(m, first, i, end, four);
        store4(v, second, i, end, four);
        if (rounded != nullptr) store4(rounded, weight, i, end, four);
    }
}
CALM_KERNEL(adamw)
