package org.calm4j.engine.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import org.calm4j.engine.CalmException;

/** Log-probabilities of completions, many prompts at a time, each prompt computed once. */
public final class Scorer {
    private static final int ROWS = 2048;

    /**
     * @param prompt at least one token
     * @param completions at least one token each
     */
    public record Item(int[] prompt, List<int[]> completions) {
        int rows() {
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
        if (items.isEmpty()) {
            return all;
        }
        int largest = items.stream().mapToInt(Item::rows).max().orElseThrow();
        int rows = (int) Math.max(
                largest, Math.min(ROWS, items.stream().mapToLong(Item::rows).sum()));
        int scored = Math.max(rows, items.stream().mapToInt(Item::scored).max().orElseThrow());
        int longest = items.stream().mapToInt(Item::longest).max().orElseThrow();
        items.forEach(item -> item.check(model));
        var capacity = new Activations.Capacity(rows, scored, longest, 0, model.loraRank());
        try (Activations activations =
                new Activations(model.backend(), model.config(), Activations.Purpose.INFERENCE, capacity)) {
            PackedBatch batch = new PackedBatch();
            double[] logProbs = new double[scored];
            for (int first = 0; first < items.size(); ) {
                int end = pack(batch, items, first, capacity);
                model.forward(activations, batch, null);
                activations.readLogProbs(logProbs);
                for (int i = 0; i < batch.scored(); i++) {
                    if (!Double.isFinite(logProbs[i])) {
                        throw NotFinite.explain(model);
                    }
                }
                unpack(all, logProbs, batch, items, first, end);
                first = end;
                done.accept(first);
            }
        }
        return all;
    }

    private static int pack(PackedBatch batch, List<Item> items, int first, Activations.Capacity capacity) {
        batch.clear();
        int i = first;
        while (i < items.size()
                && batch.rows() + items.get(i).rows() <= capacity.rows()
                && batch.scored() + items.get(i).scored() <= capacity.scored()) {
            int prompt = batch.prompt(items.get(i).prompt());
            for (int[] completion : items.get(i).completions()) {
                batch.continuation(prompt, completion);
            }
            i++;
        }
        return i;
    }

    private static void unpack(
            List<List<double[]>> all, double[] logProbs, PackedBatch batch, List<Item> items, int first, int end) {
        int sequence = 0;
        for (int i = first; i < end; i++) {
            List<double[]> item = new ArrayList<>();
            for (int c = 0; c < items.get(i).completions().size(); c++, sequence++) {
                item.add(Arrays.copyOfRange(logProbs, batch.scoredStart(sequence), batch.scoredStart(sequence + 1)));
            }
            all.add(item);
        }
    }
}
