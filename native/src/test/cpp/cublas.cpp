// libcublas.so.12 for the stand-in: matrix products in plain loops with F32 sums, queued like launches. Column-major, as cuBLAS.
#include "simt.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <vector>

extern "C" int simt_enqueue_product(void *stream, std::function<void()> *work);
extern "C" int simt_touch(const void *p, size_t size, int write, const char *who);

namespace {

enum Status { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
enum Type { F32 = 0, F16 = 2, BF16 = 14 };

struct Handle {
    void *stream = nullptr;
    int mathMode = 0, pointerMode = 0;
};

struct Matrix {
    const char *p;
    int type, leading;
    bool transposed;
    size_t width() const { return type == F32 ? 4 : 2; }
    float get(size_t row, size_t column) const {
        size_t at = transposed ? column + row * leading : row + column * leading;
        if (type == F32) return reinterpret_cast<const float *>(p)[at];
        if (type == BF16) return toFloat(reinterpret_cast<const bf16 *>(p)[at]);
        return toFloat(reinterpret_cast<const f16 *>(p)[at]);
    }
    void set(size_t row, size_t column, float x) const {
        size_t at = row + column * leading;
        if (type == F32) ((float *) p)[at] = x;
        else if (type == BF16) fromFloat(((bf16 *) p)[at], x);
        else fromFloat(((f16 *) p)[at], x);
    }
    // Checks that rows × columns elements are there, column by column as they are stored.
    int touch(int rows, int columns, bool write, const char *who) const {
        int stored = transposed ? columns : rows, count = transposed ? rows : columns;
        for (int i = 0; i < count; i++) {
            int result = simt_touch(p + i * width() * (size_t) leading, width() * (size_t) stored, write, who);
            if (result != 0) return result;
        }
        return 0;
    }
};

// Eight sums side by side, so that the compiler may use vectors; their order is fixed.
float dot(const float *a, const float *b, int n) {
    float sums[8] = {};
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        for (int j = 0; j < 8; j++) sums[j] += a[i + j] * b[i + j];
    }
    float sum = ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
    for (; i < n; i++) sum += a[i] * b[i];
    return sum;
}

void multiply(Matrix a, Matrix b, Matrix c, int m, int n, int k, float alpha, float beta, const char *who) {
    if (a.touch(m, k, false, who) || b.touch(k, n, false, who) || (beta != 0 && c.touch(m, n, false, who))) return;
    std::vector<float> rows((size_t) m * k), columns((size_t) n * k);
    for (int i = 0; i < m; i++) {
        for (int l = 0; l < k; l++) rows[(size_t) i * k + l] = a.get(i, l);
    }
    for (int j = 0; j < n; j++) {
        for (int l = 0; l < k; l++) columns[(size_t) j * k + l] = b.get(l, j);
    }
    if (c.touch(m, n, true, who)) return;
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < m; i++) {
            float product = alpha * dot(&rows[(size_t) i * k], &columns[(size_t) j * k], k);
            // With beta 0, what c held is not read, NaN or not.
            c.set(i, j, beta == 0 ? product : product + beta * c.get(i, j));
        }
    }
}

int product(void *handle, int ta, int tb, int m, int n, int k, const float *alpha, const void *a, int ta_, int lda, long strideA,
    const void *b, int tb_,
            int ldb, long strideB, const float *beta, void *c, int tc_, int ldc, long strideC, int count, const char *who) {
    auto *h = static_cast<Handle *>(handle);
    if (h == nullptr) return NOT_INITIALIZED;
    auto known = [](int type) { return type == F32 || type == F16 || type == BF16; };
    if (m < 0 || n < 0 || k < 0 || count < 0 || ta < 0 || ta > 2 || tb < 0 || tb > 2 || !known(ta_) || !known(tb_) || !known(tc_)
        || ta_ != tb_
        || lda < std::max(1, ta ? k : m) || ldb < std::max(1, tb ? n : k) || ldc < std::max(1, m) || h->pointerMode != 0) {
        return INVALID_VALUE;
    }
    if (m == 0 || n == 0 || count == 0) return SUCCESS;
    Matrix ma{static_cast<const char *>(a), ta_, lda, ta != 0}, mb{static_cast<const char *>(b), tb_, ldb, tb != 0};
    Matrix mc{static_cast<const char *>(c), tc_, ldc, false};
    float al = *alpha, be = *beta;
    std::function<void()> work = [=] {
        for (int i = 0; i < count; i++) {
            Matrix x = ma, y = mb, z = mc;
            x.p += i * strideA * (long) x.width();
            y.p += i * strideB * (long) y.width();
            z.p += i * strideC * (long) z.width();
            multiply(x, y, z, m, n, k, al, be, who);
        }
    };
    return simt_enqueue_product(h->stream, &work) == 0 ? SUCCESS : EXECUTION_FAILED;
}

// CUBLAS_COMPUTE_32F and its faster kin; F16 sums are not stood in for.
bool computes32(int type) {
    return type == 68 || type == 69 || type == 74 || type == 75 || type == 77;
}

}  // namespace

#define API extern "C" __attribute__((visibility("default"))) int

API cublasCreate_v2(void **handle) {
    *handle = new Handle;
    return SUCCESS;
}
API cublasDestroy_v2(void *handle) {
    delete static_cast<Handle *>(handle);
    return SUCCESS;
}
API cublasGetVersion_v2(void *, int *version) {
    *version = 120600;
    return SUCCESS;
}
API cublasSetStream_v2(void *handle, void *stream) {
    static_cast<Handle *>(handle)->stream = stream;
    return SUCCESS;
}
API cublasGetStream_v2(void *handle, void **stream) {
    *stream = static_cast<Handle *>(handle)->stream;
    return SUCCESS;
}
API cublasSetMathMode(void *handle, int mode) {
    static_cast<Handle *>(handle)->mathMode = mode;
    return SUCCESS;
}
API cublasGetMathMode(void *handle, int *mode) {
    *mode = static_cast<Handle *>(handle)->mathMode;
    return SUCCESS;
}
API cublasSetPointerMode_v2(void *handle, int mode) {
    static_cast<Handle *>(handle)->pointerMode = mode;
    return SUCCESS;
}
API cublasGetPointerMode_v2(void *handle, int *mode) {
    *mode = static_cast<Handle *>(handle)->pointerMode;
    return SUCCESS;
}
API cublasSetWorkspace_v2(void *, void *, size_t) {
    return SUCCESS;
}
API cublasSetAtomicsMode(void *, int) {
    return SUCCESS;
}
API cublasSgemm_v2(void *handle, int ta, int tb, int m, int n, int k, const float *alpha, const void *a, int lda, const void *b, int ldb,
                   const float *beta, void *c, int ldc) {
    return product(handle, ta, tb, m, n, k, alpha, a, F32, lda, 0, b, F32, ldb, 0, beta, c, F32, ldc, 0, 1, "cublasSgemm");
}
API cublasSgemmStridedBatched(void *handle, int ta, int tb, int m, int n, int k, const float *alpha, const void *a, int lda, long long sa,
    const void *b,
                              int ldb, long long sb, const float *beta, void *c, int ldc, long long sc, int count) {
    return product(handle, ta, tb, m, n, k, alpha, a, F32, lda, sa, b, F32, ldb, sb, beta, c, F32, ldc, sc, count,
        "cublasSgemmStridedBatched");
}
API cublasGemmEx(void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int aType, int lda, const void *b,
    int bType,
                 int ldb, const void *beta, void *c, int cType, int ldc, int compute, int) {
    if (!computes32(compute)) return NOT_SUPPORTED;
    return product(handle, ta, tb, m, n, k, static_cast<const float *>(alpha), a, aType, lda, 0, b, bType, ldb, 0,
        static_cast<const float *>(beta), c,
                   cType, ldc, 0, 1, "cublasGemmEx");
}
API cublasGemmStridedBatchedEx(void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int aType, int lda,
    long long sa,
                               const void *b, int bType, int ldb, long long sb, const void *beta, void *c, int cType, int ldc, long long sc,
                                   int count,
                               int compute, int) {
    if (!computes32(compute)) return NOT_SUPPORTED;
    return product(handle, ta, tb, m, n, k, static_cast<const float *>(alpha), a, aType, lda, sa, b, bType, ldb, sb,
        static_cast<const float *>(beta), c,
                   cType, ldc, sc, count, "cublasGemmStridedBatchedEx");
}

extern "C" __attribute__((visibility("hidden"))) int simt_missing(const char *name) {
    fprintf(stderr, "[stand-in] %s is not in the stand-in\n", name);
    return NOT_SUPPORTED;
}
