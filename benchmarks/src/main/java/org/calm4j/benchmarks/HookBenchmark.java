package org.calm4j.benchmarks;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.DecodeBatch;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.KvCache;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.model.Tap;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.calm4j.engine.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * What hook points cost where nothing hooks: the pages forward and backward, and one step of decoding, of the demo's model, without a tap and
 * with one that wants no point. With operations that do nothing only the pages' own code is left, hook points included, so their time is an
 * upper bound of what the points take from the same passes with operations that compute.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class HookBenchmark {
    private static final int CACHED = 40;

    @Param({"nothing", "compute"})
    private String operations;

    @Param({"none", "empty"})
    private String tap;

    private Backend memory;
    private CausalLm model;
    private Activations training;
    private Activations decoding;
    private final PackedBatch texts = new PackedBatch();
    private final DecodeBatch token = new DecodeBatch();
    private KvCache cache;
    private Gradients gradients;
    private double[] coefficients;

    /** Wants nothing. */
    private static final class Empty implements Tap {
        @Override
        public boolean wants(HookPoint point, int layer) {
            return false;
        }

        @Override
        public void value(HookPoint point, int layer, Tensor value) {}

        @Override
        public void gradient(HookPoint point, int layer, Tensor gradient) {}
    }

    @Setup
    public void setUp() {
        memory = Backends.open("cpu", 1);
        Backend backend = operations.equals("nothing") ? idle(memory) : memory;
        ModelConfig config = Llama.config(950, 128, 344, 3, 2, 2, 256, 1);
        CausalLm plain = new CausalLm(config, Parameters.random(backend, config, 1), null);
        model = tap.equals("none") ? plain : plain.tapped(new Empty());
        Random random = new Random(2);
        for (int i = 0; i < 8; i++) {
            texts.add(random.ints(81, 0, 950).toArray(), 1);
        }
        training = new Activations(
                backend,
                config,
                Activations.Purpose.TRAINING,
                new Activations.Capacity(texts.rows(), texts.scored(), 256, 0, 0));
        decoding = new Activations(
                backend, config, Activations.Purpose.INFERENCE, new Activations.Capacity(1, 1, 256, 1, 0));
        cache = new KvCache(backend, config, 256);
        token.append(new int[] {5}, CACHED);
        gradients = Gradients.like(plain);
        coefficients = new double[texts.scored()];
        Arrays.fill(coefficients, -1.0 / texts.scored());
    }

    /** Takes memory from another backend and computes nothing. */
    private static Backend idle(Backend memory) {
        return (Backend) Proxy.newProxyInstance(
                Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("repeat")) {
                        ((Runnable) arguments[2]).run();
                        return null;
                    }
                    if (method.getReturnType() == void.class) {
                        return null;
                    }
                    try {
                        return method.invoke(memory, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    @Benchmark
    public void trainingPass() {
        model.forward(training, texts, null);
        model.backward(gradients, training, texts, coefficients, null, false);
    }

    @Benchmark
    public void decodingPass() {
        model.decode(decoding, token, cache);
    }

    @TearDown
    public void tearDown() {
        memory.close();
    }
}
