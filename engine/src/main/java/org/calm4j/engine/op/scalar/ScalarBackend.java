package org.calm4j.engine.op.scalar;

import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Draws;
import org.calm4j.engine.op.Sampler;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.op.TokenFilter;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/**
 * The definition of every operation: plain loops, sums in double precision, one thread, never optimised. Everything else is compared with
 * it. In F64 it is the double-precision build that whole-model gradients are differentiated with.
 */
public final class ScalarBackend implements Backend {
    private final DType computeType;
    private final Sampler sampler = new Sampler();

    public ScalarBackend() {
        this(DType.F32);
    }

    /** @param computeType F32 or F64 */
    public ScalarBackend(DType computeType) {
        if (computeType != DType.F32 && computeType != DType.F64) {
            throw new IllegalArgumentException("computes in F32 or F64, not " + computeType);
        }
        this.computeType = computeType;
    }

    @Override
    public String describe() {
        return "cpu: scalar " + computeType + ", 1 thread";
    }

    @Override
    public DType computeType() {
        return computeType;
    }

    @Override
    public boolean onHost() {
        return true;
    }

    @Override
    public Buffer allocate(long bytes) {
        return new HostBuffer(bytes);
    }

    @Override
    public void copy(Tensor to, Tensor from) {
        for (long i = 0; i < from.size(); i++) {
            to.set(i, from.get(i));
        }
    }

    @Override
    public void zero(Tensor x) {
        x.segment().fill((byte) 0);
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
        // No threads, no handles.
    }

    @Override
    public void embeddingForward(Tensor out, Tensor table, Tensor index, boolean add) {
        Embedding.forward(out, table, index, add);
    }

    @Override
    public void embeddingBackward(Tensor dTable, Tensor dOut, Tensor index) {
        Embedding.backward(dTable, dOut, index);
    }

    @Override
    public void scatter(Tensor to, Tensor from, Tensor index) {
        Embedding.scatter(to, from, index);
    }

    @Override
    public void linearForward(Tensor out, Tensor x, Tensor w, double alpha, boolean add) {
        Linear.forward(out, x, w, alpha, add);
    }

    @Override
    public void linearBackwardInput(Tensor dX, Tensor dOut, Tensor w, double alpha, boolean add) {
        Linear.backwardInput(dX, dOut, w, alpha, add);
    }

    @Override
    public void linearBackwardWeight(Tensor dW, Tensor dOut, Tensor x, double alpha, boolean add) {
        Linear.backwardWeight(dW, dOut, x, alpha, add);
    }

    @Override
    public void biasForward(Tensor x, Tensor bias) {
        Bias.forward(x, bias);
    }

    @Override
    public void biasBackward(Tensor dBias, Tensor dOut) {
        Bias.backward(dBias, dOut);
    }

    @Override
    public void scaleForward(Tensor out, Tensor x, Tensor scale, boolean add) {
        Scale.forward(out, x, scale, add);
    }

    @Override
    public void scaleBackward(Tensor dScale, Tensor dOut, Tensor x) {
        Scale.backward(dScale, dOut, x);
    }

    @Override
    public void rmsNormForward(Tensor out, Tensor rstd, Tensor x, Tensor residual, Tensor w, double epsilon) {
        RmsNorm.forward(out, rstd, x, residual, w, epsilon);
    }

    @Override
    public void rmsNormBackward(Tensor dX, Tensor dW, Tensor dOut, Tensor x, Tensor w, Tensor rstd) {
        RmsNorm.backward(dX, dW, dOut, x, w, rstd);
    }

    @Override
    public void layerNormForward(
            Tensor out, Tensor mean, Tensor rstd, Tensor x, Tensor residual, Tensor w, Tensor bias, double epsilon) {
        LayerNorm.forward(out, mean, rstd, x, residual, w, bias, epsilon);
    }

    @Override
    public void layerNormBackward(
            Tensor dX, Tensor dW, Tensor dBias, Tensor dOut, Tensor x, Tensor w, Tensor mean, Tensor rstd) {
        LayerNorm.backward(dX, dW, dBias, dOut, x, w, mean, rstd);
    }

    @Override
    public void ropeForward(Tensor x, Tensor cosine, Tensor sine, Tensor position) {
        Rope.turn(x, cosine, sine, position, 1);
    }

    @Override
    public void ropeBackward(Tensor dX, Tensor cosine, Tensor sine, Tensor position) {
        Rope.turn(dX, cosine, sine, position, -1);
    }

    @Override
    public void attentionForward(
            Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, Segments segments, double scale, int window) {
        Attention.forward(out, lse, q, k, v, segments, scale, window);
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
        Attention.backward(dQ, dK, dV, dOut, out, lse, q, k, v, segments, scale, window);
    }

    @Override
    public void swiGluForward(Tensor out, Tensor gate, Tensor up) {
        SwiGlu.forward(out, gate, up);
    }

    @Override
    public void swiGluBackward(Tensor dGate, Tensor dUp, Tensor dOut, Tensor gate, Tensor up) {
        SwiGlu.backward(dGate, dUp, dOut, gate, up);
    }

    @Override
    public void geluForward(Tensor out, Tensor x) {
        Gelu.forward(out, x);
    }

    @Override
    public void geluBackward(Tensor dX, Tensor dOut, Tensor x) {
        Gelu.backward(dX, dOut, x);
    }

    @Override
    public void tokenLogProbForward(
            Tensor logProb, Tensor lse, Tensor statistics, Tensor x, Tensor w, Tensor target, Tensor kept) {
        TokenLogProb.forward(logProb, lse, statistics, x, w, target);
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
        TokenLogProb.backward(dX, dW, coefficient, x, w, target, lse, add);
    }

    @Override
    public void sample(Draws draws, Tensor logits, TokenFilter filter) {
        sampler.sample(this, draws, logits, filter);
    }

    @Override
    public void dropout(Tensor out, Tensor x, double p, long seed, boolean add) {
        Dropout.apply(out, x, p, seed, add);
    }

    @Override
    public void add(Tensor y, Tensor x) {
        Addition.apply(y, x);
    }

    @Override
    public void combine(Tensor y, double a, Tensor x, double b) {
        Combination.apply(y, a, x, b);
    }

    @Override
    public void quantize(Tensor codes, Tensor scales, Tensor x, boolean signed) {
        Quantization.quantize(codes, scales, x, signed);
    }

    @Override
    public void dequantize(Tensor x, Tensor codes, Tensor scales, boolean signed) {
        Quantization.dequantize(x, codes, scales, signed);
    }

    @Override
    public void roundRandomly(Tensor to, Tensor from, long seed, long first) {
        Quantization.roundRandomly(to, from, seed, first);
    }

    @Override
    public double sumOfSquares(Tensor x) {
        return GradNorm.sumOfSquares(x);
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
        AdamWStep.apply(w, m, v, grad, settings, learningRate, weightDecay, gradScale, step);
    }
}
