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
 * The tokens that are cut out of a text before anything else sees it. Those that are not {@code normalized} are looked for in the text as
 * it is, the others in what the normalizer makes of the rest; of all that begin at a place the longest is taken.
 */
final class AddedTokens {
    private static final int LONGEST = 1000;

    /** Options as in tokenizer.json: whether it takes the blanks left and right of it, stands only between words, is a special token. */
    private record Token(int id, String content, boolean singleWord, boolean lstrip, boolean rstrip, boolean normalized, boolean special) {
        static Token of(Part part) {
            String content = part.string("content");
            if (content.isEmpty() || content.length() > LONGEST) {
                throw part.get("content").error("has " + content.length() + " characters");
            }
            return new Token(part.count("id"), content, part.flag("single_word", false), part.flag("lstrip", false),
                    part.flag("rstrip", false),
                    part.flag("normalized", false), part.flag("special", false));
        }
    }

    /** What lies between two tokens. */
    interface Rest {
        void accept(String text, boolean start);
    }

    private final Object2IntOpenHashMap<String> ids = new Object2IntOpenHashMap<>();
    private final Int2ObjectMap<String> written = new Int2ObjectOpenHashMap<>();
    private final Set<String> special = new HashSet<>();
    private final Trie<Token> raw = new Trie<>();
    private final Trie<Token> normalized = new Trie<>();
    private final Normalizer normalizer;

    private AddedTokens(Normalizer normalizer) {
        this.normalizer = normalizer;
        ids.defaultReturnValue(Vocabulary.NONE);
    }

    /** @throws org.calm4j.engine.CalmException bad input: a token without content or id, or whose id is not the vocabulary's */
    static AddedTokens of(List<Part> parts, Normalizer normalizer, Object2IntMap<String> vocabulary) {
        AddedTokens added = new AddedTokens(normalizer);
        for (Part part : parts) {
            Token token = Token.of(part);
            int known = vocabulary.getInt(token.content);
            if (known != Vocabulary.NONE && known != token.id) {
                throw part.error("\"" + token.content + "\" has the id " + token.id + ", in the vocabulary it has " + known);
            }
            String content = token.normalized ? normalizer.normalize(token.content) : token.content;
            if (content.isEmpty()) {
                throw part.error("\"" + token.content + "\" is nothing after normalization");
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
        return added;
    }

    /** Content to id. */
    Object2IntMap<String> ids() {
        return ids;
    }

    /** What the decoder is given for a token: its normalized form where it has one, with the blank that the normalizer put before it. */
    String written(int id, String content) {
        return written.getOrDefault(id, content);
    }

    boolean isSpecial(String content) {
        return special.contains(content);
    }

    /** Where the first special token that stands in a text as it is ends; -1 without one. */
    int endOfSpecial(String text) {
        for (int at = 0; at < text.length(); at++) {
            int length = raw.longest(text, at);
            if (length > 0 && raw.get(text, at, length).special) {
                return at + length;
            }
        }
        return -1;
    }

    /** Hands over, in the order of the text, the tokens found and the normalized text between them. */
    void cut(String text, IntConsumer token, Rest rest) {
        cut(raw, text, token, (piece, start) -> cut(normalized, normalizer.normalize(piece), token,
                (part, first) -> rest.accept(part, start && first)));
    }

    private static void cut(Trie<Token> trie, String text, IntConsumer tokens, Rest rest) {
        int done = 0;
        for (int at = 0; at < text.length();) {
            int length = trie.longest(text, at);
            if (length == 0) {
                at++;
                continue;
            }
            Token token = trie.get(text, at, length);
            int from = at;
            int to = at + length;
            at = to;
            if (token.singleWord && (endsInWord(text, from) || startsWithWord(text, to))) {
                continue;
            }
            while (token.lstrip && from > done && CharacterClass.isSpace(text.charAt(from - 1))) {
                from--;
            }
            if (token.lstrip) {
                from = Math.max(from, done);
            }
            while (token.rstrip && to < text.length() && CharacterClass.isSpace(text.charAt(to))) {
                to++;
            }
            if (from > done) {
                rest.accept(text.substring(done, from), done == 0);
            }
            // The blanks that the token before took may have been all of this one.
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
