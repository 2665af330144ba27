package org.calm4j.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.calm4j.engine.CalmException;

/** Hugging Face's own library beside ours, on the same tokenizer.json. */
final class HuggingFace implements AutoCloseable {
    private final HuggingFaceTokenizer theirs;
    private final Tokenizer ours;

    HuggingFace(Path folder) throws IOException {
        theirs = HuggingFaceTokenizer.builder()
                .optTokenizerPath(folder.resolve("tokenizer.json"))
                .optTruncation(false)
                .optPadding(false)
                .build();
        ours = Tokenizer.read(folder);
    }

    Tokenizer ours() {
        return ours;
    }

    /** Ids with and without special tokens, and what they decode to, all at once and one by one. */
    void check(String text) {
        for (boolean special : new boolean[] {true, false}) {
            int[] ids = ours.encode(text, special);
            assertThat(ids).as("%s", text).isEqualTo(theirIds(text, special));
            checkDecoding(ids);
        }
    }

    /** Ids alone: the library beside us is older than 0.23, which decodes a normalized added token by its normalized form. */
    void checkIds(String text) {
        assertThat(ours.encode(text)).as("%s", text).isEqualTo(theirIds(text, true));
    }

    int[] theirIds(String text, boolean special) {
        Encoding encoding = theirs.encode(text, special, false);
        return LongStream.of(encoding.getIds()).mapToInt(id -> (int) id).toArray();
    }

    void checkDecoding(int[] ids) {
        long[] same = IntStream.of(ids).asLongStream().toArray();
        for (boolean skip : new boolean[] {true, false}) {
            String decoded = ours.decode(ids, skip);
            assertThat(decoded)
                    .as("%s", IntStream.of(ids).boxed().map(ours::token).toList())
                    .isEqualTo(theirs.decode(same, skip));
            checkStream(ids, skip, decoded);
        }
    }

    private void checkStream(int[] ids, boolean skip, String decoded) {
        StreamingDecoder stream = ours.streamingDecoder(skip);
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            String part = stream.add(id);
            assertThat(part.isEmpty() || !Character.isHighSurrogate(part.charAt(part.length() - 1)))
                    .isTrue();
            text.append(part);
        }
        assertThat(text.append(stream.finish()).toString()).isEqualTo(decoded);
    }

    /** Ids that no text would give: halves of characters, special tokens anywhere. */
    void checkDecodingOfRandomIds(int times) {
        Random random = new Random(7);
        int[] known = IntStream.range(0, ours.size()).filter(this::isKnown).toArray();
        int[] bytes = IntStream.of(known)
                .filter(id -> ours.token(id).length() == 1 || ours.token(id).startsWith("<0x"))
                .toArray();
        for (int i = 0; i < times; i++) {
            int[] from = i % 2 == 0 || bytes.length == 0 ? known : bytes;
            checkDecoding(random.ints(random.nextInt(12), 0, from.length)
                    .map(at -> from[at])
                    .toArray());
        }
    }

    private boolean isKnown(int id) {
        try {
            ours.token(id);
            return true;
        } catch (CalmException e) {
            return false;
        }
    }

    @Override
    public void close() {
        theirs.close();
    }
}
