package org.calm4j.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.DeviceMemory;
import org.calm4j.engine.op.Draws;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.op.TokenFilter;
import org.calm4j.engine.ranks.DeviceLinks;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.NcclWire;
import org.calm4j.kernels.driver.Owners;

/**
 * All operations on an NVIDIA GPU, through JCuda: the kernels of {@code native/src/main/cuda}, and cuBLAS for products. Work goes into one
 * stream; the host waits only where it reads.
 */
final class CudaBackend implements Backend, DeviceLinks {
    private final int ordinal;
    private final Precision precision;
    private final Gpu gpu;
    private final Copy copy;
    private final Embedding embedding;
    private final Linear linear;
    private final Bias bias;
    private final Scale scale;
    private final RmsNorm rmsNorm;
    private final LayerNorm layerNorm;
    private final Rope rope;
    private final Attention attention;
    private final SwiGlu swiGlu;
    private final Gelu gelu;
    private final Dropout dropout;
    private final TokenLogProb tokenLogProb;
    private final TokenSampler tokenSampler;
    private final Addition addition;
    private final Combination combination;
    private final Quantization quantization;
    private final GradNorm gradNorm;
    private final AdamWStep adamW;
    private final Replay replay;
    private final Owners owners = new Owners();
    private Link link;

    /** @param ordinal of a device that exists; the libraries are loaded */
    CudaBackend(int ordinal, Precision precision) {
        this(ordinal, precision, TokenLogProb.COLUMNS, false);
    }

    /**
     * For tests.
     *
     * @param vocabularyColumns columns of the vocabulary whose logits exist at a time
     * @param apart whether pieces of scratch memory are allocations of their own
     */
    CudaBackend(int ordinal, Precision precision, long vocabularyColumns, boolean apart) {
        this.ordinal = ordinal;
        this.precision = precision;
        gpu = new Gpu(ordinal, apart);
        owners.add(gpu::close);
        try {
            MatrixProduct product = new MatrixProduct(gpu, precision);
            owners.add(product::close);
            copy = new Copy(gpu);
            embedding = new Embedding(gpu);
            Columns columns = new Columns(gpu);
            linear = new Linear(product);
            bias = new Bias(gpu, columns);
            scale = new Scale(gpu, columns);
            rmsNorm = new RmsNorm(gpu, columns);
            layerNorm = new LayerNorm(gpu, columns);
            rope = new Rope(gpu);
            attention = new Attention(gpu, precision);
            swiGlu = new SwiGlu(gpu);
            gelu = new Gelu(gpu);
            dropout = new Dropout(gpu);
            tokenLogProb = new TokenLogProb(gpu, product, vocabularyColumns);
            tokenSampler = new TokenSampler(gpu);
            addition = new Addition(gpu);
            combination = new Combination(gpu);
            quantization = new Quantization(gpu);
            gradNorm = new GradNorm(gpu);
            adamW = new AdamWStep(gpu);
            replay = new Replay(gpu, attention);
        } catch (RuntimeException | Error e) {
            owners.closeAfter(e);
            throw e;
        }
        owners.add(adamW::close);
        owners.add(quantization::close);
        owners.add(attention::close);
        owners.add(replay::close);
    }

    @Override
    public String describe() {
        return "cuda:" + ordinal + ": " + gpu.describe() + ", products in " + precision;
    }

    @Override
    public String deviceId() {
        return gpu.uuid();
    }

    @Override
    public Link link(Ranks ranks) {
        if (link == null) {
            link = NcclWire.link(ranks, gpu.device());
            if (link.wire() instanceof NcclWire wire) {
                owners.add(wire::close);
            }
        }
        return link;
    }

    @Override
    public DType computeType() {
        return DType.F32;
    }

    @Override
    public DType cacheType(int headDim) {
        return precision == Precision.BF16 && headDim <= Bf16Attention.LARGEST_HEAD ? DType.BF16 : DType.F32;
    }

    /** For the driver, operands rounded for a product, and a chunk of the logits. */
    @Override
    public long workingBytes() {
        return 1L << 30;
    }

    @Override
    public Buffer allocate(long bytes) {
        CudaBuffer buffer = gpu.memory().allocate(bytes, "tensors");
        gpu.memory().zero(buffer.pointer(), bytes);
        return buffer;
    }

    @Override
    public int decodingRows(int sequences) {
        return Replay.rows(sequences);
    }

    @Override
    public DeviceMemory memory() {
        return gpu.memory().free();
    }

    @Override
    public void copy(Tensor to, Tensor from) {
        copy.copy(to, from);
        if (to.buffer() instanceof CudaBuffer changed) {
            changed.changed();
        }
    }

    @Override
    public void zero(Tensor x) {
        gpu.memory().zero(x);
        buffer(x).changed();
    }

    @Override
    public void write(Tensor to, int[] from, int count) {
        gpu.transfer().upload(CudaBuffer.pointer(to), from, count);
        buffer(to).changed();
    }

    /** For timings, which need the stream. */
    Gpu gpu() {
        return gpu;
    }

    @Override
    public void write(Tensor to, double[] from, int count) {
        gpu.transfer().upload(CudaBuffer.pointer(to), from, count);
        buffer(to).changed();
    }

    @Override
    public void read(double[] to, Tensor from, int count) {
        if (from.type() == DType.F32) {
            gpu.transfer().download(to, CudaBuffer.pointer(from), count);
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment raw = arena.allocate((long) count * from.type().bytes(), Double.BYTES);
            gpu.transfer().download(raw, CudaBuffer.pointer(from));
            for (int i = 0; i < count; i++) {
                to[i] = switch (from.type()) {
                    case BF16 -> Float.intBitsToFloat(raw.getAtIndex(ValueLayout.JAVA_SHORT, i) << 16);
                    case F16 -> Float.float16ToFloat(raw.getAtIndex(ValueLayout.JAVA_SHORT, i));
                    case I32 -> raw.getAtIndex(ValueLayout.JAVA_INT, i);
                    case F32, F64 -> throw new IllegalArgumentException("cannot read " + from);
                };
            }
        }
    }

    @Override
    public void repeat(Object key, Segments segments, Runnable work) {
        replay.run(key, segments, work);
    }

    @Override
    public void close() {
        owners.close();
    }

    @Override
    public void embeddingForward(Tensor out, Tensor table, Tensor index, boolean add) {
        embedding.forward(out, table, index, add);
    }

    @Override
    public void embeddingBackward(Tensor dTable, Tensor dOut, Tensor index) {
        embedding.backward(dTable, dOut, index);
    }

    @Override
    public void scatter(Tensor to, Tensor from, Tensor index) {
        embedding.scatter(to, from, index);
    }

    @Override
    public void linearForward(Tensor out, Tensor x, Tensor w, double alpha, boolean add) {
        linear.forward(out, x, w, alpha, add);
    }

    @Override
    public void linearBackwardInput(Tensor dX, Tensor dOut, Tensor w, double alpha, boolean add) {
        linear.backwardInput(dX, dOut, w, alpha, add);
    }

    @Override
    public void linearBackwardWeight(Tensor dW, Tensor dOut, Tensor x, double alpha, boolean add) {
        linear.backwardWeight(dW, dOut, x, alpha, add);
    }

    @Override
    public void biasForward(Tensor x, Tensor bias) {
        this.bias.forward(x, bias);
    }

    @Override
    public void biasBackward(Tensor dBias, Tensor dOut) {
        bias.backward(dBias, dOut);
    }

    @Override
    public void scaleForward(Tensor out, Tensor x, Tensor scale, boolean add) {
        this.scale.forward(out, x, scale, add);
    }

    @Override
    public void scaleBackward(Tensor dScale, Tensor dOut, Tensor x) {
        scale.backward(dScale, dOut, x);
    }

    @Override
    public void rmsNormForward(Tensor out, Tensor rstd, Tensor x, Tensor residual, Tensor w, double epsilon) {
        rmsNorm.forward(out, rstd, x, residual, w, epsilon);
    }

    @Override
    public void rmsNormBackward(Tensor dX, Tensor dW, Tensor dOut, Tensor x, Tensor w, Tensor rstd) {
        rmsNorm.backward(dX, dW, dOut, x, w, rstd);
    }

    @Override
    public void layerNormForward(
            Tensor out, Tensor mean, Tensor rstd, Tensor x, Tensor residual, Tensor w, Tensor bias, double epsilon) {
        layerNorm.forward(out, mean, rstd, x, residual, w, bias, epsilon);
    }

    @Override
    public void layerNormBackward(
            Tensor dX, Tensor dW, Tensor dBias, Tensor dOut, Tensor x, Tensor w, Tensor mean, Tensor rstd) {
        layerNorm.backward(dX, dW, dBias, dOut, x, w, mean, rstd);
    }

    @Override
    public void ropeForward(Tensor x, Tensor cosine, Tensor sine, Tensor position) {
        rope.turn(x, cosine, sine, position, 1);
    }

    @Override
    public void ropeBackward(Tensor dX, Tensor cosine, Tensor sine, Tensor position) {
        rope.turn(dX, cosine, sine, position, -1);
    }

    @Override
    public void attentionForward(
            Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, Segments segments, double scale, int window) {
        attention.forward(out, lse, q, k, v, segments, scale, window);
    }

    @Override
    public void attentionBackward(
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
        attention.backward(dQ, dK, dV, dOut, out, lse, q, k, v, segments, scale, window);
    }

    @Override
    public void swiGluForward(Tensor out, Tensor gate, Tensor up) {
        swiGlu.forward(out, gate, up);
    }

    @Override
    public void swiGluBackward(Tensor dGate, Tensor dUp, Tensor dOut, Tensor gate, Tensor up) {
        swiGlu.backward(dGate, dUp, dOut, gate, up);
    }

    @Override
    public void geluForward(Tensor out, Tensor x) {
        gelu.forward(out, x);
    }

    @Override
    public void geluBackward(Tensor dX, Tensor dOut, Tensor x) {
        gelu.backward(dX, dOut, x);
    }

    @Override
    public void tokenLogProbForward(
            Tensor logProb, Tensor lse, Tensor statistics, Tensor x, Tensor w, Tensor target, Tensor kept) {
        tokenLogProb.forward(logProb, lse, statistics, x, w, target);
    }

    @Override
    public void tokenLogProbBackward(
            Tensor dX,
            Tensor dW,
            Tensor coefficient,
            Tensor x,
            Tensor w,
            Tensor target,
            Tensor lse,
            Tensor kept,
            boolean add) {
        tokenLogProb.backward(dX, dW, coefficient, x, w, target, lse, add);
    }

    @Override
    public void sample(Draws draws, Tensor logits, TokenFilter filter) {
        tokenSampler.sample(draws, logits, filter);
    }

    @Override
    public void dropout(Tensor out, Tensor x, double p, long seed, boolean add) {
        dropout.apply(out, x, p, seed, add);
    }

    @Override
    public void add(Tensor y, Tensor x) {
        addition.apply(y, x);
    }

    @Override
    public void combine(Tensor y, double a, Tensor x, double b) {
        combination.apply(y, a, x, b);
        buffer(y).changed();
    }

    @Override
    public void quantize(Tensor codes, Tensor scales, Tensor x, boolean signed) {
        quantization.quantize(codes, scales, x, signed);
    }

    @Override
    public void dequantize(Tensor x, Tensor codes, Tensor scales, boolean signed) {
        quantization.dequantize(x, codes, scales, signed);
    }

    @Override
    public void roundRandomly(Tensor to, Tensor from, long seed, long first) {
        quantization.roundRandomly(to, from, seed, first);
    }

    @Override
    public double sumOfSquares(Tensor x) {
        return gradNorm.sumOfSquares(x);
    }

    @Override
    public void adamW(
            Tensor w,
            Tensor m,
            Tensor v,
            Tensor grad,
            AdamW settings,
            double learningRate,
            double weightDecay,
            double gradScale,
            long step) {
        adamW(
                List.of(w),
                List.of(m),
                List.of(v),
                List.of(grad),
                settings,
                learningRate,
                new double[] {weightDecay},
                gradScale,
                step);
    }

    @Override
    public void adamW(
            List<Tensor> w,
            List<Tensor> m,
            List<Tensor> v,
            List<Tensor> grad,
            AdamW settings,
            double learningRate,
            double[] weightDecay,
            double gradScale,
            long step) {
        adamW.apply(w, m, v, grad, settings, learningRate, weightDecay, gradScale, step);
    }

    @Override
    public void markTrained(Slab weights) {
        if (keepsRounded()) {
            buffer(weights.whole(DType.F32)).keepRounded();
        }
    }

    @Override
    public void markFrozen(Collection<Tensor> weights) {
        if (!keepsRounded()) {
            return;
        }
        // Only matrices are in products. If they have several types, the copy has those of the type that most
        // elements have.
        Map<CudaBuffer, Map<DType, Long>> sizes = new LinkedHashMap<>();
        weights.stream().filter(w -> w.rank() == 2).forEach(w -> sizes.computeIfAbsent(
                        buffer(w), buffer -> new EnumMap<>(DType.class))
                .merge(w.type(), w.size(), Long::sum));
        sizes.forEach((buffer, types) -> {
            DType type = Collections.max(types.entrySet(), Map.Entry.comparingByValue())
                    .getKey();
            if (type != DType.BF16) {
                buffer.keepRoundedWhileThereIsMemory(type);
            }
        });
    }

    @Override
    public boolean keepsRounded() {
        return precision == Precision.BF16;
    }

    private static CudaBuffer buffer(Tensor tensor) {
        return (CudaBuffer) tensor.buffer();
    }
}
