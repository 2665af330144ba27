package org.calm4j.engine.op.simd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.BackendConformance;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.op.TokenStatistic;
import org.calm4j.engine.op.VectorWidthCheck;
import org.calm4j.engine.op.simd.vec.ColdStart;
import org.calm4j.engine.op.simd.vec.Vectors;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.References;
import org.calm4j.engine.train.Replay;
import org.calm4j.engine.train.TrainSettings;
import org.calm4j.engine.train.Trainer;
import org.calm4j.engine.train.optim.Schedule;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class SimdBackendTest extends BackendConformance {
    @Override
    protected Backend open() {
        return new SimdBackend(2);
    }

    /** Three DPO steps of a model give the same weights, bit by bit, for 1, 2 and 3 threads. */
    @Test
    void bitsDoNotDependOnThreads() {
        List<Float> one = weightsAfterTraining(1);
        assertThat(weightsAfterTraining(2)).isEqualTo(one);
        assertThat(weightsAfterTraining(3)).isEqualTo(one);
    }

    /** Operations large enough that the pool wakes for them, with borders of tiles and blocks inside. */
    @Tag("slow")
    @Test
    void bitsOfLargeOperationsDoNotDependOnThreads() {
        List<Float> one = largeOperations(1);
        assertThat(largeOperations(2)).isEqualTo(one);
        assertThat(largeOperations(3)).isEqualTo(one);
        assertThat(largeOperations(7)).isEqualTo(one);
    }

    /** When the compiler is through with the kernels is chance, and decides nothing. */
    @Tag("slow")
    @Test
    void bitsDoNotDependOnTheCompiler() {
        List<Float> warm = largeOperations(2);
        ColdStart.over(false);
        try {
            assertThat(largeOperations(2)).isEqualTo(warm);
        } finally {
            ColdStart.over(true);
        }
    }

    static List<Float> largeOperations(int threads) {
        int t = 333;
        int c = 6 * 34;
        int v = 777;
        List<Tensor> results = new ArrayList<>();
        try (SimdBackend b = new SimdBackend(threads)) {
            Tensor x = random(b, t, c);
            Tensor w = random(b, v, c);
            Tensor wide = random(b, t, v);
            b.linearForward(wide, x, w, 0.5, true);
            Tensor dX = random(b, t, c);
            b.linearBackwardInput(dX, wide, w, 1, true);
            Tensor frozen = random(b, v, c);
            b.markFrozen(List.of(frozen));
            for (int rows : new int[] {t, 20}) {
                for (int again = 0; again < 2; again++) {
                    results.add(zeros(b, rows, v));
                    b.linearForward(results.getLast(), x.rows(0, rows), frozen, 1, false);
                    results.add(zeros(b, rows, c));
                    b.linearBackwardInput(results.getLast(), wide.rows(0, rows), frozen, 1, false);
                }
            }
            Tensor dW = random(b, v, c);
            b.linearBackwardWeight(dW, wide, x, 1, true);
            Tensor rstd = random(b, t);
            Tensor norm = random(b, c);
            Tensor dNorm = random(b, c);
            Tensor out = random(b, t, c);
            b.rmsNormForward(out, rstd, x, dX, norm, 1e-5);
            b.rmsNormBackward(dX, dNorm, out, x, norm, rstd);
            Tensor gate = random(b, t, v);
            b.swiGluForward(gate, wide, gate);
            b.swiGluBackward(wide, gate, random(b, t, v), wide, gate);
            Segments segments = new Segments();
            int root = segments.add(0, 100, 0, 100, Segments.NONE);
            segments.add(100, 61, 100, 61, root);
            segments.add(161, 3, 161, 3, root);
            segments.add(164, 169, 164, 169, Segments.NONE);
            Tensor attention = random(b, t, 6, 34);
            Tensor keys = random(b, t, 3, 34);
            Tensor values = random(b, t, 3, 34);
            Tensor lse = random(b, t, 6);
            Tensor dQ = random(b, t, 6, 34);
            Tensor dK = random(b, t, 3, 34);
            Tensor dV = random(b, t, 3, 34);
            b.attentionForward(attention, lse, out.view(t, 6, 34), keys, values, segments, 0.2, 0);
            b.attentionBackward(
                    dQ, dK, dV, dX.view(t, 6, 34), attention, lse, out.view(t, 6, 34), keys, values, segments, 0.2, 0);
            Tensor windowed = random(b, t, 6, 34);
            Tensor dWindowed = random(b, t, 3, 34);
            b.attentionForward(windowed, lse, out.view(t, 6, 34), keys, values, segments, 0.2, 70);
            b.attentionBackward(
                    dQ,
                    dWindowed,
                    dV,
                    dX.view(t, 6, 34),
                    windowed,
                    lse,
                    out.view(t, 6, 34),
                    keys,
                    values,
                    segments,
                    0.2,
                    70);
            Tensor mean = random(b, t);
            Tensor bias = random(b, c);
            Tensor dBias = random(b, c);
            b.layerNormForward(out, mean, rstd, x, null, norm, bias, 1e-5);
            b.layerNormBackward(dX, dNorm, dBias, out, x, norm, mean, rstd);
            b.biasForward(out, bias);
            Tensor gelu = random(b, t, c);
            b.geluForward(gelu, x);
            b.geluBackward(gelu, out, gelu);
            Tensor target = new Tensor("target", b.allocate(4L * t), 0, DType.I32, t);
            b.write(target, new Random(2).ints(t, 0, v).toArray(), t);
            Tensor logProb = random(b, t);
            Tensor logProbLse = random(b, t);
            Tensor dHidden = random(b, t, c);
            Tensor dHead = random(b, v, c);
            Tensor statistics = random(b, t, TokenStatistic.COUNT);
            b.tokenLogProbForward(logProb, logProbLse, statistics, x, w, target, null);
            b.tokenLogProbBackward(dHidden, dHead, random(b, t), x, w, target, logProbLse, null, true);
            b.embeddingBackward(dHead, dX, target);
            Tensor squares = random(b, 1);
            squares.set(0, b.sumOfSquares(wide));
            b.adamW(w, random(b, v, c), zeros(b, v, c), dHead, AdamW.DEFAULT, 1e-3, 0.1, 1, 3);
            b.dropout(wide, wide, 0.3, 5, false);
            results.addAll(List.of(windowed, dWindowed, mean, bias, dBias, gelu, statistics));
            results.addAll(List.of(
                    wide, dX, dW, dNorm, out, gate, attention, lse, dQ, dK, dV, logProb, dHidden, dHead, squares, w));
            return results.stream().flatMap(r -> values(r).stream()).toList();
        }
    }

    /** The kernels of machines with narrower and wider vectors than this one's, where the wider ones are emulated. */
    @Tag("slow")
    @ParameterizedTest
    @ValueSource(ints = {128, 256, 512})
    void otherVectorWidths(int bits) throws Exception {
        assumeTrue(bits != 8 * Vectors.BYTES, "this machine's own");
        Process check = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--add-modules",
                        "jdk.incubator.vector",
                        "--enable-native-access=ALL-UNNAMED",
                        "-Dcalm4j.vectorBits=" + bits,
                        "-Dcalm4j.coldStart=false",
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        VectorWidthCheck.class.getName())
                .redirectErrorStream(true)
                .start();
        assertThat(new String(check.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                .contains("passed: cpu: SIMD " + bits + " bit");
        assertThat(check.waitFor()).isZero();
    }

    /** A row's bits are the same in a batch of 9 and in one of 20, where it lies in another tile. */
    @Test
    void bitsOfARowDoNotDependOnItsNeighbours() {
        try (SimdBackend b = new SimdBackend(1)) {
            Tensor x = random(b, 20, 300);
            Tensor w = random(b, 33, 300);
            Tensor all = zeros(b, 20, 33);
            Tensor some = zeros(b, 9, 33);
            b.linearForward(all, x, w, 0.3, false);
            b.linearForward(all, x, w, 0.3, true);
            b.linearForward(some, x.rows(11, 9), w, 0.3, false);
            b.linearForward(some, x.rows(11, 9), w, 0.3, true);
            assertThat(values(some)).isEqualTo(values(all.rows(11, 9)));
        }
    }

    /** Memory that a frozen weight had and that somebody else has now. */
    @Test
    void panelsEndWithTheirWeight() {
        try (SimdBackend b = new SimdBackend(1);
                Arena memory = Arena.ofShared()) {
            Tensor x = random(b, 20, 300);
            Tensor other = random(b, 33, 300);
            Tensor expected = zeros(b, 20, 33);
            b.linearForward(expected, x, other, 1, false);
            Tensor out = zeros(b, 20, 33);
            MemorySegment place = memory.allocate(other.bytes(), HostBuffer.ALIGNMENT);
            try (HostBuffer buffer = at(place)) {
                Tensor weight = new Tensor("frozen", buffer, 0, DType.F32, 33, 300);
                weight.set(0, 1);
                b.markFrozen(List.of(weight));
                for (int i = 0; i < 3; i++) {
                    b.linearForward(out, x, weight, 1, false);
                    assertThat(out.get(33)).isEqualTo(x.get(300));
                }
                // What a promise is worth that is broken: the products do not read the weight itself any more.
                weight.set(0, 2);
                b.linearForward(out, x, weight, 1, false);
                assertThat(out.get(33)).isEqualTo(x.get(300));
            }
            try (HostBuffer buffer = at(place)) {
                Tensor weight = new Tensor("another", buffer, 0, DType.F32, 33, 300);
                b.copy(weight, other);
                for (int i = 0; i < 3; i++) {
                    b.linearForward(out, x, weight, 1, false);
                    assertThat(values(out)).isEqualTo(values(expected));
                }
            }
        }
    }

    @SuppressWarnings("restricted")
    private static HostBuffer at(MemorySegment place) {
        Arena arena = Arena.ofShared();
        return new HostBuffer(
                MemorySegment.ofAddress(place.address()).reinterpret(place.byteSize(), arena, null), arena);
    }

    private static List<Float> values(Tensor tensor) {
        return LongStream.range(0, tensor.size())
                .mapToObj(i -> (float) tensor.get(i))
                .toList();
    }

    private static Tensor zeros(SimdBackend backend, long... shape) {
        return new Tensor("t", backend.allocate(4 * Tensor.product(shape)), 0, DType.F32, shape);
    }

    private static Tensor random(SimdBackend backend, long... shape) {
        Tensor tensor = zeros(backend, shape);
        Random random = new Random(Tensor.product(shape));
        for (long i = 0; i < tensor.size(); i++) {
            tensor.set(i, random.nextFloat() - 0.5);
        }
        return tensor;
    }

    private static List<Float> weightsAfterTraining(int threads) {
        ModelConfig config = Llama.config(150, 40, 70, 2, 4, 2, 64, 0);
        List<Example.Preference> pairs = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            pairs.add(new Example.Preference(
                    new int[] {i, 2 * i, 3, 4}, new int[] {i + 1, 9, 0}, new int[] {i + 2, 0}, 1));
        }
        TrainSettings settings = new TrainSettings(
                20,
                7,
                true,
                new Schedule(Schedule.Kind.CONSTANT, 1e-3, 0, 0, 3),
                AdamW.DEFAULT,
                0.1,
                1,
                new PreferenceLoss.DpoSigmoid(0.1, 0),
                0.1,
                0,
                0,
                false,
                1);
        try (SimdBackend backend = new SimdBackend(threads);
                Parameters parameters = Parameters.random(backend, config, 3)) {
            CausalLm model = new CausalLm(config, parameters, null);
            try (Trainer trainer =
                    new Trainer(model, settings, pairs, Replay.NONE, References.of(model, pairs, null))) {
                for (int step = 0; step < 3; step++) {
                    trainer.step(step);
                }
            }
            List<Float> weights = new ArrayList<>();
            for (Tensor tensor : parameters.slab().tensors()) {
                for (long i = 0; i < tensor.size(); i++) {
                    weights.add((float) tensor.get(i));
                }
            }
            return weights;
        }
    }
}
