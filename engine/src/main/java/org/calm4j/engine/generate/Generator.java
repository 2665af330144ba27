package org.calm4j.engine.generate;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CachePages;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.DecodeBatch;
import org.calm4j.engine.model.KvCache;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.DeviceMemory;
import org.calm4j.engine.op.Draws;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.text.Tokenizer;

/**
 * Completions of many prompts: each prompt is computed once for all its samples, and all sequences are that are decoded together, a token a step;
 * finished ones make room for others. A sequence occupies cache memory in proportion to its length.
 */
public final class Generator {
    private static final int ROWS = 2048;
    private static final int MOST_SEQUENCES = 512;
    private static final long MOST_LOGITS = 1 << 24;
    /** Logits may take this share of a device's memory; drawing from them takes twice as much again. */
    private static final long LOGITS_PART = 256;

    private static final long CACHE_BYTES = 1L << 30;
    /** Device memory that operations take while they run: rounded operands, and drawing from logits. */
    private static final long RESERVE = 1L << 30;
    /** Stands for {@link #CACHE_BYTES} of the machine's memory, most of what a device has left of its own. */
    private static final long WHAT_IS_THERE = 0;

    private final CausalLm model;
    private final Tokenizer tokenizer;
    private final int mostSequences;
    private final long cacheBytes;

    /** On token ids: completions have no text. */
    public Generator(CausalLm model) {
        this(model, null, MOST_SEQUENCES, WHAT_IS_THERE);
    }

    /** Completions have a text where the folder has a tokenizer. */
    public Generator(ModelFolder folder) {
        this(folder.model(), folder.tokenizer(), MOST_SEQUENCES, WHAT_IS_THERE);
    }

    /**
     * @param mostSequences that are decoded together
     * @param cacheBytes of keys and values; one sequence is decoded even if it needs more
     */
    Generator(CausalLm model, Tokenizer tokenizer, int mostSequences, long cacheBytes) {
        this.model = model;
        this.tokenizer = tokenizer;
        DeviceMemory memory = model.backend().memory();
        long logits = memory == null
                ? MOST_LOGITS
                : Math.max(
                        MOST_LOGITS,
                        memory.total()
                                / LOGITS_PART
                                / model.backend().computeType().bytes());
        this.mostSequences = Math.clamp(logits / model.config().vocabulary().size(), 1, mostSequences);
        this.cacheBytes = cacheBytes;
    }

    /**
     * For each prompt its completions, {@code sampling.count()} of them. A result depends on (model, seed, prompt, number of the prompt,
     * number of the sample) alone.
     *
     * @param prompts at least one token each
     * @param done receives the number of prompts done
     * @throws CalmException bad input: prompt and completion are longer than the model's positions
     */
    public List<List<Completion>> generate(List<int[]> prompts, Sampling sampling, IntConsumer done) {
        return generate(prompts, 0, sampling, done);
    }

    /** The same for a part of many prompts: {@code firstNumber} is the number of its first one among all. */
    public List<List<Completion>> generate(List<int[]> prompts, int firstNumber, Sampling sampling, IntConsumer done) {
        if (sampling.maxNewTokens() == Sampling.FITTING) {
            return generate(prompts, firstNumber, settle(prompts, sampling), done);
        }
        List<List<Completion>> all = new ArrayList<>(prompts.size());
        if (prompts.isEmpty()) {
            return all;
        }
        prompts.forEach(prompt -> all.add(new ArrayList<>()));
        int longest = check(prompts, sampling);
        long wanted = (long) prompts.size() * sampling.count();
        int sequences = (int) Math.min(wanted, mostSequences);
        Backend backend = model.backend();
        int padded = backend.decodingRows(sequences);
        int spare = IntStream.rangeClosed(1, sequences)
                .map(n -> backend.decodingRows(n) - n)
                .max()
                .orElse(0);
        int rows = Math.max(Math.max(longest, padded), (int)
                Math.min(ROWS, prompts.stream().mapToLong(p -> p.length).sum()));
        var capacity = Activations.Capacity.of(model, rows, padded, longest + sampling.maxNewTokens(), padded);
        // The cache takes its share of what is left.
        try (Activations activations =
                        new Activations(backend, model.config(), Activations.Purpose.INFERENCE, capacity);
                KvCache cache =
                        new KvCache(backend, model.config(), cacheRows(prompts, sampling, sequences, longest), spare)) {
            new Work(prompts, firstNumber, sampling, cache, activations, sequences, all).run(done);
        }
        return all;
    }

    /** The sampling with a number of new tokens: its own, or for {@link Sampling#FITTING} the default or what fits, at least 1. */
    public Sampling settle(List<int[]> prompts, Sampling sampling) {
        int left = model.config().positions().limit()
                - prompts.stream().mapToInt(p -> p.length).max().orElse(0);
        return sampling.maxNewTokens() != Sampling.FITTING
                ? sampling
                : sampling.withMaxNewTokens(Math.clamp(left, 1, Sampling.DEFAULT_NEW_TOKENS));
    }

    /**
     * Returns the length of the longest prompt.
     *
     * @throws CalmException bad input: it and its completion are longer than the model's positions
     */
    public int check(List<int[]> prompts, Sampling sampling) {
        int longest = prompts.stream().mapToInt(p -> p.length).max().orElse(0);
        int left = model.config().positions().limit() - longest;
        if (sampling.maxNewTokens() > left) {
            throw CalmException.badInput(
                    (prompts.size() == 1 ? "the prompt" : "the longest prompt") + " has " + longest + " tokens",
                    "with " + sampling.maxNewTokens()
                            + " new ones that is more than the model's max_position_embeddings, "
                            + model.config().positions().limit() + (left > 0 ? "; take " : "; shorten it"),
                    left > 0 ? Setting.of("max_new_tokens").at(left) : "",
                    left > 0 ? " at most" : "");
        }
        return longest;
    }

    private int cacheRows(List<int[]> prompts, Sampling sampling, int sequences, int longest) {
        long own = CachePages.pages(sampling.maxNewTokens());
        long inAll = prompts.stream()
                .mapToLong(prompt -> CachePages.pages(prompt.length) + sampling.count() * own)
                .sum();
        // The first and last prompts may have only some of their samples in progress.
        long promptsTogether = Math.min(sequences, sequences / sampling.count() + 2);
        long together = promptsTogether * CachePages.pages(longest) + sequences * own;
        long one = CachePages.pages(longest) + own;
        long affordable =
                Math.max(one, cacheBytes() / (CachePages.PAGE * KvCache.bytesPerRow(model.config(), model.backend())));
        long pages = Math.min(Math.min(inAll, together), Math.min(affordable, Integer.MAX_VALUE / CachePages.PAGE));
        return (int) pages * CachePages.PAGE;
    }

    private long cacheBytes() {
        return cacheBytes == WHAT_IS_THERE ? cacheBytes(model.backend().memory()) : cacheBytes;
    }

    /**
     * Bytes that keys and values may take. A device keeps a fifth of its free memory, or the reserve if that is more, but no more than half.
     *
     * @param memory null where there is only the machine's
     */
    static long cacheBytes(DeviceMemory memory) {
        return memory == null
                ? CACHE_BYTES
                : memory.free() - Math.min(memory.free() / 2, Math.max(memory.free() / 5, RESERVE));
    }

    /** A prompt whose completions are in progress. */
    private static final class Prompt {
        private final int number;
        private final int[] tokens;
        private final List<Sequence> samples = new ArrayList<>();
        /** Null while its keys and values are not in the cache. */
        private CachePages.Rows rows;
        /** Samples that are being decoded. */
        private int users;
        /** Samples that have not ended. */
        private int left;
        /** Its last segment in the current batch. */
        private int segment;

        Prompt(int number, int[] tokens) {
            this.number = number;
            this.tokens = tokens;
        }
    }

    /** One completion. */
    private static final class Sequence {
        private final Prompt prompt;
        private final Draft draft;
        /** Rows after those of its prompt, which its samples share; null while it waits. */
        private CachePages.Rows rows;
        /** How many of its tokens are in the cache. */
        private int cached;

        Sequence(Prompt prompt, Draft draft) {
            this.prompt = prompt;
            this.draft = draft;
        }
    }

    /**
     * All sequences of a call, some of them in progress together. A sequence takes rows of the cache as it grows. Sequences start while there
     * is room for the expected growth of those in progress; if they need more, the youngest waits and computes its tokens' keys and
     * values again later.
     */
    private final class Work {
        private final List<int[]> prompts;
        private final int firstNumber;
        private final Sampling sampling;
        private final KvCache cache;
        private final CachePages pages;
        private final Activations activations;
        private final int mostTogether;
        private final List<List<Completion>> all;
        private final DecodeBatch batch = new DecodeBatch();
        private final Draws draws = new Draws();
        private final Deque<Sequence> waiting = new ArrayDeque<>();
        /** In the order in which they began. */
        private final List<Sequence> active = new ArrayList<>();
        /** Prompts whose keys and values are in the cache. */
        private final List<Prompt> resident = new ArrayList<>();

        private int next;
        private int finished;
        private long ended;
        private long endedTokens;

        Work(
                List<int[]> prompts,
                int firstNumber,
                Sampling sampling,
                KvCache cache,
                Activations activations,
                int mostTogether,
                List<List<Completion>> all) {
            this.prompts = prompts;
            this.firstNumber = firstNumber;
            this.sampling = sampling;
            this.cache = cache;
            this.activations = activations;
            this.mostTogether = mostTogether;
            this.all = all;
            pages = new CachePages(cache.rows() / CachePages.PAGE);
        }

        void run(IntConsumer done) {
            while (finished < prompts.size()) {
                int before = finished;
                begin();
                decode();
                if (finished > before) {
                    done.accept(finished);
                }
            }
        }

        /** Starts sequences while there is room. */
        private void begin() {
            List<Prompt> fresh = new ArrayList<>();
            int rows = 0;
            while (active.size() < mostTogether && (!waiting.isEmpty() || enter())) {
                Prompt prompt = waiting.getFirst().prompt;
                boolean compute = prompt.rows == null;
                if (!active.isEmpty()
                        && (compute ? CachePages.pages(prompt.tokens.length) : 0) + expected(null)
                                > pages.free() - wanted()) {
                    break;
                }
                if (compute
                        && rows + prompt.tokens.length > activations.capacity().rows()) {
                    prefill(fresh);
                    fresh.clear();
                    rows = 0;
                    // Some have ended with their first token.
                    continue;
                }
                if (compute) {
                    prompt.rows = pages.begin(prompt.tokens.length);
                    grow(prompt.rows, prompt.tokens.length);
                    resident.add(prompt);
                    fresh.add(prompt);
                    rows += prompt.tokens.length;
                }
                Sequence sequence = waiting.removeFirst();
                sequence.rows = pages.begin(sampling.maxNewTokens());
                prompt.users++;
                active.add(sequence);
            }
            prefill(fresh);
        }

        /** Puts the samples of the next prompt into the queue; returns false when there is none. */
        private boolean enter() {
            if (next == prompts.size()) {
                return false;
            }
            Prompt prompt = new Prompt(next, prompts.get(next));
            for (int k = 0; k < sampling.count(); k++) {
                Draft draft =
                        new Draft(sampling, model, sampling.stream(firstNumber + next, k), prompt.tokens, tokenizer);
                prompt.samples.add(new Sequence(prompt, draft));
            }
            prompt.left = sampling.count();
            waiting.addAll(prompt.samples);
            next++;
            return true;
        }

        /** Pages that a sequence is expected to need, null for one that has not started; the maximum until one has ended. */
        private int expected(Sequence sequence) {
            long tokens = ended == 0
                    ? sampling.maxNewTokens()
                    : Math.min(sampling.maxNewTokens(), 2 * endedTokens / ended + 1);
            int all = CachePages.pages(tokens);
            return sequence == null ? all : Math.max(1, all - sequence.rows.size() / CachePages.PAGE);
        }

        private int wanted() {
            return active.stream().mapToInt(this::expected).sum();
        }

        /** The rows of prompts, and for each sample that has none its first token. */
        private void prefill(List<Prompt> fresh) {
            if (fresh.isEmpty()) {
                return;
            }
            batch.clear();
            fresh.forEach(prompt -> batch.prompt(prompt.tokens, prompt.rows));
            model.decode(activations, batch, cache);
            List<Sequence> drawing = new ArrayList<>();
            List<Integer> rows = new ArrayList<>();
            for (int row = 0; row < fresh.size(); row++) {
                for (Sequence sample : fresh.get(row).samples) {
                    if (sample.draft.size() == 0) {
                        drawing.add(sample);
                        rows.add(row);
                    }
                }
            }
            for (int first = 0; first < drawing.size(); first += mostTogether) {
                int end = Math.min(drawing.size(), first + mostTogether);
                draw(drawing.subList(first, end), rows.subList(first, end));
            }
        }

        private void draw(List<Sequence> drawing, List<Integer> rows) {
            draws.clear();
            for (int i = 0; i < drawing.size(); i++) {
                drawing.get(i).draft.wants(draws, rows.get(i));
            }
            activations.sample(draws, sampling.filter());
            for (int i = 0; i < drawing.size(); i++) {
                if (!drawing.get(i).draft.take(draws.token(i), draws.logProb(i))) {
                    end(drawing.get(i));
                }
            }
        }

        private void decode() {
            for (int i = 0; i < active.size(); i++) {
                grow(active.get(i).rows, active.get(i).cached + 1);
            }
            if (active.isEmpty()) {
                return;
            }
            batch.clear();
            resident.forEach(prompt -> prompt.segment = Segments.NONE);
            List<Sequence> drawing = new ArrayList<>();
            List<Integer> rows = new ArrayList<>();
            for (int i = 0; i < active.size(); i++) {
                Sequence sequence = active.get(i);
                Prompt prompt = sequence.prompt;
                if (prompt.segment == Segments.NONE) {
                    prompt.segment = batch.cached(prompt.rows, prompt.tokens.length);
                }
                batch.token(sequence.draft.token(sequence.cached), sequence.rows, sequence.cached + 1, prompt.segment);
                if (++sequence.cached == sequence.draft.size()) {
                    drawing.add(sequence);
                    rows.add(i);
                }
            }
            batch.pad(model.backend().decodingRows(batch.rows()), cache.rows());
            model.decode(activations, batch, cache);
            draw(drawing, rows);
        }

        /** Gives rows to a sequence or a prompt; if necessary those of unused prompts or of the youngest sequences. */
        private void grow(CachePages.Rows rows, int size) {
            while (!rows.grow(size)) {
                Prompt idle = null;
                for (Prompt prompt : resident) {
                    idle = prompt.users == 0 && prompt.rows != rows ? prompt : idle;
                }
                if (idle != null) {
                    forget(idle);
                    continue;
                }
                Sequence youngest = active.removeLast();
                boolean own = youngest.rows == rows;
                stop(youngest);
                waiting.addFirst(youngest);
                if (own) {
                    return;
                }
            }
        }

        private void stop(Sequence sequence) {
            sequence.rows.free();
            sequence.rows = null;
            sequence.cached = 0;
            sequence.prompt.users--;
        }

        private void forget(Prompt prompt) {
            prompt.rows.free();
            prompt.rows = null;
            resident.remove(prompt);
        }

        private void end(Sequence sequence) {
            ended++;
            endedTokens += sequence.draft.size();
            if (active.remove(sequence)) {
                stop(sequence);
            } else {
                waiting.remove(sequence);
            }
            Prompt prompt = sequence.prompt;
            if (--prompt.left == 0) {
                forget(prompt);
                prompt.samples.forEach(
                        sample -> all.get(prompt.number).add(sample.draft.completion(FinishReason.LENGTH)));
                finished++;
            }
        }
    }
}
