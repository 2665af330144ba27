package org.calm4j.engine.text;

import it.unimi.dsi.fastutil.ints.IntOpenHashSet;
import it.unimi.dsi.fastutil.longs.Long2LongOpenHashMap;
import it.unimi.dsi.fastutil.longs.Long2ObjectOpenHashMap;
import it.unimi.dsi.fastutil.longs.LongOpenHashSet;
import it.unimi.dsi.fastutil.objects.Object2LongLinkedOpenHashMap;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.PriorityQueue;
import org.calm4j.engine.CalmException;

/** Learns a byte-level BPE vocabulary: merges the most frequent pair until the size is reached; of equal pairs the one with smaller ids. */
public final class BpeTrainer {
    private record Candidate(long pair, long count) implements Comparable<Candidate> {
        @Override
        public int compareTo(Candidate other) {
            return count != other.count ? Long.compare(other.count, count) : Long.compare(pair, other.pair);
        }
    }

    private final List<String> vocabulary = new ArrayList<>();
    private final List<String[]> merges = new ArrayList<>();
    private final List<int[]> words = new ArrayList<>();
    private final List<Long> counts = new ArrayList<>();
    private final Long2LongOpenHashMap pairCounts = new Long2LongOpenHashMap();
    private final Long2ObjectOpenHashMap<IntOpenHashSet> wordsOfPair = new Long2ObjectOpenHashMap<>();

    private BpeTrainer() {}

    /**
     * @param size tokens of the vocabulary, the 256 bytes and the end-of-sequence token included; fewer if the texts have no more pairs
     * @throws CalmException wrong usage: a size below 257
     */
    public static Tokenizer train(Iterable<String> texts, int size, String endOfSequence) {
        if (size < 257) {
            throw CalmException.usage("a byte-level vocabulary has at least 257 tokens, not " + size);
        }
        BpeTrainer trainer = new BpeTrainer();
        trainer.vocabulary.add(endOfSequence);
        for (int b = 0; b < 256; b++) {
            trainer.vocabulary.add(String.valueOf(ByteAlphabet.character(b)));
        }
        trainer.count(texts);
        trainer.merge(size);
        return Tokenizer.byteLevelBpe(trainer.vocabulary, trainer.merges, endOfSequence);
    }

    private void count(Iterable<String> texts) {
        Object2LongLinkedOpenHashMap<String> wordCounts = new Object2LongLinkedOpenHashMap<>();
        PreTokenizer preTokenizer = new PreTokenizer.ByteLevel(false, true, true);
        for (String text : texts) {
            Pieces pieces = new Pieces();
            // Its own pre-tokenizer makes four characters of one at most.
            preTokenizer.split(text, true, pieces, new Allowance(null, text.length()));
            for (int i = 0; i < pieces.size(); i++) {
                wordCounts.addTo(pieces.get(i), 1);
            }
        }
        int[] idOf = new int[512];
        for (int b = 0; b < 256; b++) {
            idOf[ByteAlphabet.character(b)] = b + 1;
        }
        wordCounts.object2LongEntrySet().fastForEach(entry -> {
            words.add(entry.getKey().chars().map(c -> idOf[c]).toArray());
            counts.add(entry.getLongValue());
        });
        for (int w = 0; w < words.size(); w++) {
            add(w, 1, new LongOpenHashSet());
        }
    }

    private void merge(int size) {
        PriorityQueue<Candidate> queue = new PriorityQueue<>();
        pairCounts.forEach((pair, count) -> queue.add(new Candidate(pair, count)));
        while (vocabulary.size() < size && !queue.isEmpty()) {
            Candidate best = queue.poll();
            long count = pairCounts.get(best.pair());
            if (count != best.count()) {
                if (count > 0) {
                    queue.add(new Candidate(best.pair(), count));
                }
                continue;
            }
            int left = (int) (best.pair() >>> 32);
            int right = (int) best.pair();
            merges.add(new String[] {vocabulary.get(left), vocabulary.get(right)});
            vocabulary.add(vocabulary.get(left) + vocabulary.get(right));
            replace(best.pair(), vocabulary.size() - 1, queue);
        }
    }

    private void replace(long pair, int merged, PriorityQueue<Candidate> queue) {
        LongOpenHashSet changed = new LongOpenHashSet();
        for (int w : wordsOfPair.get(pair).toIntArray()) {
            add(w, -1, changed);
            words.set(w, replaced(words.get(w), (int) (pair >>> 32), (int) pair, merged));
            add(w, 1, changed);
        }
        for (long other : changed) {
            if (pairCounts.get(other) > 0) {
                queue.add(new Candidate(other, pairCounts.get(other)));
            }
        }
    }

    /** Adds or removes a word's pairs. */
    private void add(int w, int sign, LongOpenHashSet changed) {
        int[] word = words.get(w);
        for (int i = 0; i + 1 < word.length; i++) {
            long pair = (long) word[i] << 32 | word[i + 1];
            pairCounts.addTo(pair, sign * counts.get(w));
            IntOpenHashSet in = wordsOfPair.computeIfAbsent(pair, p -> new IntOpenHashSet());
            if (sign > 0) {
                in.add(w);
            } else {
                in.remove(w);
            }
            changed.add(pair);
        }
    }

    private static int[] replaced(int[] word, int left, int right, int merged) {
        int[] to = new int[word.length];
        int n = 0;
        for (int i = 0; i < word.length; i++) {
            boolean pair = i + 1 < word.length && word[i] == left && word[i + 1] == right;
            to[n++] = pair ? merged : word[i];
            i += pair ? 1 : 0;
        }
        return Arrays.copyOf(to, n);
    }
}
