package org.calm4j.engine.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.op.Backend;

/** Log-probabilities of completions, many prompts at a time, each prompt computed once. */
public final class Scorer {
    private static final int ROWS = 2048;

    /**
     * @param prompt at least one token
     * @param completions at least one token each
     */
    public record Item(int[] prompt, List<int[]> completions) {
        /** Rows that it takes in a batch. */
        public int rows() {
            return prompt.length
                    + completions.stream().mapToInt(c -> c.length - 1).sum();
        }

        int scored() {
            return completions.stream().mapToInt(c -> c.length).sum();
        }

        /** @throws CalmException bad input: it is longer than the model's positions */
        public void check(CausalLm model) {
            if (longest() > model.config().positions().limit()) {
                throw CalmException.badInput(
                        "the sequence has " + longest() + " tokens",
                        "the model's max_position_embeddings is "
                                + model.config().positions().limit());
            }
        }

        int longest() {
            return prompt.length
                    + completions.stream().mapToInt(c -> c.length).max().orElse(0);
        }
    }

    private final CausalLm model;

    /**
     * Bytes that scoring items takes, without an adapter.
     *
     * @param largest rows of an item
     * @param all rows of all items
     * @param scored tokens of an item
     * @param longest tokens of a sequence
     */
    public static long bytes(Backend backend, ModelConfig config, int largest, long all, int scored, int longest) {
        int rows = (int) Math.max(largest, Math.min(ROWS, all));
        Activations.Capacity capacity = new Activations.Capacity(rows, Math.max(rows, scored), longest, 0, 0);
        return Activations.bytes(backend, config, Activations.Purpose.INFERENCE, capacity);
    }

    public Scorer(CausalLm model) {
        this.model = model;
    }

    /**
     * Natural-log probabilities of the tokens of each completion of each item, in their order.
     *
     * @param done receives how many items are done
     * @throws CalmException bad input: an item is longer than the model's positions, or a weight is not finite
     */
    public List<List<double[]>> score(List<Item> items, IntConsumer done) {
        List<List<double[]>> all = new ArrayList<>(items.size());
        try (Batches batches = new Batches(model, items)) {
            for (int b = 0; b < batches.count(); b++) {
                all.addAll(batches.score(b));
                done.accept(batches.end(b));
            }
        }
        return all;
    }

    /** Items in batches that are computed one by one, by whoever; a batch depends on the model and on all items. */
    public static final class Batches implements AutoCloseable {
        private final CausalLm model;
        private final List<Item> items;
        private final List<Integer> ends = new ArrayList<>();
        private final Activations.Capacity capacity;
        private final PackedBatch batch = new PackedBatch();
        /** Taken for the first batch. */
        private Activations activations;

        /** @throws CalmException bad input: an item is longer than the model's positions */
        public Batches(CausalLm model, List<Item> items) {
            this.model = model;
            this.items = items;
            // Items are taken once here, since a list may make them when they are taken.
            int[] rows = new int[items.size()];
            int[] scored = new int[items.size()];
            int longest = 0;
            int i = 0;
            for (Item item : items) {
                item.check(model);
                rows[i] = item.rows();
                scored[i++] = item.scored();
                longest = Math.max(longest, item.longest());
            }
            int most = (int) Math.max(
                    Arrays.stream(rows).max().orElse(0),
                    Math.min(ROWS, Arrays.stream(rows).asLongStream().sum()));
            int mostScored = Math.max(most, Arrays.stream(scored).max().orElse(0));
            capacity = Activations.Capacity.of(model, most, mostScored, longest, 0);
            for (int first = 0; first < rows.length; first = ends.getLast()) {
                ends.add(endFrom(first, rows, scored));
            }
        }

        private int endFrom(int first, int[] rows, int[] scored) {
            int sumOfRows = 0;
            int sumOfScored = 0;
            int i = first;
            while (i < rows.length
                    && sumOfRows + rows[i] <= capacity.rows()
                    && sumOfScored + scored[i] <= capacity.scored()) {
                sumOfRows += rows[i];
                sumOfScored += scored[i++];
            }
            return i;
        }

        public int count() {
            return ends.size();
        }

        /** The number of the first item after a batch. */
        public int end(int b) {
            return ends.get(b);
        }

        /**
         * As {@link Scorer#score}, for the items of a batch.
         *
         * @throws CalmException bad input: a weight is not finite
         */
        public List<List<double[]>> score(int b) {
            if (activations == null) {
                activations = new Activations(model.backend(), model.config(), Activations.Purpose.INFERENCE, capacity);
            }
            List<Item> own = List.copyOf(items.subList(b == 0 ? 0 : end(b - 1), end(b)));
            batch.clear();
            for (Item item : own) {
                int prompt = batch.prompt(item.prompt());
                item.completions().forEach(completion -> batch.continuation(prompt, completion));
            }
            model.forward(activations, batch, null);
            double[] logProbs = new double[capacity.scored()];
            activations.readLogProbs(logProbs);
            for (int i = 0; i < batch.scored(); i++) {
                if (!Double.isFinite(logProbs[i])) {
                    throw NotFinite.explain(model);
                }
            }
            return unpack(logProbs, batch, own);
        }

        @Override
        public void close() {
            if (activations != null) {
                activations.close();
            }
        }
    }

    private static List<List<double[]>> unpack(double[] logProbs, PackedBatch batch, List<Item> items) {
        List<List<double[]>> all = new ArrayList<>();
        int sequence = 0;
        for (Item each : items) {
            List<double[]> item = new ArrayList<>();
            for (int c = 0; c < each.completions().size(); c++, sequence++) {
                item.add(Arrays.copyOfRange(logProbs, batch.scoredStart(sequence), batch.scoredStart(sequence + 1)));
            }
            all.add(item);
        }
        return all;
    }
}
