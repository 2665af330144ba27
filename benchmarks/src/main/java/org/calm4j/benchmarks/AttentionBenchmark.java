package org.calm4j.benchmarks;

import java.util.concurrent.TimeUnit;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.calm4j.engine.op.Segments;
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

/** Causal attention over eight texts, forward and backward. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class AttentionBenchmark {
    @Param({"1", "2"})
    private int threads;

    private Backend backend;
    private Segments segments;
    private Tensor q;
    private Tensor k;
    private Tensor v;
    private Tensor out;
    private Tensor lse;
    private Tensor dQ;
    private Tensor dK;
    private Tensor dV;
    private Tensor dOut;
    private double scale;

    /** Tokens of a text, heads, key heads, head size. */
    @Param({"80x2x2x64", "256x12x4x64"})
    private String size;

    @Setup
    public void setUp() {
        backend = Backends.open("cpu", threads);
        String[] sizes = size.split("x");
        int length = Integer.parseInt(sizes[0]);
        int heads = Integer.parseInt(sizes[1]);
        int groups = Integer.parseInt(sizes[2]);
        int d = Integer.parseInt(sizes[3]);
        int rows = 8 * length;
        segments = new Segments();
        for (int text = 0; text < 8; text++) {
            segments.add(text * length, length, text * length, length, Segments.NONE);
        }
        q = Tensors.random(backend, rows, heads, d);
        k = Tensors.random(backend, rows, groups, d);
        v = Tensors.random(backend, rows, groups, d);
        out = Tensors.random(backend, rows, heads, d);
        lse = Tensors.random(backend, rows, heads);
        dQ = Tensors.random(backend, rows, heads, d);
        dK = Tensors.random(backend, rows, groups, d);
        dV = Tensors.random(backend, rows, groups, d);
        dOut = Tensors.random(backend, rows, heads, d);
        scale = 1 / Math.sqrt(d);
        forward();
    }

    @Benchmark
    public final void forward() {
        backend.attentionForward(out, lse, q, k, v, segments, scale, 0);
    }

    @Benchmark
    public void backward() {
        backend.attentionBackward(dQ, dK, dV, dOut, out, lse, q, k, v, segments, scale, 0);
    }

    @TearDown
    public void tearDown() {
        backend.close();
    }
}
