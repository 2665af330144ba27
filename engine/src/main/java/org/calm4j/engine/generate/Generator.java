package org.calm4j.engine.generate;

import it.unimi.dsi.fastutil.doubles.DoubleArrayList;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.DecodeBatch;
import org.calm4j.engine.model.KvCache;

/**
 * Completions of many prompts: each prompt is computed once for all its samples, and all sequences are decoded together, a token a step;
 * those that ended leave the batch.
 */
public final class Generator {
    private static final int ROWS = 2048;
    private static final int MOST_SEQUENCES = 512;
    private static final long MOST_LOGITS = 1 << 24;
    private static final long CACHE_BYTES = 1L << 30;

    private final CausalLm model;

    public Generator(CausalLm model) {
        this.model = model;
    }

    /** One completion under way. */
    private static final class Sequence {
        final int prompt;
        final int promptStart;
        final int start;
        final long stream;
        final IntArrayList tokens = new IntArrayList();
        final DoubleArrayList logProbs = new DoubleArrayList();
        boolean stopped;

        Sequence(int prompt, int promptStart, int start, long stream) {
            this.prompt = prompt;
            this.promptStart = promptStart;
            this.start = start;
            this.stream = stream;
        }

        Completion completion() {
            return new Completion(tokens.toIntArray(), logProbs.toDoubleArray(), stopped ? "stop" : "length");
        }
    }

    /**
     * For each prompt its completions, {@code sampling.count()} of them. A result depends on (model, seed, prompt, number of the prompt,
     * number of the sample) alone.
     *
     * @param prompts at least one token each
     * @param done is told how many prompts are done
     * @throws CalmException bad input: prompt and completion are longer than the model's positions
     */
    public List<List<Completion>> generate(List<int[]> prompts, Sampling sampling, IntConsumer done) {
        return generate(prompts, 0, sampling, done);
    }

    /** The same for a part of many prompts: {@code firstNumber} is the number of its first one among all. */
    public List<List<Completion>> generate(List<int[]> prompts, int firstNumber, Sampling sampling, IntConsumer done) {
        List<List<Completion>> all = new ArrayList<>(prompts.size());
        if (prompts.isEmpty()) {
            return all;
        }
        int longest = check(prompts, sampling);
        long wanted = Math.min((long) prompts.size() * sampling.count(), MOST_SEQUENCES);
        int sequences = (int) Math.max(sampling.count(), Math.min(wanted, MOST_LOGITS / model.config().vocabSize()));
        int cacheRows = cacheRows(prompts, sampling, sequences, longest);
        int rows = Math.max(Math.max(longest, sequences), Math.min(ROWS, prompts.stream().mapToInt(p -> p.length).sum()));
        var capacity = new Activations.Capacity(rows, sequences, longest + sampling.maxNewTokens(), sequences,
                model.loraRank());
        try (KvCache cache = new KvCache(model.backend(), model.config(), cacheRows);
                Activations activations = new Activations(model.backend(), model.config(), Activations.Purpose.INFERENCE, capacity)) {
            Wave wave = new Wave(firstNumber, sampling, cache, activations, sequences);
            for (int first = 0; first < prompts.size();) {
                first = wave.fill(prompts, first);
                wave.prefill(prompts);
                wave.decode();
                wave.collect(all);
                done.accept(first);
            }
        }
        return all;
    }

    /**
     * Returns the length of the longest prompt.
     *
     * @throws CalmException bad input: it and its completion are longer than the model's positions
     */
    public int check(List<int[]> prompts, Sampling sampling) {
        int longest = prompts.stream().mapToInt(p -> p.length).max().orElse(0);
        if (longest + sampling.maxNewTokens() > model.config().maxPositions()) {
            throw CalmException.badInput("the longest prompt has " + longest + " tokens", "with " + sampling.maxNewTokens()
                    + " new ones that is more than the model's max_position_embeddings, " + model.config().maxPositions());
        }
        return longest;
    }

    private int cacheRows(List<int[]> prompts, Sampling sampling, int sequences, int longest) {
        long total = 0;
        for (int[] prompt : prompts) {
            total += prompt.length + (long) sampling.count() * sampling.maxNewTokens();
        }
        long onePrompt = longest + (long) sampling.count() * sampling.maxNewTokens();
        long perWave = Math.max(onePrompt, (long) sequences / sampling.count() * onePrompt);
        long affordable = Math.max(onePrompt, CACHE_BYTES / KvCache.bytesPerRow(model.config(), model.backend()));
        return Math.toIntExact(Math.min(total, Math.min(perWave, affordable)));
    }

    /** The prompts that are under way together. */
    private final class Wave {
        private final int firstNumber;
        private final Sampling sampling;
        private final KvCache cache;
        private final Activations activations;
        private final int mostSequences;
        private final Sampler sampler;
        private final DecodeBatch batch = new DecodeBatch();
        private final double[] logits;
        private final List<Sequence> sequences = new ArrayList<>();
        private final List<Sequence> active = new ArrayList<>();
        private List<int[]> prompts = List.of();

        Wave(int firstNumber, Sampling sampling, KvCache cache, Activations activations, int mostSequences) {
            this.firstNumber = firstNumber;
            this.sampling = sampling;
            this.cache = cache;
            this.activations = activations;
            this.mostSequences = mostSequences;
            sampler = new Sampler(sampling, model.config().vocabSize());
            logits = new double[Math.multiplyExact(mostSequences, model.config().vocabSize())];
        }

        /** Takes prompts from {@code first} on while there is room; returns the first one left. */
        int fill(List<int[]> all, int first) {
            sequences.clear();
            int row = 0;
            int next = first;
            while (next < all.size() && sequences.size() + sampling.count() <= mostSequences
                    && row + all.get(next).length + sampling.count() * sampling.maxNewTokens() <= cache.rows()) {
                int promptStart = row;
                row += all.get(next).length;
                for (int k = 0; k < sampling.count(); k++) {
                    sequences.add(new Sequence(next, promptStart, row, Sampler.stream(sampling.seed(), firstNumber + next, k)));
                    row += sampling.maxNewTokens();
                }
                next++;
            }
            cache.clear(row);
            return next;
        }

        void prefill(List<int[]> all) {
            prompts = all;
            active.clear();
            int s = 0;
            while (s < sequences.size()) {
                batch.clear();
                int from = s;
                while (s < sequences.size()
                        && (s == from || batch.rows() + all.get(sequences.get(s).prompt).length <= activations.capacity().rows())) {
                    batch.prompt(all.get(sequences.get(s).prompt), sequences.get(s).promptStart);
                    s += sampling.count();
                }
                model.decode(activations, batch, cache);
                activations.readLogits(logits);
                for (int i = from; i < s; i++) {
                    choose(sequences.get(i), (i - from) / sampling.count());
                }
            }
        }

        void decode() {
            while (!active.isEmpty()) {
                batch.clear();
                int prompt = -1;
                int parent = -1;
                for (Sequence sequence : active) {
                    if (sequence.prompt != prompt) {
                        prompt = sequence.prompt;
                        parent = batch.cached(sequence.promptStart, prompts.get(prompt).length);
                    }
                    batch.token(sequence.tokens.getInt(sequence.tokens.size() - 1), sequence.start, sequence.tokens.size(), parent);
                }
                model.decode(activations, batch, cache);
                activations.readLogits(logits);
                List<Sequence> stepped = List.copyOf(active);
                active.clear();
                for (int i = 0; i < stepped.size(); i++) {
                    choose(stepped.get(i), i);
                }
            }
        }

        private void choose(Sequence sequence, int row) {
            int token = sampler.next(logits, row, sequence.stream, sequence.tokens.size());
            sequence.tokens.add(token);
            sequence.logProbs.add(logits[row * model.config().vocabSize() + token] - sampler.logSumExp(logits, row));
            sequence.stopped = !sampling.ignoreEos() && model.config().eos().contains(token);
            if (!sequence.stopped && sequence.tokens.size() < sampling.maxNewTokens()) {
                active.add(sequence);
            }
        }

        void collect(List<List<Completion>> all) {
            for (int s = 0; s < sequences.size(); s += sampling.count()) {
                all.add(sequences.subList(s, s + sampling.count()).stream().map(Sequence::completion).toList());
            }
        }
    }
}
