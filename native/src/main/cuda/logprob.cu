// Log-probability of one target per row out of logits (N,V) that exist only as chunks of columns, each a matrix product's result in one
// scratch buffer: the log-sum-exp is carried on from chunk to chunk (Milakov & Gimelshein 2018).
//
// Forward: a block a row. Bytes: the chunk twice, the second time from the cache. Flops: about 20 per logit, most of them the exponential.
// Backward: the chunk's logits become their gradients in place, coefficient · (1{target} − exp(logit − lse)). Bytes: the chunk twice.
#include "device.cuh"

// A row's running sums for its statistics (TokenStatistic), relative to the running maximum: of squared exponentials, of exponentials times
// their distance from the maximum, and of the logits.
struct __align__(16) Moments {
    float squares, products, logits, unused;
};

// maximum (N), sum (N): running; logit (N): the target's, once its chunk came by. `column` is the chunk's first. Rows of the chunk are
// `stride` long, a multiple of four, of which `width` are there. Four at a time, so that several loads are under way in each thread.
template <bool MOMENTS>
static __device__ void rowForward(float *maximum, float *sum, float *logit, Moments *moments, const float *logits, const int *target, int column,
                                  int width, int stride) {
    __shared__ float scratch[32];
    const float *row = logits + (long) blockIdx.x * stride;
    const int fours = width / 4 * 4, step = 4 * blockDim.x;
    float rowMax = -INFINITY;
#pragma unroll 4
    for (int i = 4 * threadIdx.x; i < fours; i += step) {
        const float4 x = *reinterpret_cast<const float4 *>(row + i);
        rowMax = fmaxf(rowMax, fmaxf(fmaxf(x.x, x.y), fmaxf(x.z, x.w)));
    }
    for (int i = fours + threadIdx.x; i < width; i += blockDim.x) rowMax = fmaxf(rowMax, row[i]);
    rowMax = blockMax(rowMax, scratch);
    const float before = column == 0 ? -INFINITY : maximum[blockIdx.x];
    rowMax = fmaxf(rowMax, before);
    float own = 0, squares = 0, products = 0, all = 0;
    const auto take = [&](float x) {
        const float e = expf(x - rowMax);
        if (MOMENTS) {
            squares += e * e;
            products += e * (x - rowMax);
            all += x;
        }
        return e;
    };
#pragma unroll 4
    for (int i = 4 * threadIdx.x; i < fours; i += step) {
        const float4 x = *reinterpret_cast<const float4 *>(row + i);
        own += take(x.x) + take(x.y) + (take(x.z) + take(x.w));
    }
    for (int i = fours + threadIdx.x; i < width; i += blockDim.x) own += take(row[i]);
    own = blockSum(own, scratch);
    if (MOMENTS) {
        squares = blockSum(squares, scratch);
        products = blockSum(products, scratch);
        all = blockSum(all, scratch);
    }
    if (threadIdx.x == 0) {
        if (MOMENTS) {
            Moments now = {squares, products, all, 0};
            if (column > 0) {
                const Moments then = moments[blockIdx.x];
                const float change = before - rowMax, factor = expf(change);
                now.squares += then.squares * factor * factor;
                now.products += (then.products + change * sum[blockIdx.x]) * factor;
                now.logits += then.logits;
            }
            moments[blockIdx.x] = now;
        }
        maximum[blockIdx.x] = rowMax;
        sum[blockIdx.x] = own + (column == 0 ? 0.0f : sum[blockIdx.x] * expf(before - rowMax));
        const int at = target[blockIdx.x] - column;
        if (at >= 0 && at < width) logit[blockIdx.x] = row[at];
    }
}

extern "C" __global__ void logprob_forward(float *maximum, float *sum, float *logit, const float *logits, const int *target, int column,
                                           int width, int stride) {
    rowForward<false>(maximum, sum, logit, nullptr, logits, target, column, width, stride);
}
CALM_KERNEL(logprob_forward)

extern "C" __global__ void logprob_forward_moments(float *maximum, float *sum, float *logit, Moments *moments, const float *logits,
                                                   const int *target, int column, int width, int stride) {
    rowForward<true>(maximum, sum, logit, moments, logits, target, column, width, stride);
}
CALM_KERNEL(logprob_forward_moments)

// Before logprob_finish: moments become the statistics of Backend.tokenLogProbForward.
extern "C" __global__ void logprob_statistics(float4 *statistics, const float *logit, const float *maximum, const float *sum, int rows,
                                              int vocabulary) {
    const int n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n >= rows) return;
    const float4 moments = statistics[n];
    const float log = logf(sum[n]);
    statistics[n] = make_float4(logf(moments.x) - 2 * log, log - moments.y / sum[n], maximum[n] - logit[n], moments.z / vocabulary);
}
CALM_KERNEL(logprob_statistics)

// logProb holds the target's logit before, the log-probability after; lse the maximum before.
extern "C" __global__ void logprob_finish(float *logProb, float *lse, const float *sum, int rows) {
    const int n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n >= rows) return;
    const float log = logf(sum[n]);
    logProb[n] = logProb[n] - lse[n] - log;
    lse[n] = lse[n] + log;
}
CALM_KERNEL(logprob_finish)

// Grid (columns / threads, rows). What a row has behind `width` becomes zero: the next product reads it when it rounds its operand.
extern "C" __global__ void logprob_backward(float *logits, const float *coefficient, const int *target, const float *lse, int column,
                                            int width, int stride) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= stride) return;
    float *logit = logits + (long) blockIdx.y * stride + i;
    if (i >= width) {
        *logit = 0;
        return;
    }
    const float probability = expf(*logit - lse[blockIdx.y]);
    *logit = coefficient[blockIdx.y] * ((column + i == target[blockIdx.y] ? 1.0f : 0.0f) - probability);
}
CALM_KERNEL(logprob_backward)
