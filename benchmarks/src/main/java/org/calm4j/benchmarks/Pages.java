package org.calm4j.benchmarks;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.Random;
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

/** The demo's model, with operations that compute or with none, so that only the pages' own code is left. */
public final class Pages implements Passes {
    private static final int CACHED = 40;

    private final Backend memory = Backends.open("cpu", 1);
    private final CausalLm model;
    private final Activations training;
    private final Activations decoding;
    private final PackedBatch texts = new PackedBatch();
    private final DecodeBatch token = new DecodeBatch();
    private final KvCache cache;
    private final Gradients gradients;
    private final double[] coefficients;

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

    /**
     * @param compute whether operations do anything
     * @param tapped whether there is a tap, which wants nothing
     */
    public Pages(boolean compute, boolean tapped) {
        Backend backend = compute ? memory : idle(memory);
        ModelConfig config = Llama.config(950, 128, 344, 3, 2, 2, 256, 1);
        CausalLm plain = new CausalLm(config, Parameters.random(backend, config, 1), null);
        model = tapped ? plain.tapped(new Empty()) : plain;
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

    @Override
    public void training() {
        model.forward(training, texts, null);
        model.backward(gradients, training, texts, coefficients, null, false);
    }

    @Override
    public void decoding() {
        model.decode(decoding, token, cache);
    }

    @Override
    public void close() {
        memory.close();
    }
}
