package org.calm4j.engine.op;

import java.util.Collection;
import java.util.List;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/**
 * Memory and all operations of a transformer, each as a forward and backward pair.
 *
 * <p>The scalar backend is the definition; every other one agrees with it. Conventions: outputs first, then inputs, then sizes; {@code d}
 * before a name is the gradient of the loss with respect to it; each method says whether it sets or adds. Tensors of one call have the
 * backend's {@link #computeType()} unless said otherwise, and do not overlap unless said otherwise. The same inputs give the same bits,
 * whatever the number of threads.
 */
public interface Backend extends AutoCloseable {
    /** One line for people: kind, vector width or device, threads. */
    String describe();

    /** The type of activations, gradients and moments: F32, or F64 for the double-precision scalar backend. */
    DType computeType();

    /**
     * The type that keys and values have where they are kept for decoding: the compute type, or BF16 where products round their operands.
     *
     * @param headDim D
     */
    default DType cacheType(int headDim) {
        return computeType();
    }

    /** Whether operations read and write host memory, so that weights can stay in a mapped file. */
    default boolean onHost() {
        return false;
    }

    /** Which device this is among those of all machines; null where it is the machine's processors. */
    default String deviceId() {
        return null;
    }

    /** The memory of the device; null where tensors lie in the machine's. */
    default DeviceMemory memory() {
        return null;
    }

    /**
     * How many rows a decoding step should have for this many sequences, at least as many: where steps are recorded, few sizes
     * need few recordings.
     */
    default int decodingRows(int sequences) {
        return sequences;
    }

    /** Zeroed memory of this backend. */
    Buffer allocate(long bytes);

    /** {@code to[i] = from[i]}, widening or rounding between types; same size, each in this backend's memory or the host's. */
    void copy(Tensor to, Tensor from);

    /** {@code x[i] = 0}. */
    void zero(Tensor x);

    /** Host array to the first {@code count} elements of an I32 tensor. */
    void write(Tensor to, int[] from, int count);

    /** Host array to the first {@code count} elements of a tensor of the compute type. */
    void write(Tensor to, double[] from, int count);

    /** The first {@code count} elements to a host array. */
    void read(double[] to, Tensor from, int count);

    /**
     * Runs operations that are the same each time for an equal key: the same tensors and sizes, though not the same contents. A backend may
     * record them and replay the recording from then on.
     *
     * @param segments those of all attention in them; they may differ from time to time
     * @param work does nothing but call operations, none of which ends on the host
     */
    default void repeat(Object key, Segments segments, Runnable work) {
        work.run();
    }

    /** Closes threads and handles; memory is closed by its owners. */
    @Override
    void close();

    // ---- rows ----

    /**
     * Rows of a table: {@code out[t] = table[index[t]]}, added to out when {@code add}. Embedding of tokens and learned positions, and
     * picking rows.
     *
     * @param out (T,C)
     * @param table (V,C), any floating type
     * @param index (T) I32, each in [0,V)
     */
    void embeddingForward(Tensor out, Tensor table, Tensor index, boolean add);

    /**
     * {@code dTable[index[t]] += dOut[t]}, in the order of t.
     *
     * @param dTable (V,C), added to
     * @param dOut (T,C)
     * @param index (T) I32
     */
    void embeddingBackward(Tensor dTable, Tensor dOut, Tensor index);

    /**
     * {@code to[index[t]] = from[t]}, rounded to the type of {@code to}: new keys and values into the cache.
     *
     * @param to (S,C), of the compute type or BF16
     * @param from (T,C)
     * @param index (T) I32, each in [0,S), no two the same
     */
    void scatter(Tensor to, Tensor from, Tensor index);

    // ---- products ----

    /**
     * {@code out = alpha · x · wᵀ}, added to out when {@code add}.
     *
     * @param out (T,N)
     * @param x (T,K)
     * @param w (N,K), any floating type
     */
    void linearForward(Tensor out, Tensor x, Tensor w, double alpha, boolean add);

    /**
     * {@code dX = alpha · dOut · w}, added to dX when {@code add}.
     *
     * @param dX (T,K)
     * @param dOut (T,N)
     * @param w (N,K), any floating type
     */
    void linearBackwardInput(Tensor dX, Tensor dOut, Tensor w, double alpha, boolean add);

    /**
     * {@code dW = alpha · dOutᵀ · x}, or adds that to dW.
     *
     * @param dW (N,K)
     * @param dOut (T,N)
     * @param x (T,K)
     */
    void linearBackwardWeight(Tensor dW, Tensor dOut, Tensor x, double alpha, boolean add);

    /**
     * {@code x[t] += bias}.
     *
     * @param x (T,N), added to
     * @param bias (N), any floating type
     */
    void biasForward(Tensor x, Tensor bias);

    /**
     * {@code dBias += Σₜ dOut[t]}, in an order that depends on the shape alone.
     *
     * @param dBias (N), added to
     * @param dOut (T,N)
     */
    void biasBackward(Tensor dBias, Tensor dOut);

    /**
     * {@code out[t] = scale ⊙ x[t]}, added to out when {@code add}.
     *
     * @param out (T,N), which may be the memory of x unless added to
     * @param x (T,N)
     * @param scale (N)
     */
    void scaleForward(Tensor out, Tensor x, Tensor scale, boolean add);

    /**
     * The gradient of the scale, {@code dScale += Σₜ dOut[t] ⊙ x[t]}, in an order that depends on the shape alone; that of x is
     * {@link #scaleForward} of dOut.
     *
     * @param dScale (N), added to
     * @param dOut (T,N)
     * @param x (T,N)
     */
    void scaleBackward(Tensor dScale, Tensor dOut, Tensor x);

    // ---- normalisation ----

    /**
     * Root-mean-square norm (Zhang &amp; Sennrich 2019): {@code x += residual}, {@code out = x · rstd · w},
     * {@code rstd = 1/√(mean(x²)+ε)}.
     *
     * @param out (T,C), set
     * @param rstd (T), set; the backward pass needs it
     * @param x (T,C), what a block adds to the residual stream; becomes the stream after the block
     * @param residual (T,C), the stream before the block; null where x is the stream already
     * @param w (C), any floating type
     */
    void rmsNormForward(Tensor out, Tensor rstd, Tensor x, Tensor residual, Tensor w, double epsilon);

    /**
     * {@code dX += rstd · (g − x · rstd² · mean(g · x))} with {@code g = dOut · w}; {@code dW += Σₜ dOut · x · rstd}. The gradient of the
     * residual stream is that of x, so that one tensor, added to, is both.
     *
     * @param dX (T,C), added to
     * @param dW (C), added to; null when the weight is frozen
     */
    void rmsNormBackward(Tensor dX, Tensor dW, Tensor dOut, Tensor x, Tensor w, Tensor rstd);

    /**
     * Layer norm (Ba et al. 2016): {@code x += residual}, {@code out = (x − mean) · rstd · w + bias},
     * {@code rstd = 1/√(mean((x − mean)²)+ε)}.
     *
     * @param out (T,C), set
     * @param mean (T), set; the backward pass needs it
     * @param rstd (T), set; the backward pass needs it
     * @param x (T,C), what a block adds to the residual stream; becomes the stream after the block
     * @param residual (T,C), the stream before the block; null where x is the stream already
     * @param w (C), any floating type
     * @param bias (C), any floating type
     */
    void layerNormForward(
            Tensor out, Tensor mean, Tensor rstd, Tensor x, Tensor residual, Tensor w, Tensor bias, double epsilon);

    /**
     * {@code dX += rstd · (g − mean(g) − x̂ · mean(g · x̂))} with {@code x̂ = (x − mean) · rstd} and {@code g = dOut · w};
     * {@code dW += Σₜ dOut · x̂}; {@code dBias += Σₜ dOut}.
     *
     * @param dX (T,C), added to
     * @param dW (C), added to; null when weight and bias are frozen
     * @param dBias (C), added to; null together with dW
     */
    void layerNormBackward(
            Tensor dX, Tensor dW, Tensor dBias, Tensor dOut, Tensor x, Tensor w, Tensor mean, Tensor rstd);

    // ---- positions ----

    /**
     * Rotary position embedding (Su et al. 2021) in place, halves paired as in Hugging Face: element i of a head turns with element
     * i + R/2 by the angle of (position, i). Where R is below D, the rest of the head stays as it is.
     *
     * @param x (T,H,D), rotated in place
     * @param cosine (P,R/2)
     * @param sine (P,R/2)
     * @param position (T) I32, each in [0,P)
     */
    void ropeForward(Tensor x, Tensor cosine, Tensor sine, Tensor position);

    /** The gradient of the above, in place: the inverse rotation, times the length of (cosine, sine) where that is not one. */
    void ropeBackward(Tensor dX, Tensor cosine, Tensor sine, Tensor position);

    // ---- attention ----

    /**
     * Causal softmax attention over the forest of segments, grouped heads: query head h reads key head {@code h / (H/G)}. With a window,
     * as in Jiang et al. 2023, a key is seen only while the query's position minus its own is below the window; positions
     * count from the root of the tree.
     *
     * @param out (T,H,D), set for every query row
     * @param lse (T,H), set: log Σ exp(scale · q·k) over the keys that the row sees
     * @param q (T,H,D)
     * @param k (S,G,D), of the compute type or of {@link #cacheType}
     * @param v (S,G,D), of the type of k
     * @param window 0 for none
     */
    void attentionForward(
            Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, Segments segments, double scale, int window);

    /**
     * The gradients of attention, with probabilities recomputed from {@code lse}; no T×T matrix.
     *
     * @param dQ (T,H,D), set
     * @param dK (S,G,D), set
     * @param dV (S,G,D), set
     */
    void attentionBackward(
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
            int window);

    // ---- feed-forward ----

    /** {@code out = silu(gate) · up} (Shazeer 2020), all (T,F); out is set. */
    void swiGluForward(Tensor out, Tensor gate, Tensor up);

    /** Sets dGate and dUp; dGate may be the memory of gate, dUp that of up. All (T,F). */
    void swiGluBackward(Tensor dGate, Tensor dUp, Tensor dOut, Tensor gate, Tensor up);

    /**
     * {@code out = x/2 · (1 + tanh(√(2/π)(x + 0.044715 x³)))} (Hendrycks &amp; Gimpel 2016, their approximation), {@code gelu_new} in
     * Hugging Face; all (T,F), out is set.
     */
    void geluForward(Tensor out, Tensor x);

    /** Sets dX, which may be the memory of x or of dOut. All (T,F). */
    void geluBackward(Tensor dX, Tensor dOut, Tensor x);

    // ---- vocabulary ----

    /**
     * Natural-log probability of one target per row, {@code logits = x · wᵀ}.
     *
     * @param logProb (N), set
     * @param lse (N), set: log Σ exp(logits)
     * @param statistics (N,{@link TokenStatistic#COUNT}), set: a column for each {@link TokenStatistic}; null to compute none
     * @param x (N,C)
     * @param w (V,C), any floating type
     * @param target (N) I32, each in [0,V)
     * @param kept ({@link #keptLogits}): set to logits that spare the backward pass the product; null to keep nothing
     */
    void tokenLogProbForward(
            Tensor logProb, Tensor lse, Tensor statistics, Tensor x, Tensor w, Tensor target, Tensor kept);

    /** Elements that {@link #tokenLogProbForward} can keep for N rows and V words; 0 where the backend always recomputes logits. */
    default long keptLogits(int rows, int words) {
        return 0;
    }

    /**
     * The gradients of {@code Σₙ coefficient[n] · logProb[n]}.
     *
     * @param dX (N,C), set
     * @param dW (V,C), set, or added to when {@code add}; null when the weight is frozen
     * @param coefficient (N): the gradient of the loss with respect to logProb
     * @param kept as the forward pass left it; used up; null if it kept nothing
     */
    void tokenLogProbBackward(
            Tensor dX,
            Tensor dW,
            Tensor coefficient,
            Tensor x,
            Tensor w,
            Tensor target,
            Tensor lse,
            Tensor kept,
            boolean add);

    // ---- choosing tokens ----

    /**
     * Draws tokens and returns their log-probabilities. A draw's token is a function of its row of logits, its random number and the tokens that
     * were seen. Ends on the host.
     *
     * @param draws tokens and log-probabilities are set
     * @param logits (N,V)
     */
    void sample(Draws draws, Tensor logits, TokenFilter filter);

    // ---- LoRA ----

    /**
     * {@code out[i] = x[i] / (1-p)} where {@code CounterRandom.uniform(seed, i)} is at least p, else 0; added to out when {@code add}. Its
     * own backward.
     */
    void dropout(Tensor out, Tensor x, double p, long seed, boolean add);

    // ---- optimizer ----

    /** {@code y[i] += x[i]}, rounded once: gradients of two parts of a step; y and x of the same size. */
    void add(Tensor y, Tensor x);

    /** {@code y[i] = a·y[i] + b·x[i]} in double precision, rounded once: moving averages of weights; y and x of the same size. */
    void combine(Tensor y, double a, Tensor x, double b);

    /**
     * Blocks of {@link DynamicCode#BLOCK} elements as codes of 8 bits, the nearest of a {@link DynamicCode} to {@code x / scale}, where the
     * scale is the block's largest absolute value (Dettmers et al. 2022).
     *
     * @param codes (⌈N/4⌉) I32, the bytes of which are set in order
     * @param scales (⌈N/BLOCK⌉), set
     * @param x (N), finite
     * @param signed whether x may be below zero
     */
    void quantize(Tensor codes, Tensor scales, Tensor x, boolean signed);

    /** What {@link #quantize} left of x: {@code x[i] = code(i) · scale}. */
    void dequantize(Tensor x, Tensor codes, Tensor scales, boolean signed);

    /**
     * {@code to[i] = from[i]} rounded to one of the two nearest BF16, the one above with the probability that keeps the mean; the random number
     * is {@code CounterRandom.bits(seed, first + i)}.
     *
     * @param to (N) BF16
     * @param from (N)
     */
    void roundRandomly(Tensor to, Tensor from, long seed, long first);

    /** {@code Σ x²} in double precision, in a fixed order. */
    double sumOfSquares(Tensor x);

    /**
     * One step of AdamW (Loshchilov &amp; Hutter 2019), as in PyTorch: {@code w -= lr·wd·w}, moments of {@code g = gradScale · grad},
     * {@code w -= lr · m̂ / (√v̂ + ε)}.
     *
     * @param w parameters, m and v their moments, all updated; same size as grad
     * @param step counted from 1
     */
    void adamW(
            Tensor w,
            Tensor m,
            Tensor v,
            Tensor grad,
            AdamW settings,
            double learningRate,
            double weightDecay,
            double gradScale,
            long step);

    /**
     * The same step for many tensors: the lists have one element for each.
     *
     * @param weightDecay of each tensor
     */
    default void adamW(
            List<Tensor> w,
            List<Tensor> m,
            List<Tensor> v,
            List<Tensor> grad,
            AdamW settings,
            double learningRate,
            double[] weightDecay,
            double gradScale,
            long step) {
        for (int i = 0; i < weightDecay.length; i++) {
            adamW(w.get(i), m.get(i), v.get(i), grad.get(i), settings, learningRate, weightDecay[i], gradScale, step);
        }
    }

    /**
     * Says that these weights are going to be trained: products read them often, and only {@code adamW}, {@code combine}, {@code copy},
     * {@code write} and {@code zero} change them. Where products round their operands, a backend may keep the rounded weights until the memory is closed.
     */
    default void markTrained(Slab weights) {
        // Nothing is rounded.
    }

    /**
     * Says that these weights stay as they are until their memory is closed. A backend may keep them in another form too, which products read
     * faster, as long as there is memory to spare.
     */
    default void markFrozen(Collection<Tensor> weights) {
        // Products read them as they are.
    }

    /** Bytes that {@link #markFrozen} may take beside a weight (N,K) for copies of it, one for products forward and one backward. */
    default long frozenCopyBytes(long n, long k) {
        return 0;
    }

    /** About how many bytes operations take while they run, besides their tensors. */
    default long workingBytes() {
        return 0;
    }

    /** Whether {@link #markTrained} takes memory for rounded weights. */
    default boolean keepsRounded() {
        return false;
    }
}
