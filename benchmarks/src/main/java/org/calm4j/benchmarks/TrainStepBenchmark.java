package org.calm4j.benchmarks;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.Replay;
import org.calm4j.engine.train.TrainSettings;
import org.calm4j.engine.train.Trainer;
import org.calm4j.engine.train.optim.Schedule;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** One pretraining step of the demo's model: 8 texts of 80 tokens, forward, backward, clipping, AdamW. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class TrainStepBenchmark {
    @Param({"1", "2"})
    private int threads;

    private Backend backend;
    private Parameters parameters;
    private Trainer trainer;
    private int step;

    /** Vocabulary, hidden size, feed-forward size, layers, heads. */
    @Param("950x128x344x2x2")
    private String shape;

    @Setup
    public void setUp() {
        backend = Backends.open("cpu", threads);
        int[] sizes =
                Arrays.stream(shape.split("x")).mapToInt(Integer::parseInt).toArray();
        ModelConfig config = Llama.config(sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[4], 256, 1);
        parameters = Parameters.random(backend, config, 1);
        Random random = new Random(2);
        List<Example.Document> documents = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            documents.add(new Example.Document(random.ints(81, 0, sizes[0]).toArray(), 1, 1));
        }
        TrainSettings settings = new TrainSettings(
                8,
                0,
                false,
                new Schedule(Schedule.Kind.CONSTANT, 1e-4, 0, 0, 1),
                AdamW.DEFAULT,
                0.1,
                1,
                null,
                0,
                0,
                0,
                false,
                1);
        trainer = new Trainer(new CausalLm(config, parameters, null), settings, documents, Replay.NONE, List.of());
    }

    @Benchmark
    public double step() {
        return trainer.step(step++).loss();
    }

    @TearDown
    public void tearDown() {
        backend.close();
    }
}
