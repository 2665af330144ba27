package org.calm4j.engine.text;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.concurrent.ConcurrentHashMap;

/** The vocabulary after a pre-tokenizer: words to ids, with a cache of earlier words. */
final class Words {
    private static final int REMEMBERED = 65_536;
    private static final int LONGEST_REMEMBERED = 128;

    private final PreTokenizer preTokenizer;
    private final Vocabulary vocabulary;
    private final boolean bytes;
    private final ConcurrentHashMap<String, int[]> memory = new ConcurrentHashMap<>();

    /** The byte alphabet, if it comes last, is applied only to words that are not cached. */
    Words(PreTokenizer preTokenizer, Vocabulary vocabulary) {
        this.bytes = preTokenizer.endsInBytes();
        this.preTokenizer = bytes ? preTokenizer.withoutAlphabet() : preTokenizer;
        this.vocabulary = vocabulary;
    }

    /**
     * Appends the ids of a text.
     *
     * @param allowance the limits for the whole text, of which this may be a part
     */
    void encode(String text, boolean start, IntArrayList to, Allowance allowance) {
        Pieces words = new Pieces();
        preTokenizer.split(text, start, words, allowance);
        for (int i = 0; i < words.size(); i++) {
            String word = words.get(i);
            if (word.length() > LONGEST_REMEMBERED) {
                encodeWord(word, to);
                continue;
            }
            int[] known = memory.get(word);
            if (known == null) {
                IntArrayList ids = new IntArrayList();
                encodeWord(word, ids);
                known = ids.toIntArray();
                if (memory.size() < REMEMBERED) {
                    memory.put(word, known);
                }
            }
            to.addElements(to.size(), known);
        }
    }

    private void encodeWord(String word, IntArrayList to) {
        vocabulary.encode(bytes ? ByteAlphabet.encode(word) : word, to);
    }
}
