package org.calm4j.engine.op.simd;

import java.util.Collection;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Draws;
import org.calm4j.engine.op.Sampler;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.op.TokenFilter;
import org.calm4j.engine.op.simd.vec.Product;
import org.calm4j.engine.op.simd.vec.Vectors;
import org.calm4j.engine.op.simd.vec.WorkerPool;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/**
 * All operations in F32 with the Vector API on native memory, shared by a fixed pool of threads. One caller at a time: the operations keep
 * their working memory between calls.
 */
public final class SimdBackend implements Backend {
    private final WorkerPool pool;
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
    private final TokenLogProb tokenLogProb;
    private final Dropout dropout;
    private final Addition addition;
    private final Combination combination;
    private final Quantization quantization;
    private final GradNorm gradNorm;
    private final AdamWStep adamW;
    private final Sampler sampler;

    /** Packed operands and blocks of logits, as measured: they grow to this much and stay. */
    private static final long SHARED_SCRATCH = 4 << 20;

    /** The same of each thread. */
    private static final long OWN_SCRATCH = 1 << 20;

    /** @param threads at least 1, the caller's included */
    public SimdBackend(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException(threads + " threads");
        }
        pool = new WorkerPool(threads);
        copy = new Copy(pool);
        embedding = new Embedding(pool);
        linear = new Linear(pool);
        bias = new Bias(pool);
        scale = new Scale(pool);
        rmsNorm = new RmsNorm(pool);
        layerNorm = new LayerNorm(pool, bias);
        rope = new Rope(pool);
        attention = new Attention(pool);
        swiGlu = new SwiGlu(pool);
        gelu = new Gelu(pool);
        tokenLogProb = new TokenLogProb(pool, linear);
        sampler = new Sampler(tokenLogProb::logSumExp);
        dropout = new Dropout(pool);
        addition = new Addition(pool);
        combination = new Combination(pool);
        quantization = new Quantization(pool);
        gradNorm = new GradNorm(pool);
        adamW = new AdamWStep(pool);
    }

    @Override
    public String describe() {
        return "cpu: SIMD %d bit (%d floats), %d thread%s, %s %s"
                .formatted(
                        8 * Vectors.BYTES,
                        Vectors.LANES,
                        pool.threads(),
                        pool.threads() == 1 ? "" : "s",
                        vm(),
                        System.getProperty("java.version"));
    }

    private static String vm() {
        return System.getProperty("java.vm.name").startsWith("OpenJDK")
                ? "OpenJDK"
                : System.getProperty("java.vm.name");
    }

    @Override
    public DType computeType() {
        return DType.F32;
    }

    @Override
    public boolean onHost() {
        return true;
    }

    @Override
    public void markFrozen(Collection<Tensor> weights) {
        weights.stream().filter(w -> w.rank() == 2).forEach(linear::freeze);
    }

    @Override
    public long frozenCopyBytes(long n, long k) {
        return Product.packedBytes(n, k) + Product.packedBytes(k, n);
    }

    @Override
    public long workingBytes() {
        return SHARED_SCRATCH + pool.threads() * OWN_SCRATCH;
    }

    @Override
    public Buffer allocate(long bytes) {
        return new HostBuffer(bytes);
    }

    @Override
    public void copy(Tensor to, Tensor from) {
        copy.copy(to, from);
    }

    @Override
    public void zero(Tensor x) {
        copy.zero(x);
    }

    @Override
    public void write(Tensor to, int[] from, int count) {
        for (int i = 0; i < count; i++) {
            to.setInt(i, from[i]);
        }
    }

    @Override
    public void write(Tensor to, double[] from, int count) {
        for (int i = 0; i < count; i++) {
            to.set(i, from[i]);
        }
    }

    @Override
    public void read(double[] to, Tensor from, int count) {
        for (int i = 0; i < count; i++) {
            to[i] = from.get(i);
        }
    }

    @Override
    public void close() {
        pool.close();
        embedding.close();
        linear.close();
        bias.close();
        rmsNorm.close();
        layerNorm.close();
        attention.close();
        swiGlu.close();
        gelu.close();
        tokenLogProb.close();
        gradNorm.close();
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
        this.bias.backward(dBias, dOut);
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
        tokenLogProb.forward(logProb, lse, statistics, x, w, target, kept);
    }

    @Override
    public long keptLogits(int rows, int words) {
        return TokenLogProb.kept(rows, words);
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
        tokenLogProb.backward(dX, dW, coefficient, x, w, target, lse, kept, add);
    }

    @Override
    public void sample(Draws draws, Tensor logits, TokenFilter filter) {
        sampler.sample(this, draws, logits, filter);
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
        adamW.apply(w, m, v, grad, settings, learningRate, weightDecay, gradScale, step);
    }
}
