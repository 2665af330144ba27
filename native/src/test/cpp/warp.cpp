// What the lanes of a warp do together once all have met, and asynchronous copies.
#include "state.h"

#include <algorithm>

namespace simt {

void voteAct(void *const lanes[32], unsigned mask) {
    unsigned result = 0;
    for (int l = 0; l < 32; l++) {
        if (mask >> l & 1 && static_cast<Vote *>(lanes[l])->in) result |= 1u << l;
    }
    for (int l = 0; l < 32; l++) {
        if (mask >> l & 1) static_cast<Vote *>(lanes[l])->out = result;
    }
}

// By the layout in PTX's manual, "Matrix fragments for mma.m16n8k16 with floating point type".
void mmaAct(void *const lanes[32], unsigned) {
    float a[16][16], b[16][8];
    auto low = [](unsigned pair) { return simtBits<float>(pair << 16); };
    auto high = [](unsigned pair) { return simtBits<float>(pair & 0xFFFF0000u); };
    for (int l = 0; l < 32; l++) {
        auto *lane = static_cast<Mma *>(lanes[l]);
        int g = l / 4, t = l % 4;
        for (int i = 0; i < 4; i++) {
            int row = g + 8 * (i % 2), column = 2 * t + 8 * (i / 2);
            a[row][column] = low(lane->a[i]);
            a[row][column + 1] = high(lane->a[i]);
        }
        for (int i = 0; i < 2; i++) {
            b[2 * t + 8 * i][g] = low(lane->b[i]);
            b[2 * t + 8 * i + 1][g] = high(lane->b[i]);
        }
    }
    for (int l = 0; l < 32; l++) {
        auto *lane = static_cast<Mma *>(lanes[l]);
        for (int i = 0; i < 4; i++) {
            int row = l / 4 + 8 * (i / 2), column = 2 * (l % 4) + i % 2;
            float sum = lane->d[i];
            for (int k = 0; k < 16; k++) sum += a[row][k] * b[k][column];
            lane->d[i] = sum;
        }
    }
}

void loadMatrixAct(void *const lanes[32], unsigned) {
    int matrices = static_cast<LoadMatrix *>(lanes[0])->matrices;
    bool transposed = static_cast<LoadMatrix *>(lanes[0])->transposed;
    for (int m = 0; m < matrices; m++) {
        unsigned short matrix[8][8];
        for (int row = 0; row < 8; row++) memcpy(matrix[row], static_cast<LoadMatrix *>(lanes[8 * m + row])->row, 16);
        for (int l = 0; l < 32; l++) {
            int row = l / 4, column = 2 * (l % 4);
            unsigned first = transposed ? matrix[column][row] : matrix[row][column];
            unsigned second = transposed ? matrix[column + 1][row] : matrix[row][column + 1];
            static_cast<LoadMatrix *>(lanes[l])->r[m] = second << 16 | first;
        }
    }
}

void copyAsync(void *shared, const void *global, int bytes, Site site) {
    if (bytes < 0 || bytes > 16) fail(LAUNCH_FAILED, "%s:%d: an asynchronous copy of %d bytes", site.file, site.line, bytes);
    if (bytes > 0) touchRead(global, bytes);
    AsyncCopies &mine = asyncCopies();
    mine.copies.push_back({shared, global, bytes, mine.group});
}

void copyAsyncCommit() {
    asyncCopies().group++;
}

// Nothing arrives before it is waited for, so that a missing wait shows.
void copyAsyncWait(int groups) {
    AsyncCopies &self = asyncCopies();
    auto done = [&](const AsyncCopy &copy) { return copy.group < self.group - groups; };
    for (const AsyncCopy &copy : self.copies) {
        if (!done(copy)) continue;
        touchWrite(copy.to, 16);
        if (copy.bytes < 16) memset(copy.to, 0, 16);
        memcpy(copy.to, copy.from, copy.bytes);
    }
    self.copies.erase(std::remove_if(self.copies.begin(), self.copies.end(), done), self.copies.end());
}

void requireAligned(const void *p, size_t alignment, const char *what, Site site) {
    if (reinterpret_cast<uintptr_t>(p) % alignment == 0) return;
    if (site.file == nullptr) fail(MISALIGNED_ADDRESS, "%s at %p is not aligned to %zu bytes", what, p, alignment);
    fail(MISALIGNED_ADDRESS, "%s:%d: %s at %p is not aligned to %zu bytes", site.file, site.line, what, p, alignment);
}

}  // namespace simt
