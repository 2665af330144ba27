package org.calm4j.benchmarks;

import java.nio.ByteOrder;
import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.openblas.global.openblas;
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

/** {@code out = x·wᵀ} in the sizes of training and decoding, compared with OpenBLAS on the same threads. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class LinearBenchmark {
    /** Rows, outputs, inputs. */
    @Param({"640x128x128", "640x344x128", "640x950x128", "512x768x768", "8x3072x768"})
    private String size;

    @Param("1")
    private int threads;

    private Backend backend;
    private Tensor out;
    private Tensor x;
    private Tensor w;
    private FloatPointer peerOut;
    private FloatPointer peerX;
    private FloatPointer peerW;
    private int rows;
    private int outputs;
    private int inputs;

    @Setup
    public void setUp() {
        String[] sizes = size.split("x");
        rows = Integer.parseInt(sizes[0]);
        outputs = Integer.parseInt(sizes[1]);
        inputs = Integer.parseInt(sizes[2]);
        backend = Backends.open("cpu", threads);
        out = Tensors.random(backend, rows, outputs);
        x = Tensors.random(backend, rows, inputs);
        w = Tensors.random(backend, outputs, inputs);
        openblas.blas_set_num_threads(threads);
        peerOut = new FloatPointer(out.size());
        peerX = new FloatPointer(
                x.segment().asByteBuffer().order(ByteOrder.nativeOrder()).asFloatBuffer());
        peerW = new FloatPointer(
                w.segment().asByteBuffer().order(ByteOrder.nativeOrder()).asFloatBuffer());
    }

    @Benchmark
    public void calm4j() {
        backend.linearForward(out, x, w, 1, false);
    }

    @Benchmark
    public void openBlas() {
        openblas.cblas_sgemm(
                openblas.CblasRowMajor,
                openblas.CblasNoTrans,
                openblas.CblasTrans,
                rows,
                outputs,
                inputs,
                1,
                peerX,
                inputs,
                peerW,
                inputs,
                0,
                peerOut,
                outputs);
    }

    @TearDown
    public void tearDown() {
        backend.close();
    }
}
