package org.calm4j.engine.text;

import it.unimi.dsi.fastutil.ints.Int2ObjectMap;
import it.unimi.dsi.fastutil.ints.Int2ObjectOpenHashMap;
import it.unimi.dsi.fastutil.objects.Object2IntMap;
import it.unimi.dsi.fastutil.objects.Object2IntOpenHashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntConsumer;

/**
 * The tokens that are cut out of a text first. Those that are not {@code normalized} are searched in the text as
 * it is, the others in the normalized rest; of all that begin at a position the longest is used.
 */
final class AddedTokens {
    private static final int LONGEST = 1000;
    /** Limit of growth: all normalized contents stay in memory. */
    private static final int NORMALIZED_SHARE = 8;

    /** Options as in tokenizer.json: whether it takes the blanks left and right of it, matches only whole words, is a special token. */
    private record Token(
            int id,
            String content,
            boolean singleWord,
            boolean lstrip,
            boolean rstrip,
            boolean normalized,
            boolean special) {
        static Token of(Part part) {
            String content = part.string("content");
            if (content.isEmpty() || content.length() > LONGEST) {
                throw part.get("content").error("has " + content.length() + " characters");
            }
            return new Token(
                    part.count("id"),
                    content,
                    part.flag("single_word", false),
                    part.flag("lstrip", false),
                    part.flag("rstrip", false),
                    part.flag("normalized", false),
                    part.flag("special", false));
        }
    }

    /** The text between two tokens. */
    interface Rest {
        void accept(String text, boolean start);
    }

    private final Object2IntOpenHashMap<String> ids = new Object2IntOpenHashMap<>();
    private final Int2ObjectMap<String> written = new Int2ObjectOpenHashMap<>();
    private final Set<String> special = new HashSet<>();
    private final Trie<Token> raw = new Trie<>();
    private final Trie<Token> normalized = new Trie<>();
    private final Part section;
    private final Normalizer normalizer;

    private AddedTokens(Part section) {
        this.section = section;
        normalizer = Normalizer.of(section);
        ids.defaultReturnValue(Vocabulary.NONE);
    }

    /**
     * @param section of the normalizer
     * @throws org.calm4j.engine.CalmException bad input: a token without content or id, or whose id is not the vocabulary's
     */
    static AddedTokens of(List<Part> parts, Part section, Object2IntMap<String> vocabulary) {
        AddedTokens added = new AddedTokens(section);
        List<Token> tokens = parts.stream().map(Token::of).toList();
        long length = tokens.stream().mapToLong(token -> token.content.length()).sum();
        Allowance allowance = new Allowance(section, length / NORMALIZED_SHARE);
        for (int i = 0; i < tokens.size(); i++) {
            Part part = parts.get(i);
            Token token = tokens.get(i);
            int known = vocabulary.getInt(token.content);
            if (known != Vocabulary.NONE && known != token.id) {
                throw part.error(
                        "\"" + token.content + "\" has the id " + token.id + ", in the vocabulary it has " + known);
            }
            String content = token.normalized ? added.normalizer.normalize(token.content, allowance) : token.content;
            if (content.isEmpty()) {
                throw part.error("\"" + token.content + "\" is empty after normalization");
            }
            (token.normalized ? added.normalized : added.raw).put(content, token);
            added.ids.put(token.content, token.id);
            if (!content.equals(token.content)) {
                added.written.put(token.id, content);
            }
            if (token.special) {
                added.special.add(token.content);
            }
        }
        added.raw.whole();
        added.normalized.whole();
        return added;
    }

    /** Content to id. */
    Object2IntMap<String> ids() {
        return ids;
    }

    /** The decoder's input for a token: its normalized form if it has one, with the blank that the normalizer put before it. */
    String written(int id, String content) {
        return written.getOrDefault(id, content);
    }

    boolean isSpecial(String content) {
        return special.contains(content);
    }

    /** Hands over, in the order of the text, the tokens found and the normalized text between them. */
    void cut(String text, IntConsumer token, Rest rest) {
        Allowance allowance = new Allowance(section, text.length());
        cut(
                raw,
                text,
                token,
                (piece, start) -> cut(
                        normalized,
                        normalizer.normalize(piece, allowance),
                        token,
                        (part, first) -> rest.accept(part, start && first)));
    }

    private static void cut(Trie<Token> trie, String text, IntConsumer tokens, Rest rest) {
        int done = 0;
        int blanksFrom = 0;
        int blanksTo = 0;
        Trie<Token>.Found found = trie.find(text);
        int next;
        for (int from = found.next(0); from >= 0; from = found.next(next)) {
            Token token = found.value();
            int to = from + found.length();
            next = to;
            if (token.singleWord && (endsInWord(text, from) || startsWithWord(text, to))) {
                continue;
            }
            while (token.lstrip && from > done && CharacterClass.isSpace(text.charAt(from - 1))) {
                from--;
            }
            if (token.lstrip) {
                from = Math.max(from, done);
            }
            if (token.rstrip) {
                // A run of blanks in which many tokens begin is scanned once.
                if (to < blanksFrom || to > blanksTo) {
                    blanksFrom = to;
                    blanksTo = to;
                    while (blanksTo < text.length() && CharacterClass.isSpace(text.charAt(blanksTo))) {
                        blanksTo++;
                    }
                }
                to = blanksTo;
            }
            if (from > done) {
                rest.accept(text.substring(done, from), done == 0);
            }
            // The blanks that the previous token took may have been all of this one.
            if (from < to) {
                tokens.accept(token.id);
            }
            done = to;
        }
        if (done < text.length()) {
            rest.accept(done == 0 ? text : text.substring(done), done == 0);
        }
    }

    private static boolean endsInWord(String text, int end) {
        return end > 0 && CharacterClass.isWord(text.codePointBefore(end));
    }

    private static boolean startsWithWord(String text, int from) {
        return from < text.length() && CharacterClass.isWord(text.codePointAt(from));
    }
}
