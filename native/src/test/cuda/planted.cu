// Defects, planted to test the stand-in's detectors. Each kernel turns the numbers of each block around: out[i] = in[the block's mirror of
// i]; with `defect` it does one thing wrong, without it must pass unreported.
#include "device.cuh"

#define PLANTED(name) extern "C" __global__ void name(float *out, const float *in, int n, int defect)
#define MIRROR                                              \
    const int t = threadIdx.x, size = blockDim.x;           \
    const int first = blockIdx.x * size;                    \
    const int i = first + t, mirrored = first + size - 1 - t

extern "C" __global__ void planted_scale(float *x, float factor, long n) {
    long i = blockIdx.x * (long) blockDim.x + threadIdx.x;
    if (i < n) x[i] *= factor;
}
CALM_KERNEL(planted_scale)

PLANTED(write_behind_end) {
    MIRROR;
    out[i] = in[mirrored];
    if (defect && i == n - 1) out[n] = 1;
}
CALM_KERNEL(write_behind_end)

PLANTED(write_before_start) {
    MIRROR;
    out[i] = in[mirrored];
    if (defect && i == 0) out[-1] = 1;
}
CALM_KERNEL(write_before_start)

PLANTED(read_far_behind_end) {
    MIRROR;
    out[i] = in[defect && i == 7 ? n + 100000 : mirrored];
}
CALM_KERNEL(read_far_behind_end)

PLANTED(read_before_start) {
    MIRROR;
    out[i] = in[defect && i == 7 ? -1500 : mirrored];
}
CALM_KERNEL(read_before_start)

PLANTED(atomic_behind_end) {
    MIRROR;
    out[i] = in[mirrored];
    if (defect && i == 3) atomicAdd(reinterpret_cast<int *>(out) + n, 1);
}
CALM_KERNEL(atomic_behind_end)

PLANTED(no_barrier_before_read) {
    MIRROR;
    __shared__ float tile[64];
    tile[t] = in[i];
    if (!defect) __syncthreads();
    out[i] = tile[size - 1 - t];
}
CALM_KERNEL(no_barrier_before_read)

PLANTED(no_barrier_before_next_tile) {
    MIRROR;
    __shared__ float tile[64];
    float sum = 0;
    for (int round = 0; round < 2; round++) {
        tile[t] = round == 0 ? in[i] - 1 : 1;
        __syncthreads();
        sum += tile[size - 1 - t];
        if (!defect) __syncthreads();
    }
    out[i] = sum;
}
CALM_KERNEL(no_barrier_before_next_tile)

PLANTED(no_warp_barrier) {
    MIRROR;
    __shared__ float tile[64];
    tile[t] = in[i];
    if (!defect) __syncwarp();
    out[i] = tile[size - 1 - t];
}
CALM_KERNEL(no_warp_barrier)

PLANTED(two_blocks_write_a_word) {
    MIRROR;
    if (i != 0) out[i] = in[mirrored];
    if (defect ? t == 0 : i == 0) out[0] = in[blockDim.x - 1];
}
CALM_KERNEL(two_blocks_write_a_word)

PLANTED(block_reads_what_another_writes) {
    MIRROR;
    out[i] = in[mirrored];
    if (defect && blockIdx.x == 1 && out[t] == 1e9f) out[i] = 0;
}
CALM_KERNEL(block_reads_what_another_writes)

PLANTED(threads_write_one_half_word) {
    MIRROR;
    __shared__ bf16 tile[64];
    fromFloat(tile[t], in[i]);
    if (defect && t == 4) fromFloat(tile[5], in[first + 5]);
    __syncthreads();
    out[i] = toFloat(tile[size - 1 - t]);
}
CALM_KERNEL(threads_write_one_half_word)

PLANTED(divergent_barrier) {
    MIRROR;
    __shared__ float tile[64];
    tile[t] = in[i];
    if (!defect || t < 20) __syncthreads();
    out[i] = tile[size - 1 - t];
}
CALM_KERNEL(divergent_barrier)

PLANTED(two_barriers_meet) {
    MIRROR;
    __shared__ float tile[64];
    tile[t] = in[i];
    if (defect && t % 2 == 0) {
        __syncthreads();
    } else {
        __syncthreads();
    }
    out[i] = tile[size - 1 - t];
}
CALM_KERNEL(two_barriers_meet)

PLANTED(shuffle_with_lanes_that_left) {
    MIRROR;
    if (defect && t >= 28) return;
    out[i] = __shfl_sync(0xFFFFFFFFu, in[i], size - 1 - t);
}
CALM_KERNEL(shuffle_with_lanes_that_left)

PLANTED(shuffle_mask_without_caller) {
    MIRROR;
    out[i] = __shfl_sync(defect ? 0x0000FFFFu : 0xFFFFFFFFu, in[i], size - 1 - t);
}
CALM_KERNEL(shuffle_mask_without_caller)

PLANTED(shared_memory_unwritten) {
    MIRROR;
    __shared__ float tile[64];
    if (!defect || t != 9) tile[t] = in[i];
    __syncthreads();
    out[i] = tile[size - 1 - t];
}
CALM_KERNEL(shared_memory_unwritten)

PLANTED(global_memory_unwritten) {
    MIRROR;
    out[i] = in[mirrored] + (defect ? out[i] : 0);
}
CALM_KERNEL(global_memory_unwritten)

PLANTED(misaligned_vector) {
    MIRROR;
    const float4 four = *reinterpret_cast<const float4 *>(in + mirrored / 4 * 4 + (defect && mirrored < 4 ? 1 : 0));
    const float parts[4] = {four.x, four.y, four.z, four.w};
    out[i] = parts[mirrored % 4];
}
CALM_KERNEL(misaligned_vector)

PLANTED(dynamic_shared_overrun) {
    MIRROR;
    DYNAMIC_SHARED(float, tile);
    tile[t] = in[i];
    if (defect && t == 3) tile[size] = 0;
    __syncthreads();
    out[i] = tile[size - 1 - t];
}
CALM_KERNEL(dynamic_shared_overrun)

PLANTED(static_shared_overrun) {
    MIRROR;
    __shared__ float tile[64];
    tile[defect && t == 3 ? 64 : t] = in[i];
    __syncthreads();
    out[i] = tile[size - 1 - t];
}
CALM_KERNEL(static_shared_overrun)

PLANTED(asynchronous_copy_not_waited_for) {
    MIRROR;
    __shared__ __align__(16) float tile[64];
    if (t < size / 4) copyAsync16(tile + 4 * t, in + first + 4 * t);
    copyAsyncCommit();
    if (!defect) copyAsyncWait<0>();
    __syncthreads();
    out[i] = tile[size - 1 - t];
}
CALM_KERNEL(asynchronous_copy_not_waited_for)

PLANTED(asynchronous_copy_outlives_its_thread) {
    MIRROR;
    __shared__ __align__(16) float tile[64];
    if (t < size / 4) copyAsync16(tile + 4 * t, in + first + 4 * t);
    copyAsyncCommit();
    if (!defect) copyAsyncWait<0>();
    out[i] = in[mirrored];
}
CALM_KERNEL(asynchronous_copy_outlives_its_thread)

PLANTED(null_pointer) {
    MIRROR;
    out[i] = defect && i == 5 ? *reinterpret_cast<const float *>((long) (n - n)) : in[mirrored];
}
CALM_KERNEL(null_pointer)

// What is right, for the arithmetic of the wrappers: out (16,8) = a (16,16) · b (16,8) by mma, its operands out of shared memory by
// ldmatrix.
extern "C" __global__ void planted_mma(float *out, const float *a, const float *b) {
    __shared__ __align__(16) bf16 left[16][16];
    __shared__ __align__(16) bf16 right[16][8];
    const int lane = threadIdx.x;
    for (int i = lane; i < 256; i += 32) fromFloat(left[i / 16][i % 16], a[i]);
    for (int i = lane; i < 128; i += 32) fromFloat(right[i / 8][i % 8], b[i]);
    __syncthreads();
    unsigned l[4], r[2];
    float d[4] = {0, 0, 0, 0};
    loadMatrix4(l, &left[lane % 16][lane / 16 * 8]);
    loadMatrix2Transposed(r, &right[lane % 16][0]);
    mmaBf16(d, l, r);
    const int row = lane / 4, column = 2 * (lane % 4);
    out[row * 8 + column] = d[0];
    out[row * 8 + column + 1] = d[1];
    out[(row + 8) * 8 + column] = d[2];
    out[(row + 8) * 8 + column + 1] = d[3];
}
CALM_KERNEL(planted_mma)
