package org.calm4j.engine.inspect;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.tensor.Tensor;

/** The values and gradients that a run kept, by their hook points' names, in host memory until closed. */
public final class Trace implements AutoCloseable {
    /** Ends the name of a gradient. */
    public static final String GRADIENT = "_grad";

    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private double[] logProbs;

    void keep(HookPoint.At at, boolean gradient, Tensor copy) {
        tensors.put(at.name() + (gradient ? GRADIENT : ""), copy);
    }

    void setLogProbs(double[] logProbs) {
        this.logProbs = logProbs;
    }

    /** Values by name, and gradients by name and {@code _grad}. */
    public Map<String, Tensor> tensors() {
        return Collections.unmodifiableMap(tensors);
    }

    /** The value at a hook point. */
    public Tensor value(String name) {
        return required(name);
    }

    /** The gradient at a hook point. */
    public Tensor gradient(String name) {
        return required(name + GRADIENT);
    }

    /** Elements in row-major order. */
    public double[] values(String name) {
        Tensor tensor = required(name);
        double[] values = new double[Math.toIntExact(tensor.size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = tensor.get(i);
        }
        return values;
    }

    /** Natural-log probability of each token after the first. */
    public double[] logProbs() {
        return logProbs.clone();
    }

    /** A tensor that then belongs to the caller, who closes its buffer. */
    public Tensor take(String name) {
        required(name);
        return tensors.remove(name);
    }

    private Tensor required(String name) {
        Tensor tensor = tensors.get(name);
        if (tensor == null) {
            throw new IllegalArgumentException("nothing was kept under " + name + "; there are " + tensors.keySet());
        }
        return tensor;
    }

    @Override
    public void close() {
        tensors.values().forEach(tensor -> tensor.buffer().close());
    }
}
