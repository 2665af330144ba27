package org.calm4j.benchmarks;

import java.util.concurrent.TimeUnit;
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

/** Forward and backward of 640 rows. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class RmsNormBenchmark {
    @Param({"1", "2"})
    private int threads;

    private Backend backend;
    private Tensor out;
    private Tensor rstd;
    private Tensor x;
    private Tensor w;
    private Tensor dX;
    private Tensor dW;

    @Param({"128", "768"})
    private int width;

    @Setup
    public void setUp() {
        backend = Backends.open("cpu", threads);
        out = Tensors.random(backend, 640, width);
        rstd = Tensors.random(backend, 640);
        x = Tensors.random(backend, 640, width);
        w = Tensors.random(backend, width);
        dX = Tensors.random(backend, 640, width);
        dW = Tensors.random(backend, width);
        backend.rmsNormForward(out, rstd, x, null, w, 1e-6);
    }

    @Benchmark
    public void forward() {
        backend.rmsNormForward(out, rstd, x, null, w, 1e-6);
    }

    @Benchmark
    public void backward() {
        backend.zero(dX);
        backend.rmsNormBackward(dX, dW, out, x, w, rstd);
    }

    @TearDown
    public void tearDown() {
        backend.close();
    }
}
