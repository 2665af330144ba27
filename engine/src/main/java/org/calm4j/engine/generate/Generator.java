package org.calm4j.engine.generate;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.DecodeBatch;
import org.calm4j.engine.model.KvCache;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Draws;
import org.calm4j.engine.text.Tokenizer;

/**
 * Completions of many prompts: each prompt is computed once for all its samples, and all sequences are decoded together, a token a step;
 * those that ended leave the batch. What does not fit into memory at once is done in waves.
 */
public final class Generator {
    private static final int ROWS = 2048;
    private static final int MOST_SEQUENCES = 512;
    private static final long MOST_LOGITS = 1 << 24;
    private static final long CACHE_BYTES = 1L << 30;

    private final CausalLm model;
    private final Tokenizer tokenizer;
    private final int mostSequences;
    private final long cacheBytes;

    /** On token ids: completions have no text. */
    public Generator(CausalLm model) {
        this(model, null, MOST_SEQUENCES, CACHE_BYTES);
    }

    /** Completions have a text where the folder has a tokenizer. */
    public Generator(ModelFolder folder) {
        this(folder.model(), folder.tokenizer(), MOST_SEQUENCES, CACHE_BYTES);
    }

    /**
     * @param mostSequences decoded together
     * @param cacheBytes of keys and values; one sequence is decoded whatever it takes
     */
    Generator(CausalLm model, Tokenizer tokenizer, int mostSequences, long cacheBytes) {
        this.model = model;
        this.tokenizer = tokenizer;
        this.mostSequences = Math.clamp(MOST_LOGITS / model.config().vocabSize(), 1, mostSequences);
        this.cacheBytes = cacheBytes;
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
        prompts.forEach(prompt -> all.add(new ArrayList<>()));
        int longest = check(prompts, sampling);
        long wanted = (long) prompts.size() * sampling.count();
        int sequences = (int) Math.min(wanted, mostSequences);
        int rows = Math.max(Math.max(longest, sequences), (int) Math.min(ROWS, prompts.stream().mapToLong(p -> p.length).sum()));
        var capacity = new Activations.Capacity(rows, sequences, longest + sampling.maxNewTokens(), sequences,
                model.loraRank());
        try (KvCache cache = new KvCache(model.backend(), model.config(), cacheRows(prompts, sampling, sequences, longest));
                Activations activations = new Activations(model.backend(), model.config(), Activations.Purpose.INFERENCE, capacity)) {
            Wave wave = new Wave(prompts, firstNumber, sampling, cache, activations, sequences);
            for (long first = 0; first < wanted;) {
                first = wave.fill(first);
                wave.prefill();
                wave.decode();
                wave.collect(all);
                done.accept((int) (first / sampling.count()));
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
        if ((long) longest + sampling.maxNewTokens() > model.config().maxPositions()) {
            throw CalmException.badInput("the longest prompt has " + longest + " tokens", "with " + sampling.maxNewTokens()
                    + " new ones that is more than the model's max_position_embeddings, " + model.config().maxPositions());
        }
        return longest;
    }

    private int cacheRows(List<int[]> prompts, Sampling sampling, int sequences, int longest) {
        long inAll = 0;
        for (int[] prompt : prompts) {
            inAll += prompt.length + (long) sampling.count() * sampling.maxNewTokens();
        }
        // A wave begins and ends in the middle of a prompt's samples, if need be.
        long promptsTogether = Math.min(sequences, sequences / sampling.count() + 2);
        long together = promptsTogether * longest + (long) sequences * sampling.maxNewTokens();
        long one = (long) longest + sampling.maxNewTokens();
        long affordable = Math.max(one, cacheBytes / KvCache.bytesPerRow(model.config(), model.backend()));
        return (int) Math.min(Math.min(inAll, together), Math.min(affordable, Integer.MAX_VALUE));
    }

    /** Where a draft's tokens lie in the cache: behind those of its prompt, which its samples share. */
    private record Place(int prompt, int promptStart, int start, Draft draft) {
    }

    /** The sequences that are under way together. */
    private final class Wave {
        private final List<int[]> prompts;
        private final int firstNumber;
        private final Sampling sampling;
        private final KvCache cache;
        private final Activations activations;
        private final int mostTogether;
        private final DecodeBatch batch = new DecodeBatch();
        private final Draws draws = new Draws();
        private final List<Place> places = new ArrayList<>();
        private List<Place> active = new ArrayList<>();

        Wave(List<int[]> prompts, int firstNumber, Sampling sampling, KvCache cache, Activations activations, int mostTogether) {
            this.prompts = prompts;
            this.firstNumber = firstNumber;
            this.sampling = sampling;
            this.cache = cache;
            this.activations = activations;
            this.mostTogether = mostTogether;
        }

        /** Takes sequences from {@code first} on while there is room, sample by sample of prompt by prompt. Returns the first one left. */
        long fill(long first) {
            places.clear();
            int row = 0;
            int promptStart = 0;
            long next = first;
            for (long end = (long) prompts.size() * sampling.count(); next < end && places.size() < mostTogether; next++) {
                int prompt = (int) (next / sampling.count());
                boolean newPrompt = places.isEmpty() || places.getLast().prompt != prompt;
                int length = prompts.get(prompt).length;
                if ((long) row + (newPrompt ? length : 0) + sampling.maxNewTokens() > cache.rows()) {
                    break;
                }
                if (newPrompt) {
                    promptStart = row;
                    row += length;
                }
                long stream = sampling.stream(firstNumber + prompt, (int) (next % sampling.count()));
                places.add(new Place(prompt, promptStart, row,
                        new Draft(sampling, model.config().eos(), stream, prompts.get(prompt), tokenizer)));
                row += sampling.maxNewTokens();
            }
            cache.clear(0, row);
            return next;
        }

        void prefill() {
            active = new ArrayList<>();
            for (int s = 0; s < places.size();) {
                batch.clear();
                int from = s;
                for (int prompt = -1; s < places.size(); s++) {
                    Place place = places.get(s);
                    if (place.prompt != prompt) {
                        if (s > from && batch.rows() + prompts.get(place.prompt).length > activations.capacity().rows()) {
                            break;
                        }
                        prompt = place.prompt;
                        batch.prompt(prompts.get(prompt), place.promptStart);
                    }
                }
                model.decode(activations, batch, cache);
                draws.clear();
                int row = -1;
                for (int i = from; i < s; i++) {
                    row += i == from || places.get(i).prompt != places.get(i - 1).prompt ? 1 : 0;
                    places.get(i).draft.wants(draws, row);
                }
                draw(places.subList(from, s));
            }
        }

        void decode() {
            while (!active.isEmpty()) {
                batch.clear();
                int prompt = -1;
                int parent = -1;
                for (Place place : active) {
                    if (place.prompt != prompt) {
                        prompt = place.prompt;
                        parent = batch.cached(place.promptStart, prompts.get(prompt).length);
                    }
                    batch.token(place.draft.lastToken(), place.start, place.draft.size(), parent);
                }
                model.decode(activations, batch, cache);
                draws.clear();
                for (int i = 0; i < active.size(); i++) {
                    active.get(i).draft.wants(draws, i);
                }
                List<Place> stepped = active;
                active = new ArrayList<>();
                draw(stepped);
            }
        }

        private void draw(List<Place> drawing) {
            activations.sample(draws, sampling.filter());
            for (int i = 0; i < drawing.size(); i++) {
                if (drawing.get(i).draft.take(draws.token(i), draws.logProb(i))) {
                    active.add(drawing.get(i));
                }
            }
        }

        void collect(List<List<Completion>> all) {
            places.forEach(place -> all.get(place.prompt).add(place.draft.completion(FinishReason.LENGTH)));
        }
    }
}
