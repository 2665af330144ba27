package org.calm4j.engine.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.random.CounterRandom;

/**
 * Documents that each step adds to its lines against forgetting: from one source, or from several in given proportions.
 *
 * @param sources each with at least one document
 * @param shares of a step's documents that each source gives, above 0; they need not add up to 1
 */
public record Replay(List<List<Example.Document>> sources, List<Double> shares) {
    public static final Replay NONE = new Replay(List.of(), List.of());

    /** @throws CalmException wrong usage: not one share above 0 for each source, or an empty source */
    public Replay {
        sources = List.copyOf(sources);
        shares = List.copyOf(shares);
        if (sources.size() != shares.size()
                || shares.stream().anyMatch(share -> !(share > 0) || share.isInfinite())
                || sources.stream().anyMatch(List::isEmpty)) {
            throw CalmException.usage(
                    "replay needs one share above 0 for each source, and sources with at least one document");
        }
    }

    /** One source. */
    public static Replay of(List<Example.Document> documents) {
        return documents.isEmpty() ? NONE : new Replay(List.of(documents), List.of(1.0));
    }

    /** All documents. */
    public List<Example.Document> documents() {
        return sources.stream().flatMap(List::stream).toList();
    }

    /** Which documents a step takes: a pure function of the step, independent of earlier calls. */
    final class Order {
        private final int batchSize;
        private final List<DataOrder> orders = new ArrayList<>();
        private final long[] taken = new long[sources.size()];
        private long position;

        Order(int batchSize, boolean shuffle, long seed) {
            this.batchSize = batchSize;
            for (int source = 0; source < sources.size(); source++) {
                orders.add(new DataOrder(
                        sources.get(source).size(),
                        batchSize,
                        shuffle,
                        source == 0 ? seed : CounterRandom.seed(seed, source)));
            }
        }

        /** Always {@code batchSize} of them; a source starts again at its end. */
        List<Example.Document> documents(int step) {
            long first = (long) step * batchSize;
            if (first < position) {
                position = 0;
                Arrays.fill(taken, 0);
            }
            while (position < first) {
                next();
            }
            List<Example.Document> documents = new ArrayList<>();
            for (int i = 0; i < batchSize; i++) {
                int source = next();
                documents.add(sources.get(source).get(orders.get(source).at(taken[source] - 1)));
            }
            return documents;
        }

        // The source that is furthest below its share, the first of equals.
        private int next() {
            position++;
            double all = shares.stream().mapToDouble(Double::doubleValue).sum();
            int best = 0;
            for (int source = 1; source < taken.length; source++) {
                if (behind(source, all) > behind(best, all)) {
                    best = source;
                }
            }
            taken[best]++;
            return best;
        }

        private double behind(int source, double all) {
            return shares.get(source) / all * position - taken[source];
        }
    }
}
