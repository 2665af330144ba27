// Causal softmax attention over the packed forest of segments on tensor cores: the algorithm and the two backward kernels of attention.cu,
// with operands in BF16 and sums in F32. A block is four warps, each with 16 rows of its tile, whose scores, probabilities and sums stay in
// the registers of mma (FlashAttention-2, Dao 2023): the scores of 16 rows, rounded, are the left operand of the next product as they lie.
//
// attention_pack rounds q, k, v and the gradient once, into rows of D elements: after that every access is 16 bytes wide, and tiles come by
// asynchronous copies. Forward: the values come while the scores are computed, the next keys while the values are added up. Backward: two
// stages, the next tile comes while the last is used. attention_bf16_backward_key computes the scores transposed, rows are keys, so that
// their registers again are left operands.
// Per visible pair of query and key, flops: forward 4·D, backward 14·D. Bytes: q, out and each key tile (2 bytes an element) once per query
// tile; packing: 6 an element.
#include "forest.cuh"
#include "vector.cuh"

#define ATTENTION_WARPS 4
#define ATTENTION_THREADS (32 * ATTENTION_WARPS)
#define ATTENTION_ROWS (16 * ATTENTION_WARPS)
#define LOG2_E 1.44269504f

// out (rows,padded) = x (rows,d), zeros behind d. A thread four neighbours.
extern "C" __global__ void attention_pack(bf16 *out, const float *x, long rows, int d, int padded, int wide) {
    const int perRow = padded / 4;
    const long row = blockIdx.x * (long) (blockDim.x / perRow) + threadIdx.x / perRow;
    if (row >= rows) return;
    const int e = threadIdx.x % perRow * 4;
    float v[4] = {0, 0, 0, 0};
    if (e < d) load4(v, x + row * d, e, d, wide);
    store4(out + row * padded, v, e, padded, true);
}
CALM_KERNEL(attention_pack)

// A tile's rows in shared memory: 16 bytes more than D elements, so that the eight rows of an ldmatrix meet different banks.
template <int D> struct Tile {
    static const int STRIDE = D + 8;
};

// to[i,·] = x[first + i, head, ·] for i < rows, zero elsewhere; not there before the wait. A thread keeps its columns and goes down the rows,
// so that an address is the one before plus a constant.
template <int D, int N>
static __device__ __forceinline__ void copyTile(bf16 *to, const bf16 *x, long first, int rows, int heads, int head) {
    const int perRow = D / 8, step = ATTENTION_THREADS / perRow;
    static_assert(ATTENTION_THREADS % perRow == 0 && N % step == 0, "each thread copies as often");
    const int e = threadIdx.x % perRow * 8;
    int i = threadIdx.x / perRow;
    to += i * Tile<D>::STRIDE + e;
    const bf16 *top = x + (first * heads + head) * D + e;
    const long pitch = (long) heads * D;
    const bf16 *from = top + i * pitch;
#pragma unroll
    for (int copies = 0; copies < N / step; copies++) {
        const bool there = i < rows;
        copyAsync16(to, there ? from : top, there ? 16 : 0);
        i += step;
        to += step * Tile<D>::STRIDE;
        from += step * pitch;
    }
}

// Two neighbouring tiles of columns at a time, as ldmatrix gives them.
static __device__ __forceinline__ void multiply(float (&left)[4], float (&right)[4], const unsigned (&a)[4], const unsigned (&b)[4]) {
    const unsigned first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
    mmaBf16(left, a, first);
    mmaBf16(right, a, second);
}

// s (16,N) = rows `row` to `row + 15` of a, times the N rows of b.
template <int D, int N>
static __device__ __forceinline__ void dotTiles(float (&s)[N / 8][4], const bf16 *a, int row, const bf16 *b) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int n = 0; n < N / 8; n++) {
        for (int i = 0; i < 4; i++) s[n][i] = 0;
    }
    const bf16 *left = a + (row + lane % 16) * Tile<D>::STRIDE + lane / 16 * 8;
    const bf16 *right = b + (lane / 16 * 8 + lane % 8) * Tile<D>::STRIDE + lane / 8 % 2 * 8;
#pragma unroll
    for (int e = 0; e < D; e += 16) {
        unsigned x[4];
        loadMatrix4(x, left + e);
#pragma unroll
        for (int n = 0; n < N; n += 16) {
            unsigned y[4];
            loadMatrix4(y, right + n * Tile<D>::STRIDE + e);
            multiply(s[n / 8], s[n / 8 + 1], x, y);
        }
    }
}

// sum (16,D) += weight (16,N), rounded, times the N rows of x.
template <int D, int N>
static __device__ __forceinline__ void mixTile(float (&sum)[D / 8][4], const float (&weight)[N / 8][4], const bf16 *x) {
    const int lane = threadIdx.x % 32;
    const bf16 *right = x + lane % 16 * Tile<D>::STRIDE + lane / 16 * 8;
#pragma unroll
    for (int n = 0; n < N; n += 16) {
        const float(&low)[4] = weight[n / 8], (&high)[4] = weight[n / 8 + 1];
        const unsigned left[4] = {packBf16(low[0], low[1]), packBf16(low[2], low[3]), packBf16(high[0], high[1]),
                                  packBf16(high[2], high[3])};
#pragma unroll
        for (int e = 0; e < D; e += 16) {
            unsigned y[4];
            loadMatrix4Transposed(y, right + n * Tile<D>::STRIDE + e);
            multiply(sum[e / 8], sum[e / 8 + 1], left, y);
        }
    }
}

// out[first + row, head, ·] = factor · sum for this thread's two rows, if they exist.
template <int D>
static __device__ __forceinline__ void storeRows(float *out, const float (&sum)[D / 8][4], const float (&factor)[2], long first, int rows,
                                                 int heads, int head, int d) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int r = 0; r < 2; r++) {
        const int row = threadIdx.x / 32 * 16 + lane / 4 + 8 * r;
        if (row >= rows) continue;
        float *to = out + ((first + row) * heads + head) * d;
#pragma unroll
        for (int n = 0; n < D / 8; n++) {
            const int e = 8 * n + 2 * (lane % 4);
            if (e < d) to[e] = sum[n][2 * r] * factor[r];
            if (e + 1 < d) to[e + 1] = sum[n][2 * r + 1] * factor[r];
        }
    }
}

template <int D> static __device__ __forceinline__ void clear(float (&sum)[D / 8][4]) {
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
        for (int i = 0; i < 4; i++) sum[n][i] = 0;
    }
}

// The keys that queries at the positions `first` to `last` of a sequence see, N at a time: those of their segment, then of its ancestors.
template <int N> struct KeyTiles {
    const int *segments;
    int first, last, window;
    Segment at;
    int key, end;
    bool any;

    __device__ __forceinline__ void enter(int index) {
        for (; index >= 0; index = at.parent) {
            at = segmentAt(segments, index);
            end = min(at.keyLength, last - at.depth + 1);
            key = window == 0 ? 0 : max(0, first - window + 1 - at.depth) / N * N;
            if (key < end) break;  // A tile of which nothing is seen adds nothing: going on only saves time.
        }
        any = index >= 0;
    }
    __device__ __forceinline__ void next() {
        key += N;
        if (key >= end) enter(at.parent);
    }
    // Whether every query sees every key of the tile.
    __device__ __forceinline__ bool whole() const {
        return key + N <= end && at.depth + key + N - 1 <= first && (window == 0 || at.depth + key > last - window);
    }
    __device__ __forceinline__ bool seen(int query, int i) const {
        return key + i < end && sees(query, at.depth + key + i, window);
    }
};

template <int D, int N>
static __device__ void attentionForward(float *out, float *lse, const bf16 *q, const bf16 *k, const bf16 *v, const int *segments,
                                        const int *tiles, int heads, int keyHeads, int d, int firstKey, float scale, int window) {
    DYNAMIC_SHARED(bf16, shared);
    bf16 *queries = shared;
    bf16 *keys = queries + ATTENTION_ROWS * Tile<D>::STRIDE;
    bf16 *values = keys + N * Tile<D>::STRIDE;
    // The tiles that come last see most.
    const int tile = gridDim.x - 1 - blockIdx.x;
    const Segment own = segmentAt(segments, tiles[2 * tile]);
    const int row = tiles[2 * tile + 1];
    const int rows = min(ATTENTION_ROWS, own.queryLength - row);
    const int head = blockIdx.y;
    const int group = head / (heads / keyHeads);
    const int lane = threadIdx.x % 32, warpRow = threadIdx.x / 32 * 16;
    const int first = queryPosition(own, row);
    KeyTiles<N> at = {segments, first, first + rows - 1, window};
    at.enter(tiles[2 * tile]);
    copyTile<D, ATTENTION_ROWS>(queries, q, own.queryStart + row, rows, heads, head);
    copyTile<D, N>(keys, k, at.at.keyStart - firstKey + at.key, at.end - at.key, keyHeads, group);
    copyAsyncCommit();
    float rowMax[2] = {-INFINITY, -INFINITY}, rowSum[2] = {0, 0}, sum[D / 8][4];
    clear<D>(sum);
    const float scale2 = scale * LOG2_E;
    while (at.any) {
        copyAsyncWait<0>();
        __syncthreads();
        copyTile<D, N>(values, v, at.at.keyStart - firstKey + at.key, at.end - at.key, keyHeads, group);
        copyAsyncCommit();
        float s[N / 8][4];
        dotTiles<D, N>(s, queries, warpRow, keys);
        if (!at.whole()) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
                for (int i = 0; i < 4; i++) {
                    if (!at.seen(first + warpRow + lane / 4 + i / 2 * 8, 8 * n + 2 * (lane % 4) + i % 2)) s[n][i] = -INFINITY;
                }
            }
        }
#pragma unroll
        for (int r = 0; r < 2; r++) {
            float tileMax = -INFINITY;
            for (int n = 0; n < N / 8; n++) tileMax = fmaxf(tileMax, fmaxf(s[n][2 * r], s[n][2 * r + 1]));
            for (int lanes = 2; lanes > 0; lanes >>= 1) tileMax = fmaxf(tileMax, __shfl_xor_sync(0xFFFFFFFFu, tileMax, lanes));
            const float before = rowMax[r];
            rowMax[r] = fmaxf(before, tileMax);
            // Where nothing was seen yet, both are −∞.
            const float shift = rowMax[r] == -INFINITY ? 0.0f : rowMax[r] * scale2;
            const float shrink = exp2f(before * scale2 - shift);
            rowSum[r] *= shrink;
            for (int n = 0; n < D / 8; n++) {
                sum[n][2 * r] *= shrink;
                sum[n][2 * r + 1] *= shrink;
            }
            for (int n = 0; n < N / 8; n++) {
                for (int i = 2 * r; i < 2 * r + 2; i++) {
                    s[n][i] = exp2f(s[n][i] * scale2 - shift);
                    rowSum[r] += s[n][i];
                }
            }
        }
        copyAsyncWait<0>();
        __syncthreads();
        at.next();
        if (at.any) {
            copyTile<D, N>(keys, k, at.at.keyStart - firstKey + at.key, at.end - at.key, keyHeads, group);
            copyAsyncCommit();
        }
        mixTile<D, N>(sum, s, values);
    }
    // Where nothing is seen, what was asked for is still on its way.
    copyAsyncWait<0>();
    float factor[2];
#pragma unroll
    for (int r = 0; r < 2; r++) {
        for (int lanes = 2; lanes > 0; lanes >>= 1) rowSum[r] += __shfl_xor_sync(0xFFFFFFFFu, rowSum[r], lanes);
        factor[r] = 1.0f / rowSum[r];
        const int mine = warpRow + lane / 4 + 8 * r;
        if (lane % 4 == 0 && mine < rows) {
            lse[(long) (own.queryStart + row + mine) * heads + head] = rowMax[r] * scale + logf(rowSum[r]);
        }
    }
    storeRows<D>(out, sum, factor, own.queryStart + row, rows, heads, head, d);
}

template <int D, int N>
static __device__ void attentionBackwardQuery(float *dQ, const bf16 *dOut, const float *lse, const float *delta, const bf16 *q,
                                              const bf16 *k, const bf16 *v, const int *segments, const int *tiles, int heads, int keyHeads,
                                              int d, int firstKey, float scale, int window) {
    DYNAMIC_SHARED(bf16, shared);
    const int tileSize = N * Tile<D>::STRIDE;
    bf16 *queries = shared;
    bf16 *gradients = queries + ATTENTION_ROWS * Tile<D>::STRIDE;
    bf16 *keys = gradients + ATTENTION_ROWS * Tile<D>::STRIDE;
    bf16 *values = keys + 2 * tileSize;
    const int tile = gridDim.x - 1 - blockIdx.x;
    const Segment own = segmentAt(segments, tiles[2 * tile]);
    const int row = tiles[2 * tile + 1];
    const int rows = min(ATTENTION_ROWS, own.queryLength - row);
    const int head = blockIdx.y;
    const int group = head / (heads / keyHeads);
    const int lane = threadIdx.x % 32, warpRow = threadIdx.x / 32 * 16;
    const int first = queryPosition(own, row);
    KeyTiles<N> at = {segments, first, first + rows - 1, window};
    at.enter(tiles[2 * tile]);
    copyTile<D, ATTENTION_ROWS>(queries, q, own.queryStart + row, rows, heads, head);
    copyTile<D, ATTENTION_ROWS>(gradients, dOut, own.queryStart + row, rows, heads, head);
    copyTile<D, N>(keys, k, at.at.keyStart - firstKey + at.key, at.end - at.key, keyHeads, group);
    copyTile<D, N>(values, v, at.at.keyStart - firstKey + at.key, at.end - at.key, keyHeads, group);
    copyAsyncCommit();
    float rowLse[2], rowDelta[2], sum[D / 8][4];
    for (int r = 0; r < 2; r++) {
        const int mine = warpRow + lane / 4 + 8 * r;
        const long of = (long) (own.queryStart + row + mine) * heads + head;
        rowLse[r] = mine < rows ? lse[of] * LOG2_E : 0.0f;
        rowDelta[r] = mine < rows ? delta[of] : 0.0f;
    }
    clear<D>(sum);
    const float scale2 = scale * LOG2_E;
    for (int stage = 0; at.any; stage ^= 1) {
        copyAsyncWait<0>();
        __syncthreads();
        KeyTiles<N> next = at;
        next.next();
        if (next.any) {
            copyTile<D, N>(keys + (stage ^ 1) * tileSize, k, next.at.keyStart - firstKey + next.key, next.end - next.key, keyHeads, group);
            copyTile<D, N>(values + (stage ^ 1) * tileSize, v, next.at.keyStart - firstKey + next.key, next.end - next.key, keyHeads, group);
            copyAsyncCommit();
        }
        float s[N / 8][4], dp[N / 8][4];
        dotTiles<D, N>(s, queries, warpRow, keys + stage * tileSize);
        dotTiles<D, N>(dp, gradients, warpRow, values + stage * tileSize);
#pragma unroll
        for (int n = 0; n < N / 8; n++) {
            for (int i = 0; i < 4; i++) dp[n][i] = exp2f(s[n][i] * scale2 - rowLse[i / 2]) * (dp[n][i] - rowDelta[i / 2]);
        }
        // Whatever came out where nothing is seen, infinity too, goes.
        if (!at.whole()) {
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
                for (int i = 0; i < 4; i++) {
                    if (!at.seen(first + warpRow + lane / 4 + i / 2 * 8, 8 * n + 2 * (lane % 4) + i % 2)) dp[n][i] = 0;
                }
            }
        }
        mixTile<D, N>(sum, dp, keys + stage * tileSize);
        at = next;
    }
    copyAsyncWait<0>();
    const float factor[2] = {scale, scale};
    storeRows<D>(dQ, sum, factor, own.queryStart + row, rows, heads, head, d);
}

// The queries that see the keys of a tile, N at a time: segment after segment, head after head of the group.
template <int N> struct QueryTiles {
    const int *segments, *viewers;
    int endViewer, position, count, window, firstHead, endHead;
    int viewer, head;
    Segment at;
    int row, endRow;
    bool any;

    __device__ __forceinline__ void enter() {
        for (; viewer < endViewer; viewer++) {
            at = segmentAt(segments, viewers[viewer]);
            const int start = queryPosition(at, 0);
            row = max(0, position - start) / N * N;
            endRow = window == 0 ? at.queryLength : min(at.queryLength, position + count - 1 + window - start);
            if (row < endRow) break;  // As there, going on only saves time.
        }
        any = viewer < endViewer;
    }
    __device__ __forceinline__ void next() {
        if (++head < endHead) return;
        head = firstHead;
        row += N;
        if (row < endRow) return;
        viewer++;
        enter();
    }
    __device__ __forceinline__ int rows() const {
        return min(N, at.queryLength - row);
    }
    // Whether every key of the tile is seen by every query.
    __device__ __forceinline__ bool whole() const {
        const int first = queryPosition(at, row);
        return row + N <= at.queryLength && position + count - 1 <= first && (window == 0 || position > first + N - 1 - window);
    }
};

// A tile of queries, their gradients, log-sums and deltas.
template <int D, int N>
static __device__ __forceinline__ void copyQueries(bf16 *queries, bf16 *gradients, float *lse2, float *deltas, const QueryTiles<N> &at,
                                                   const bf16 *q, const bf16 *dOut, const float *lse, const float *delta, int heads) {
    const long first = at.at.queryStart + at.row;
    copyTile<D, N>(queries, q, first, at.rows(), heads, at.head);
    copyTile<D, N>(gradients, dOut, first, at.rows(), heads, at.head);
    copyAsyncCommit();
    if (threadIdx.x < N) {
        const bool there = (int) threadIdx.x < at.rows();
        lse2[threadIdx.x] = there ? lse[(first + threadIdx.x) * heads + at.head] * LOG2_E : 0.0f;
        deltas[threadIdx.x] = there ? delta[(first + threadIdx.x) * heads + at.head] : 0.0f;
    }
}

// viewerStart, viewers: for each segment the segments whose queries see its keys, itself among them.
template <int D, int N>
static __device__ void attentionBackwardKey(float *dK, float *dV, const bf16 *dOut, const float *lse, const float *delta, const bf16 *q,
                                            const bf16 *k, const bf16 *v, const int *segments, const int *tiles, const int *viewerStart,
                                            const int *viewers, int heads, int keyHeads, int d, int firstKey, float scale, int window) {
    DYNAMIC_SHARED(bf16, shared);
    const int tileSize = N * Tile<D>::STRIDE;
    bf16 *keys = shared;
    bf16 *values = keys + ATTENTION_ROWS * Tile<D>::STRIDE;
    bf16 *queries = values + ATTENTION_ROWS * Tile<D>::STRIDE;
    bf16 *gradients = queries + 2 * tileSize;
    float *lse2 = reinterpret_cast<float *>(gradients + 2 * tileSize);
    float *deltas = lse2 + 2 * N;
    const int index = tiles[2 * blockIdx.x];
    const Segment own = segmentAt(segments, index);
    const int key = tiles[2 * blockIdx.x + 1];
    const int count = min(ATTENTION_ROWS, own.keyLength - key);
    const int group = blockIdx.y;
    const int headsPerGroup = heads / keyHeads;
    const int position = own.depth + key;
    const int lane = threadIdx.x % 32, warpRow = threadIdx.x / 32 * 16;
    QueryTiles<N> at = {segments, viewers, viewerStart[index + 1], position, count, window, group * headsPerGroup,
                        (group + 1) * headsPerGroup, viewerStart[index], group * headsPerGroup};
    at.enter();
    float sumK[D / 8][4], sumV[D / 8][4];
    clear<D>(sumK);
    clear<D>(sumV);
    copyTile<D, ATTENTION_ROWS>(keys, k, own.keyStart - firstKey + key, count, keyHeads, group);
    copyTile<D, ATTENTION_ROWS>(values, v, own.keyStart - firstKey + key, count, keyHeads, group);
    if (at.any) copyQueries<D, N>(queries, gradients, lse2, deltas, at, q, dOut, lse, delta, heads);
    const float scale2 = scale * LOG2_E;
    for (int stage = 0; at.any; stage ^= 1) {
        copyAsyncWait<0>();
        __syncthreads();
        QueryTiles<N> next = at;
        next.next();
        if (next.any) {
            const int other = stage ^ 1;
            copyQueries<D, N>(queries + other * tileSize, gradients + other * tileSize, lse2 + other * N, deltas + other * N, next, q, dOut,
                              lse, delta, heads);
        }
        float p[N / 8][4], dp[N / 8][4];
        dotTiles<D, N>(p, keys, warpRow, queries + stage * tileSize);
#pragma unroll
        for (int n = 0; n < N / 8; n++) {
            for (int i = 0; i < 4; i++) p[n][i] = exp2f(p[n][i] * scale2 - lse2[stage * N + 8 * n + 2 * (lane % 4) + i % 2]);
        }
        if (!at.whole()) {
            const int query = queryPosition(at.at, at.row), rows = at.rows();
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
                for (int i = 0; i < 4; i++) {
                    const int j = 8 * n + 2 * (lane % 4) + i % 2, own = warpRow + lane / 4 + i / 2 * 8;
                    if (j >= rows || own >= count || !sees(query + j, position + own, window)) p[n][i] = 0;
                }
            }
        }
        mixTile<D, N>(sumV, p, gradients + stage * tileSize);
        dotTiles<D, N>(dp, values, warpRow, gradients + stage * tileSize);
#pragma unroll
        for (int n = 0; n < N / 8; n++) {
            for (int i = 0; i < 4; i++) dp[n][i] = p[n][i] * (dp[n][i] - deltas[stage * N + 8 * n + 2 * (lane % 4) + i % 2]);
        }
        mixTile<D, N>(sumK, dp, queries + stage * tileSize);
        at = next;
    }
    // Of keys that nobody sees the copies are still under way, and no group yet.
    copyAsyncCommit();
    copyAsyncWait<0>();
    const float one[2] = {1, 1}, scaled[2] = {scale, scale};
    storeRows<D>(dV, sumV, one, own.keyStart + key, count, keyHeads, group, d);
    storeRows<D>(dK, sumK, scaled, own.keyStart + key, count, keyHeads, group, d);
}

// Head sizes up to D; FORWARD keys at a time, BACKWARD keys or queries at a time.
#define ATTENTION_BF16(D, FORWARD, BACKWARD)                                                                                              \
extern "C" __global__ void __launch_bounds__(ATTENTION_THREADS, 2)                                                                        \
    attention_bf16_forward_##D(float *out, float *lse, const bf16 *q, const bf16 *k, const bf16 *v, const int *segments,                  \
                               const int *tiles, int heads, int keyHeads, int d, int firstKey, float scale, int window) {                   \
    attentionForward<D, FORWARD>(out, lse, q, k, v, segments, tiles, heads, keyHeads, d, firstKey, scale, window);                          \
}                                                                                                                                         \
CALM_KERNEL(attention_bf16_forward_##D)                                                                                                   \
extern "C" __global__ void __launch_bounds__(ATTENTION_THREADS, 2)                                                                        \
    attention_bf16_backward_query_##D(float *dQ, const bf16 *dOut, const float *lse, const float *delta, const bf16 *q, const bf16 *k,    \
                                      const bf16 *v, const int *segments, const int *tiles, int heads, int keyHeads, int d, int firstKey,   \
                                      float scale, int window) {                                                                          \
    attentionBackwardQuery<D, BACKWARD>(dQ, dOut, lse, delta, q, k, v, segments, tiles, heads, keyHeads, d, firstKey, scale, window);       \
}                                                                                                                                         \
CALM_KERNEL(attention_bf16_backward_query_##D)                                                                                            \
extern "C" __global__ void __launch_bounds__(ATTENTION_THREADS, 2)                                                                        \
    attention_bf16_backward_key_##D(float *dK, float *dV, const bf16 *dOut, const float *lse, const float *delta, const bf16 *q,          \
                                    const bf16 *k, const bf16 *v, const int *segments, const int *tiles, const int *viewerStart,          \
                                    const int *viewers, int heads, int keyHeads, int d, int firstKey, float scale, int window) {            \
    attentionBackwardKey<D, BACKWARD>(dK, dV, dOut, lse, delta, q, k, v, segments, tiles, viewerStart, viewers, heads, keyHeads, d,         \
                                      firstKey, scale, window);                                                                           \
}                                                                                                                                         \
CALM_KERNEL(attention_bf16_backward_key_##D)

ATTENTION_BF16(64, 64, 64)
ATTENTION_BF16(128, 64, 32)
