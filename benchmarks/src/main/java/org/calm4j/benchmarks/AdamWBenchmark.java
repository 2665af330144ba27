package org.calm4j.benchmarks;

import java.util.concurrent.TimeUnit;
import org.calm4j.engine.op.AdamW;
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

/** One optimizer step over a million parameters. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class AdamWBenchmark {
    @Param({"1", "2"})
    private int threads;

    private Backend backend;
    private Tensor w;
    private Tensor m;
    private Tensor v;
    private Tensor gradient;

    @Param("1048576")
    private int parameters;

    @Setup
    public void setUp() {
        backend = Backends.open("cpu", threads);
        w = Tensors.random(backend, parameters);
        m = Tensors.random(backend, parameters);
        v = Tensors.random(backend, parameters);
        backend.zero(v);
        gradient = Tensors.random(backend, parameters);
    }

    @Benchmark
    public void step() {
        backend.adamW(w, m, v, gradient, AdamW.DEFAULT, 1e-6, 0.1, 1, 1000);
    }

    @Benchmark
    public double norm() {
        return backend.sumOfSquares(gradient);
    }

    @TearDown
    public void tearDown() {
        backend.close();
    }
}
