package org.calm4j.benchmarks;

import java.util.concurrent.TimeUnit;
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
 * What hook points cost where nothing hooks: the pages forward and backward, and one step of decoding, of the demo's model, without a tap, with
 * one that wants no point, and with the hook points' code removed. With operations that do nothing only the pages' own code is left, whose
 * times with and without hook points can be told apart; their difference belongs beside the time with operations that compute.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class HookBenchmark {
    @Param({"nothing", "compute"})
    private String operations;

    @Param({"none", "empty", "removed"})
    private String tap;

    private Passes pages;

    @Setup
    public void setUp() {
        pages = new PagesLoader(!tap.equals("removed")).pages(operations.equals("compute"), tap.equals("empty"));
    }

    @Benchmark
    public void trainingPass() {
        pages.training();
    }

    @Benchmark
    public void decodingPass() {
        pages.decoding();
    }

    @TearDown
    public void tearDown() {
        pages.close();
    }
}
