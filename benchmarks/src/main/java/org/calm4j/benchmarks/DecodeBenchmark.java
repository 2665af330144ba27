package org.calm4j.benchmarks;

import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.generate.Completion;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** 16 tokens of 64 sequences over eight prompts of 40 tokens, the demo's model. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class DecodeBenchmark {
    @Param({"1", "2"})
    private int threads;

    private Backend backend;
    private Generator generator;
    private List<int[]> prompts;

    @Param({"1", "8"})
    private int samples;

    @Setup
    public void setUp() {
        backend = Backends.open("cpu", threads);
        ModelConfig config = Llama.config(950, 128, 344, 2, 2, 2, 256, 1);
        Parameters parameters = Parameters.random(backend, config, 1);
        parameters.freeze();
        generator = new Generator(new CausalLm(config, parameters, null));
        Random random = new Random(2);
        prompts = Stream.generate(() -> random.ints(40, 0, 950).toArray())
                .limit(8)
                .toList();
    }

    @Benchmark
    public List<List<Completion>> decode() {
        return generator.generate(prompts, new Sampling(16, 1, 0, 1, 0, samples, true, 1), done -> {});
    }

    @TearDown
    public void tearDown() {
        backend.close();
    }
}
