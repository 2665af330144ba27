package org.calm4j.kernels;

import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/** Attention on tensor cores, with operands rounded to BF16 and sums in F32: {@code attention_bf16.cu}. */
final class Bf16Attention {
    /** Queries, or keys, of a block. */
    static final int TILE = 64;

    static final int LARGEST_HEAD = 128;
    /** Rounded operands of a backward pass: q, k, v, dOut. */
    static final int PIECES = 4;

    private static final int THREADS = 128;
    private static final int PACK_THREADS = 128;

    /**
     * The kernels for heads up to a size.
     *
     * @param most elements of a head, which rounded rows have
     * @param forwardKeys of a step of the forward pass
     * @param backwardRows keys or queries of a step of the backward pass
     */
    private record Size(
            int most, int forwardKeys, int backwardRows, Kernel forward, Kernel backwardQuery, Kernel backwardKey) {
        static Size of(Gpu gpu, int most, int forwardKeys, int backwardRows) {
            return new Size(
                    most,
                    forwardKeys,
                    backwardRows,
                    gpu.kernel("attention_bf16_forward_" + most),
                    gpu.kernel("attention_bf16_backward_query_" + most),
                    gpu.kernel("attention_bf16_backward_key_" + most));
        }

        /** Bytes of shared memory for this many rows of BF16, each eight elements longer than a head. */
        int shared(int rows) {
            return 2 * rows * (most + 8);
        }
    }

    private final Gpu gpu;
    private final Forest forest;
    private final Size small;
    private final Size large;
    private final Kernel pack;
    private final Copy copy;

    Bf16Attention(Gpu gpu, Forest forest) {
        this.gpu = gpu;
        this.forest = forest;
        small = Size.of(gpu, 64, 64, 64);
        large = Size.of(gpu, LARGEST_HEAD, 64, 32);
        pack = gpu.kernel("attention_pack");
        copy = new Copy(gpu);
    }

    private Size size(long d) {
        return d <= small.most ? small : large;
    }

    /** Requires that the segments are on the device. */
    void forward(Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, double scale, int window) {
        long d = q.dim(2);
        Size size = size(d);
        gpu.scratch().begin(bytes(size, q, k, 1) + widenedBytes(size, k), 2 * PIECES);
        Tensor queries = packed(size, q);
        Tensor keys = packed(size, k.rows(forest.firstKey(), forest.keyRows()));
        Tensor values = packed(size, v.rows(forest.firstKey(), forest.keyRows()));
        size.forward
                .launch(forest.queryTiles(), q.dim(1), 1, THREADS, size.shared(TILE + 2 * size.forwardKeys))
                .with(out)
                .with(lse)
                .with(queries)
                .with(keys)
                .with(values)
                .with(forest.table())
                .with(forest.queryTileList())
                .with(q.dim(1))
                .with(k.dim(1))
                .with(d)
                .with(forest.firstKey())
                .with((float) scale)
                .with(window)
                .run();
    }

    /** Scratch of a backward pass, which the caller begins. */
    long backwardBytes(Tensor q, Tensor k) {
        return bytes(size(q.dim(2)), q, k, 2);
    }

    private long bytes(Size size, Tensor q, Tensor k, int likeQueries) {
        return 2L * size.most * (likeQueries * q.dim(0) * q.dim(1) + 2L * forest.keyRows() * k.dim(1));
    }

    /** Requires that the segments are on the device and the scratch is begun. */
    void backward(
            Tensor dQ,
            Tensor dK,
            Tensor dV,
            Tensor dOut,
            Tensor lse,
            Tensor delta,
            Tensor q,
            Tensor k,
            Tensor v,
            double scale,
            int window) {
        long heads = q.dim(1);
        long keyHeads = k.dim(1);
        long d = q.dim(2);
        Size size = size(d);
        Tensor queries = packed(size, q);
        Tensor gradients = packed(size, dOut);
        Tensor keys = packed(size, k.rows(forest.firstKey(), forest.keyRows()));
        Tensor values = packed(size, v.rows(forest.firstKey(), forest.keyRows()));
        int shared = size.shared(2 * TILE + 4 * size.backwardRows);
        size.backwardQuery
                .launch(forest.queryTiles(), heads, 1, THREADS, shared)
                .with(dQ)
                .with(gradients)
                .with(lse)
                .with(delta)
                .with(queries)
                .with(keys)
                .with(values)
                .with(forest.table())
                .with(forest.queryTileList())
                .with(heads)
                .with(keyHeads)
                .with(d)
                .with(forest.firstKey())
                .with((float) scale)
                .with(window)
                .run();
        int sharedOfRows = 2 * 2 * Float.BYTES * size.backwardRows;
        size.backwardKey
                .launch(forest.keyTiles(), keyHeads, 1, THREADS, shared + sharedOfRows)
                .with(dK)
                .with(dV)
                .with(gradients)
                .with(lse)
                .with(delta)
                .with(queries)
                .with(keys)
                .with(values)
                .with(forest.table())
                .with(forest.keyTileList())
                .with(forest.viewerStarts())
                .with(forest.viewers())
                .with(heads)
                .with(keyHeads)
                .with(d)
                .with(forest.firstKey())
                .with((float) scale)
                .with(window)
                .run();
    }

    /** Scratch for keys and values out of a cache in BF16 whose heads are shorter than the kernels'. */
    private long widenedBytes(Size size, Tensor k) {
        return k.type() == DType.F32 || k.dim(2) == size.most
                ? 0
                : 2L * Float.BYTES * forest.keyRows() * k.dim(1) * k.dim(2);
    }

    /** x (T,H,D) rounded, in rows as long as the kernels' heads, padded with zeros; x itself if it has that form. */
    private Tensor packed(Size size, Tensor x) {
        long rows = x.dim(0) * x.dim(1);
        long d = x.dim(2);
        if (x.type() == DType.BF16 && d == size.most) {
            return x;
        }
        if (x.type() == DType.BF16) {
            Tensor wide = gpu.scratch().take(DType.F32, x.shape());
            copy.onDevice(wide, x);
            return packed(size, wide);
        }
        Tensor to = gpu.scratch().take(DType.BF16, rows, size.most);
        pack.launch(Math.ceilDiv(rows, PACK_THREADS / (size.most / 4)), PACK_THREADS)
                .with(to)
                .with(x)
                .with(rows)
                .with(d)
                .with(size.most)
                .with(CudaBuffer.wide(d, x))
                .run();
        return to;
    }
}
