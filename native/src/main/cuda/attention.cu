// Causal softmax attention over the packed forest of segments: q (T,H,D), k and v (S,G,D), query head h reads key head h / (H/G). The
// algorithm is FlashAttention's (Dao et al. 2022; 2023): tiles in shared memory, softmax computed on the way, no T×T matrix.
//
// Forward: a block is a tile of B queries of one segment and a head; it walks over the keys of the segment and of its ancestors, B at a
// time. Each of the 128 threads holds B/8 rows × D/16 columns of the output in registers; the 16 threads of a row share its maximum by
// shuffles. Backward: the probabilities are computed anew from lse. Two kernels, so that no sum is shared between blocks and the bits are
// fixed: a block of attention_backward_query owns a tile of dQ and walks over keys; a block of attention_backward_key owns a tile of dK and
// dV and walks over the queries that see them, segment after segment, head after head of its group.
// Per visible pair of query and key, flops: forward 4·D, backward 14·D. Bytes: q, out and each key tile once per query tile.
#include "forest.cuh"
#include "vector.cuh"

#define THREADS 128

// A tile's rows in shared memory; four floats more than D, so that 16-byte reads of eight rows meet different banks.
template <int D> struct Tile {
    static const int STRIDE = D + 4;
};

// to[i,·] = x[first + i, head, ·] for i < rows, zero elsewhere.
template <int D, int B>
static __device__ __forceinline__ void loadTile(float *to, const float *x, long first, int rows, int heads, int head, int d, bool wide) {
    for (int at = threadIdx.x; at < B * (D / 4); at += THREADS) {
        const int i = at / (D / 4);
        const int e = at % (D / 4) * 4;
        float v[4] = {0, 0, 0, 0};
        if (i < rows && e < d) load4(v, x + ((first + i) * heads + head) * d, e, d, wide);
        *reinterpret_cast<float4 *>(to + i * Tile<D>::STRIDE + e) = make_float4(v[0], v[1], v[2], v[3]);
    }
}

// s[r][c] = a[ty·R + r] · b[tx + 16·c], rows of two tiles.
template <int D, int R, int C>
static __device__ __forceinline__ void dotTiles(float (&s)[R][C], const float *a, const float *b, int ty, int tx, int d) {
    for (int r = 0; r < R; r++) {
        for (int c = 0; c < C; c++) s[r][c] = 0;
    }
    for (int e = 0; e < d; e += 4) {
        float4 right[C];
#pragma unroll
        for (int c = 0; c < C; c++) right[c] = *reinterpret_cast<const float4 *>(b + (tx + 16 * c) * Tile<D>::STRIDE + e);
#pragma unroll
        for (int r = 0; r < R; r++) {
            const float4 left = *reinterpret_cast<const float4 *>(a + (ty * R + r) * Tile<D>::STRIDE + e);
#pragma unroll
            for (int c = 0; c < C; c++) {
                s[r][c] += left.x * right[c].x + left.y * right[c].y + left.z * right[c].z + left.w * right[c].w;
            }
        }
    }
}

// sum[r][j] += Σᵢ weight(ty·R + r, i) · x[i, tx + 16·j] over the B rows of a tile; the weight of (row, i) lies at row·rowStride +
// i·stepStride.
template <int D, int B, int R>
static __device__ __forceinline__ void mixTile(float (&sum)[R][D / 16], const float *weight, int rowStride, int stepStride,
                                               const float *x, int ty,
                                               int tx) {
#pragma unroll 4
    for (int i = 0; i < B; i++) {
        float w[R];
#pragma unroll
        for (int r = 0; r < R; r++) w[r] = weight[(ty * R + r) * rowStride + i * stepStride];
#pragma unroll
        for (int j = 0; j < D / 16; j++) {
            const float v = x[i * Tile<D>::STRIDE + tx + 16 * j];
#pragma unroll
            for (int r = 0; r < R; r++) sum[r][j] += w[r] * v;
        }
    }
}

// out[first + row, head, ·] = factor[r] · sum[r] for the rows that exist.
template <int D, int R>
static __device__ __forceinline__ void storeRows(float *out, const float (&sum)[R][D / 16], const float (&factor)[R], long first,
                                                 int rows, int heads,
                                                 int head, int d, int ty, int tx) {
    for (int r = 0; r < R; r++) {
        if (ty * R + r >= rows) continue;
        float *row = out + ((first + ty * R + r) * heads + head) * d;
        for (int j = 0; j < D / 16; j++) {
            if (tx + 16 * j < d) row[tx + 16 * j] = sum[r][j] * factor[r];
        }
    }
}

// The keys of segment `at` that a tile of queries of `own` up to position `last` can see: the segment's first so many.
static __device__ __forceinline__ int visibleKeys(const Segment &at, int last) {
    return min(at.keyLength, last - at.depth + 1);
}
// The first of them inside the window of the tile's first query.
static __device__ __forceinline__ int firstKey(const Segment &at, int first, int window, int tile) {
    return window == 0 ? 0 : max(0, first - window + 1 - at.depth) / tile * tile;
}

template <int D, int B>
static __device__ void attentionForward(float *out, float *lse, const float *q, const float *k, const float *v, const int *segments,
                                        const int *tiles,
                                        int heads, int keyHeads, int d, float scale, int window, bool wide) {
    const int R = B / 8, C = B / 16;
    DYNAMIC_SHARED(float, shared);
    float *queries = shared;
    float *keys = queries + B * Tile<D>::STRIDE;
    float *weights = keys + B * Tile<D>::STRIDE;
    const int weightStride = B + 4;
    const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
    const Segment own = segmentAt(segments, tiles[2 * blockIdx.x]);
    const int row = tiles[2 * blockIdx.x + 1];
    const int rows = min(B, own.queryLength - row);
    const int head = blockIdx.y;
    const int group = head / (heads / keyHeads);
    const int firstPosition = queryPosition(own, row);
    loadTile<D, B>(queries, q, own.queryStart + row, rows, heads, head, d, wide);
    float rowMax[R], rowSum[R], sum[R][D / 16];
    for (int r = 0; r < R; r++) {
        rowMax[r] = -INFINITY;
        rowSum[r] = 0;
        for (int j = 0; j < D / 16; j++) sum[r][j] = 0;
    }
    for (int index = tiles[2 * blockIdx.x]; index >= 0;) {
        const Segment at = segmentAt(segments, index);
        const int end = visibleKeys(at, firstPosition + rows - 1);
        for (int key = firstKey(at, firstPosition, window, B); key < end; key += B) {
            loadTile<D, B>(keys, k, at.keyStart + key, end - key, keyHeads, group, d, wide);
            __syncthreads();
            float s[R][C];
            dotTiles<D, R, C>(s, queries, keys, ty, tx, d);
            for (int r = 0; r < R; r++) {
                float tileMax = -INFINITY;
                for (int c = 0; c < C; c++) {
                    const int i = key + tx + 16 * c;
                    const bool seen = i < end && sees(firstPosition + ty * R + r, at.depth + i, window);
                    s[r][c] = seen ? scale * s[r][c] : -INFINITY;
                    tileMax = fmaxf(tileMax, s[r][c]);
                }
                for (int lanes = 8; lanes > 0; lanes >>= 1) tileMax = fmaxf(tileMax, __shfl_xor_sync(0xFFFFFFFFu, tileMax, lanes));
                const float before = rowMax[r];
                rowMax[r] = fmaxf(before, tileMax);
                // Where nothing was seen yet, both are −∞.
                const float shrink = rowMax[r] == -INFINITY ? 1.0f : expf(before - rowMax[r]);
                rowSum[r] *= shrink;
                for (int j = 0; j < D / 16; j++) sum[r][j] *= shrink;
                for (int c = 0; c < C; c++) {
                    const float p = s[r][c] == -INFINITY ? 0.0f : expf(s[r][c] - rowMax[r]);
                    rowSum[r] += p;
                    weights[(ty * R + r) * weightStride + tx + 16 * c] = p;
                }
            }
            __syncthreads();
            loadTile<D, B>(keys, v, at.keyStart + key, end - key, keyHeads, group, d, wide);
            __syncthreads();
            mixTile<D, B, R>(sum, weights, weightStride, 1, keys, ty, tx);
            __syncthreads();
        }
        index = at.parent;
    }
    float factor[R];
    for (int r = 0; r < R; r++) {
        for (int lanes = 8; lanes > 0; lanes >>= 1) rowSum[r] += __shfl_xor_sync(0xFFFFFFFFu, rowSum[r], lanes);
        factor[r] = 1.0f / rowSum[r];
        if (tx == 0 && ty * R + r < rows) lse[(long) (own.queryStart + row + ty * R + r) * heads + head] = rowMax[r] + logf(rowSum[r]);
    }
    storeRows<D, R>(out, sum, factor, own.queryStart + row, rows, heads, head, d, ty, tx);
}

// delta[t,h] = dOut · out, a warp each.
extern "C" __global__ void attention_backward_delta(float *delta, const float *dOut, const float *out, long rows, int d) {
    const long row = blockIdx.x * (long) (blockDim.x / 32) + threadIdx.x / 32;
    float sum = 0;
    if (row < rows) {
        for (int e = threadIdx.x % 32; e < d; e += 32) sum += dOut[row * d + e] * out[row * d + e];
    }
    sum = warpSum(sum);
    if (row < rows && threadIdx.x % 32 == 0) delta[row] = sum;
}
CALM_KERNEL(attention_backward_delta)

// From the scores of a tile of queries against a tile of keys: the probabilities, and the gradients of the scores before scaling.
template <int R, int C>
static __device__ __forceinline__ void scoreGradients(float (&s)[R][C], float (&dp)[R][C], const float (&rowLse)[R],
                                                      const float (&rowDelta)[R],
                                                      float scale, int firstPosition, int rows, int keyPosition, int keys, int window,
                                                      int ty, int tx) {
    for (int r = 0; r < R; r++) {
        for (int c = 0; c < C; c++) {
            const int i = tx + 16 * c, j = ty * R + r;
            const bool seen = j < rows && i < keys && sees(firstPosition + j, keyPosition + i, window);
            s[r][c] = seen ? expf(scale * s[r][c] - rowLse[r]) : 0.0f;
            dp[r][c] = s[r][c] * (dp[r][c] - rowDelta[r]);
        }
    }
}

template <int R>
static __device__ __forceinline__ void loadRowValues(float (&rowLse)[R], float (&rowDelta)[R], const float *lse, const float *delta,
                                                     long first,
                                                     int rows, int heads, int head, int ty) {
    for (int r = 0; r < R; r++) {
        const long at = (first + ty * R + r) * heads + head;
        rowLse[r] = ty * R + r < rows ? lse[at] : 0.0f;
        rowDelta[r] = ty * R + r < rows ? delta[at] : 0.0f;
    }
}

template <int D, int B>
static __device__ void attentionBackwardQuery(float *dQ, const float *dOut, const float *lse, const float *delta, const float *q,
                                              const float *k,
                                              const float *v, const int *segments, const int *tiles, int heads, int keyHeads, int d,
                                              float scale,
                                              int window, bool wide) {
    const int R = B / 8, C = B / 16;
    DYNAMIC_SHARED(float, shared);
    float *queries = shared;
    float *gradients = queries + B * Tile<D>::STRIDE;
    float *keys = gradients + B * Tile<D>::STRIDE;
    float *values = keys + B * Tile<D>::STRIDE;
    float *weights = values + B * Tile<D>::STRIDE;
    const int weightStride = B + 4;
    const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
    const Segment own = segmentAt(segments, tiles[2 * blockIdx.x]);
    const int row = tiles[2 * blockIdx.x + 1];
    const int rows = min(B, own.queryLength - row);
    const int head = blockIdx.y;
    const int group = head / (heads / keyHeads);
    const int firstPosition = queryPosition(own, row);
    loadTile<D, B>(queries, q, own.queryStart + row, rows, heads, head, d, wide);
    loadTile<D, B>(gradients, dOut, own.queryStart + row, rows, heads, head, d, wide);
    float rowLse[R], rowDelta[R], sum[R][D / 16], factor[R];
    loadRowValues(rowLse, rowDelta, lse, delta, own.queryStart + row, rows, heads, head, ty);
    for (int r = 0; r < R; r++) {
        factor[r] = scale;
        for (int j = 0; j < D / 16; j++) sum[r][j] = 0;
    }
    for (int index = tiles[2 * blockIdx.x]; index >= 0;) {
        const Segment at = segmentAt(segments, index);
        const int end = visibleKeys(at, firstPosition + rows - 1);
        for (int key = firstKey(at, firstPosition, window, B); key < end; key += B) {
            loadTile<D, B>(keys, k, at.keyStart + key, end - key, keyHeads, group, d, wide);
            loadTile<D, B>(values, v, at.keyStart + key, end - key, keyHeads, group, d, wide);
            __syncthreads();
            float s[R][C], dp[R][C];
            dotTiles<D, R, C>(s, queries, keys, ty, tx, d);
            dotTiles<D, R, C>(dp, gradients, values, ty, tx, d);
            scoreGradients(s, dp, rowLse, rowDelta, scale, firstPosition, rows, at.depth + key, end - key, window, ty, tx);
            for (int r = 0; r < R; r++) {
                for (int c = 0; c < C; c++) weights[(ty * R + r) * weightStride + tx + 16 * c] = dp[r][c];
            }
            __syncthreads();
            mixTile<D, B, R>(sum, weights, weightStride, 1, keys, ty, tx);
            __syncthreads();
        }
        index = at.parent;
    }
    storeRows<D, R>(dQ, sum, factor, own.queryStart + row, rows, heads, head, d, ty, tx);
}

// viewerStart, viewers: for each segment the segments whose queries see its keys, itself among them.
template <int D, int B>
static __device__ void attentionBackwardKey(float *dK, float *dV, const float *dOut, const float *lse, const float *delta, const float *q,
                                            const float *k, const float *v, const int *segments, const int *tiles, const int *viewerStart,
                                            const int *viewers, int heads, int keyHeads, int d, float scale, int window, bool wide) {
    const int R = B / 8, C = B / 16;
    DYNAMIC_SHARED(float, shared);
    float *keys = shared;
    float *values = keys + B * Tile<D>::STRIDE;
    float *queries = values + B * Tile<D>::STRIDE;
    float *gradients = queries + B * Tile<D>::STRIDE;
    float *probabilities = gradients + B * Tile<D>::STRIDE;
    const int weightStride = B + 4;
    float *dScores = probabilities + B * weightStride;
    const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
    const int index = tiles[2 * blockIdx.x];
    const Segment own = segmentAt(segments, index);
    const int key = tiles[2 * blockIdx.x + 1];
    const int count = min(B, own.keyLength - key);
    const int group = blockIdx.y;
    const int headsPerGroup = heads / keyHeads;
    const int position = own.depth + key;
    loadTile<D, B>(keys, k, own.keyStart + key, count, keyHeads, group, d, wide);
    loadTile<D, B>(values, v, own.keyStart + key, count, keyHeads, group, d, wide);
    float sumK[R][D / 16], sumV[R][D / 16];
    for (int r = 0; r < R; r++) {
        for (int j = 0; j < D / 16; j++) sumK[r][j] = sumV[r][j] = 0;
    }
    for (int viewer = viewerStart[index]; viewer < viewerStart[index + 1]; viewer++) {
        const Segment at = segmentAt(segments, viewers[viewer]);
        const int firstRow = max(0, position - queryPosition(at, 0)) / B * B;
        const int endRow = window == 0 ? at.queryLength : min(at.queryLength, position + count - 1 + window - queryPosition(at, 0));
        for (int row = firstRow; row < endRow; row += B) {
            const int rows = min(B, at.queryLength - row);
            for (int head = group * headsPerGroup; head < (group + 1) * headsPerGroup; head++) {
                loadTile<D, B>(queries, q, at.queryStart + row, rows, heads, head, d, wide);
                loadTile<D, B>(gradients, dOut, at.queryStart + row, rows, heads, head, d, wide);
                float rowLse[R], rowDelta[R];
                loadRowValues(rowLse, rowDelta, lse, delta, at.queryStart + row, rows, heads, head, ty);
                __syncthreads();
                float s[R][C], dp[R][C];
                dotTiles<D, R, C>(s, queries, keys, ty, tx, d);
                dotTiles<D, R, C>(dp, gradients, values, ty, tx, d);
                scoreGradients(s, dp, rowLse, rowDelta, scale, queryPosition(at, row), rows, position, count, window, ty, tx);
                for (int r = 0; r < R; r++) {
                    for (int c = 0; c < C; c++) {
                        probabilities[(ty * R + r) * weightStride + tx + 16 * c] = s[r][c];
                        dScores[(ty * R + r) * weightStride + tx + 16 * c] = dp[r][c];
                    }
                }
                __syncthreads();
                mixTile<D, B, R>(sumV, probabilities, 1, weightStride, gradients, ty, tx);
                mixTile<D, B, R>(sumK, dScores, 1, weightStride, queries, ty, tx);
                __syncthreads();
            }
        }
    }
    float one[R], scaled[R];
    for (int r = 0; r < R; r++) {
        one[r] = 1;
        scaled[r] = scale;
    }
    storeRows<D, R>(dV, sumV, one, own.keyStart + key, count, keyHeads, group, d, ty, tx);
    storeRows<D, R>(dK, sumK, scaled, own.keyStart + key, count, keyHeads, group, d, ty, tx);
}

// Head sizes up to D, tiles of B; so many blocks share a multiprocessor at least, which bounds their registers.
#define ATTENTION(D, B, BLOCKS)                                                                                                           \
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)                                                                             \
    attention_forward_##D(float *out, float *lse, const float *q, const float *k, const float *v, const int *segments, const int *tiles,  \
                          int heads, int keyHeads, int d, float scale, int window, int wide) {                                              \
    attentionForward<D, B>(out, lse, q, k, v, segments, tiles, heads, keyHeads, d, scale, window, wide);                                    \
}                                                                                                                                         \
CALM_KERNEL(attention_forward_##D)                                                                                                        \
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)                                                                             \
    attention_backward_query_##D(float *dQ, const float *dOut, const float *lse, const float *delta, const float *q, const float *k,      \
                                 const float *v, const int *segments, const int *tiles, int heads, int keyHeads, int d, float scale,        \
                                 int window, int wide) {                                                                                  \
    attentionBackwardQuery<D, B>(dQ, dOut, lse, delta, q, k, v, segments, tiles, heads, keyHeads, d, scale, window, wide);                  \
}                                                                                                                                         \
CALM_KERNEL(attention_backward_query_##D)                                                                                                 \
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)                                                                             \
    attention_backward_key_##D(float *dK, float *dV, const float *dOut, const float *lse, const float *delta, const float *q,             \
                               const float *k, const float *v, const int *segments, const int *tiles, const int *viewerStart,             \
                               const int *viewers, int heads, int keyHeads, int d, float scale, int window, int wide) {                     \
    attentionBackwardKey<D, B>(dK, dV, dOut, lse, delta, q, k, v, segments, tiles, viewerStart, viewers, heads, keyHeads, d, scale, window, \
                               wide);                                                                                                     \
}                                                                                                                                         \
CALM_KERNEL(attention_backward_key_##D)

ATTENTION(64, 32, 3)
ATTENTION(128, 32, 3)
ATTENTION(256, 16, 2)
