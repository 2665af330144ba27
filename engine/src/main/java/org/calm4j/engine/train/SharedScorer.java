package org.calm4j.engine.train;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Scorer;
import org.calm4j.engine.ranks.HandOut;
import org.calm4j.engine.ranks.Ranks;

/** A {@link Scorer} whose batches are made by all ranks: the same bits for any number of them, because the batches stay the same. */
public final class SharedScorer implements HandOut.Work<double[]> {
    private final Scorer.Batches batches;
    private final IntConsumer done;
    /** By batch, the log-probabilities of all its items one after another; on rank 0. */
    private final double[][] made;

    private int items;

    private SharedScorer(Scorer.Batches batches, IntConsumer done) {
        this.batches = batches;
        this.done = done;
        made = new double[batches.count()][];
    }

    /** As {@link Scorer#score}, on rank 0; null on the others. All have the same model and items. */
    public static List<List<double[]>> score(Ranks ranks, CausalLm model, List<Scorer.Item> items, IntConsumer done) {
        if (ranks.size() == 1) {
            return new Scorer(model).score(items, done);
        }
        try (Scorer.Batches batches = new Scorer.Batches(model, items)) {
            SharedScorer scorer = new SharedScorer(batches, done);
            HandOut.run(ranks, IntStream.range(0, batches.count()).boxed().toList(), scorer);
            return ranks.isFirst() ? scorer.all(items) : null;
        }
    }

    @Override
    public double[] make(int batch) {
        return batches.score(batch).stream()
                .flatMap(List::stream)
                .flatMapToDouble(Arrays::stream)
                .toArray();
    }

    @Override
    public byte[] pack(double[] logProbs) {
        ByteBuffer bytes = ByteBuffer.allocate(Double.BYTES * logProbs.length);
        bytes.asDoubleBuffer().put(logProbs);
        return bytes.array();
    }

    @Override
    public double[] unpack(byte[] bytes) {
        double[] logProbs = new double[bytes.length / Double.BYTES];
        ByteBuffer.wrap(bytes).asDoubleBuffer().get(logProbs);
        return logProbs;
    }

    @Override
    public void take(int batch, double[] logProbs) {
        made[batch] = logProbs;
        items += batches.end(batch) - (batch == 0 ? 0 : batches.end(batch - 1));
        done.accept(items);
    }

    private List<List<double[]>> all(List<Scorer.Item> scored) {
        List<List<double[]>> all = new ArrayList<>();
        int batch = 0;
        int from = 0;
        for (Scorer.Item item : scored) {
            if (all.size() == batches.end(batch)) {
                batch++;
                from = 0;
            }
            List<double[]> own = new ArrayList<>();
            for (int[] completion : item.completions()) {
                own.add(Arrays.copyOfRange(made[batch], from, from + completion.length));
                from += completion.length;
            }
            all.add(own);
        }
        return all;
    }
}
