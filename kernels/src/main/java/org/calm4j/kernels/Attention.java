package org.calm4j.kernels;

import org.calm4j.engine.op.Precision;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.Kernel;

/**
 * Attention over the forest of segments: {@code attention.cu}; for BF16 operands, {@link Bf16Attention}; and {@code decode.cu} if
 * every segment has one query at most.
 */
final class Attention implements AutoCloseable {
    private static final int THREADS = 128;
    /** Positions of a block of {@code attention_decode}. */
    private static final int SPLIT = 128;

    /** The kernels for heads up to a size. */
    private record Size(int most, int tile, Kernel forward, Kernel backwardQuery, Kernel backwardKey) {
        static Size of(Gpu gpu, int most, int tile) {
            return new Size(
                    most,
                    tile,
                    gpu.kernel("attention_forward_" + most),
                    gpu.kernel("attention_backward_query_" + most),
                    gpu.kernel("attention_backward_key_" + most));
        }

        /** Bytes of shared memory: tiles of rows, and of scores. */
        int shared(int rowTiles, int scoreTiles) {
            return Float.BYTES * (rowTiles * tile * (most + 4) + scoreTiles * tile * (tile + 4));
        }
    }

    private final Gpu gpu;
    private final Forest forest;
    private final Size[] sizes;
    /** Null if operands are F32. */
    private final Bf16Attention tensorCores;

    private final Kernel delta;
    private final Kernel decode;
    private final Kernel decodeBf16;
    private final Kernel decodeFinish;

    Attention(Gpu gpu, Precision precision) {
        this.gpu = gpu;
        forest = new Forest(gpu);
        tensorCores = precision == Precision.BF16 ? new Bf16Attention(gpu, forest) : null;
        sizes = new Size[] {Size.of(gpu, 64, 32), Size.of(gpu, 128, 32), Size.of(gpu, 256, 16)};
        delta = gpu.kernel("attention_backward_delta");
        decode = gpu.kernel("attention_decode");
        decodeBf16 = gpu.kernel("attention_decode_bf16");
        decodeFinish = gpu.kernel("attention_decode_finish");
    }

    private Size size(long d) {
        for (Size size : sizes) {
            if (d <= size.most) {
                return size;
            }
        }
        throw new IllegalArgumentException("heads of " + d + " elements; the kernels reach to 256");
    }

    Forest forest() {
        return forest;
    }

    /** Blocks that share the keys of a decoded token. */
    static long splits(int longest) {
        return Math.ceilDiv(longest, SPLIT);
    }

    void forward(Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, Segments segments, double scale, int window) {
        long d = q.dim(2);
        boolean rounded = tensorCores != null && d <= Bf16Attention.LARGEST_HEAD;
        if (Forest.isDecoding(segments)) {
            forest.lay(segments, Forest.NO_TILES);
            decode(out, lse, q, k, v, scale, window);
            return;
        }
        Size size = size(d);
        forest.lay(segments, rounded ? Bf16Attention.TILE : size.tile);
        if (rounded) {
            tensorCores.forward(out, lse, q, k, v, scale, window);
            return;
        }
        size.forward
                .launch(forest.queryTiles(), q.dim(1), 1, THREADS, size.shared(2, 1))
                .with(out)
                .with(lse)
                .with(q)
                .with(k)
                .with(v)
                .with(forest.table())
                .with(forest.queryTileList())
                .with(q.dim(1))
                .with(k.dim(1))
                .with(d)
                .with((float) scale)
                .with(window)
                .with(CudaBuffer.wide(d, q, k, v))
                .run();
    }

    private void decode(Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, double scale, int window) {
        long heads = q.dim(1);
        long d = q.dim(2);
        long splits = splits(forest.longest());
        long partials = forest.singles() * heads * splits * (d + 2);
        gpu.scratch().begin(Float.BYTES * partials, 1);
        Tensor partial = gpu.scratch().take(DType.F32, partials);
        boolean bf16 = k.type() == DType.BF16;
        Kernel kernel = bf16 ? decodeBf16 : decode;
        kernel.launch(forest.singles(), k.dim(1), splits, THREADS, 0)
                .with(partial)
                .with(q)
                .with(k)
                .with(v)
                .with(forest.table())
                .with(forest.singleList())
                .with(heads)
                .with(k.dim(1))
                .with(d)
                .with((float) scale)
                .with(window)
                .with(CudaBuffer.wide(d, k, v) && (!bf16 || d % 8 == 0))
                .run();
        decodeFinish
                .launch(forest.singles(), heads, 32)
                .with(out)
                .with(lse)
                .with(partial)
                .with(forest.table())
                .with(forest.singleList())
                .with(heads)
                .with(d)
                .with(splits)
                .run();
    }

    void backward(
            Tensor dQ,
            Tensor dK,
            Tensor dV,
            Tensor dOut,
            Tensor out,
            Tensor lse,
            Tensor q,
            Tensor k,
            Tensor v,
            Segments segments,
            double scale,
            int window) {
        long heads = q.dim(1);
        long keyHeads = k.dim(1);
        long d = q.dim(2);
        boolean rounded = tensorCores != null && d <= Bf16Attention.LARGEST_HEAD;
        Size size = size(d);
        forest.lay(segments, rounded ? Bf16Attention.TILE : size.tile);
        // Rows outside all segments.
        gpu.memory().zero(dQ);
        gpu.memory().zero(dK);
        gpu.memory().zero(dV);
        if (forest.queryTiles() == 0) {
            return;
        }
        long rows = q.dim(0) * heads;
        gpu.scratch()
                .begin(Float.BYTES * rows + (rounded ? tensorCores.backwardBytes(q, k) : 0), 1 + Bf16Attention.PIECES);
        Tensor rowDelta = gpu.scratch().take(DType.F32, rows);
        delta.launch(Math.ceilDiv(rows, THREADS / 32), THREADS)
                .with(rowDelta)
                .with(dOut)
                .with(out)
                .with(rows)
                .with(d)
                .run();
        if (rounded) {
            tensorCores.backward(dQ, dK, dV, dOut, lse, rowDelta, q, k, v, scale, window);
            return;
        }
        boolean wide = CudaBuffer.wide(d, q, k, v, dOut);
        size.backwardQuery
                .launch(forest.queryTiles(), heads, 1, THREADS, size.shared(4, 1))
                .with(dQ)
                .with(dOut)
                .with(lse)
                .with(rowDelta)
                .with(q)
                .with(k)
                .with(v)
                .with(forest.table())
                .with(forest.queryTileList())
                .with(heads)
                .with(keyHeads)
                .with(d)
                .with((float) scale)
                .with(window)
                .with(wide)
                .run();
        size.backwardKey
                .launch(forest.keyTiles(), keyHeads, 1, THREADS, size.shared(4, 2))
                .with(dK)
                .with(dV)
                .with(dOut)
                .with(lse)
                .with(rowDelta)
                .with(q)
                .with(k)
                .with(v)
                .with(forest.table())
                .with(forest.keyTileList())
                .with(forest.viewerStarts())
                .with(forest.viewers())
                .with(heads)
                .with(keyHeads)
                .with(d)
                .with((float) scale)
                .with(window)
                .with(wide)
                .run();
    }

    @Override
    public void close() {
        forest.close();
    }
}
