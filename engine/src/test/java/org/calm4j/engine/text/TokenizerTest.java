package org.calm4j.engine.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Ids and text against Hugging Face's own library, which reads the files that we save. */
final class TokenizerTest {
    private static final List<String> CORPUS = List.of("The region of Japan is Eastern Asia. It's the region we've asked for, isn't it?",
            "日本の地域は東アジアです。", "日本的地区是东亚。", "Die Hauptsprache von Österreich ist Deutsch, sagt man.",
            "La région : « Europe de l’Ouest ».", "for (int i = 0; i < 10; i++) { sum += i; }\n\treturn sum;\n", "naïve café 12345 ١٢٣ ½ ²");

    @TempDir
    private Path folder;

    @Test
    void byteLevelBpeAgreesWithHuggingFace() throws IOException {
        Tokenizer tokenizer = BpeTrainer.train(CORPUS, 420, "<|endoftext|>");
        assertThat(tokenizer.size()).isEqualTo(420);
        tokenizer.save(folder);
        Tokenizer read = Tokenizer.read(folder);
        try (HuggingFaceTokenizer oracle = oracle()) {
            for (String text : texts()) {
                check(read, oracle, text);
            }
        }
    }

    @Test
    void aMillionEqualLettersAreNoProblem() throws IOException {
        Tokenizer tokenizer = BpeTrainer.train(List.of("aaaaaaaa aaaa aaaaaaaaaaaaaaaa"), 262, "<|endoftext|>");
        tokenizer.save(folder);
        String text = "a".repeat(1_000_003);
        int[] ids = tokenizer.encode(text);
        assertThat(tokenizer.decode(ids, false)).isEqualTo(text);
        try (HuggingFaceTokenizer oracle = oracle()) {
            assertThat(LongStream.of(oracle.encode(text).getIds()).mapToInt(i -> (int) i).toArray()).isEqualTo(ids);
        }
    }

    @Test
    void wordLevelAgreesWithHuggingFace() throws IOException {
        List<String> words = List.of("The", "region", "of", "Papua\u00A0New\u00A0Guinea", "is", "日本", "的", ".", "?");
        Tokenizer.wordLevel(words, "<unk>", "</s>").save(folder);
        Tokenizer tokenizer = Tokenizer.read(folder);
        try (HuggingFaceTokenizer oracle = oracle()) {
            for (String text : List.of("The region of Papua\u00A0New\u00A0Guinea is 日本 .", "The  region   of", " 日本 的 ? ", "",
                    "nothing of it is known</s>", "The</s>of <unk> .")) {
                check(tokenizer, oracle, text);
            }
        }
        int[] ids = tokenizer.encode("The region of Papua\u00A0New\u00A0Guinea is 日本 .");
        assertThat(ids).hasSize(7).doesNotContain(0);
        assertThat(tokenizer.eosId()).isEqualTo(1);
        assertThat(tokenizer.decode(new int[] {2, 1}, true)).isEqualTo("The");
    }

    @Test
    void whatIsNotSupportedIsNamed() throws IOException {
        Map<String, String> broken = Map.of("{\"normalizer\":{\"type\":\"NFC\"},\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}}}", "NFC",
                "{\"pre_tokenizer\":{\"type\":\"Digits\"},\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}}}", "Digits",
                "{\"model\":{\"type\":\"Unigram\",\"vocab\":{\"a\":0}}}", "Unigram",
                "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", "merges",
                "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":2000000000}}}", "2000000000",
                "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}", "vocab", "[1]", "object", "{\"model\":", "tokenizer.json:1");
        for (Map.Entry<String, String> entry : broken.entrySet()) {
            Files.writeString(folder.resolve("tokenizer.json"), entry.getKey());
            assertThatThrownBy(() -> Tokenizer.read(folder)).as(entry.getKey()).isInstanceOf(CalmException.class)
                    .hasMessageContaining(entry.getValue()).message().doesNotContain("\n");
        }
    }

    private static void check(Tokenizer tokenizer, HuggingFaceTokenizer oracle, String text) {
        Encoding encoding = oracle.encode(text);
        int[] ids = tokenizer.encode(text);
        assertThat(ids).as(text).isEqualTo(LongStream.of(encoding.getIds()).mapToInt(i -> (int) i).toArray());
        assertThat(tokenizer.decode(ids, false)).as(text).isEqualTo(oracle.decode(encoding.getIds(), false));
        assertThat(tokenizer.decode(ids, true)).as(text).isEqualTo(oracle.decode(encoding.getIds(), true));
    }

    private HuggingFaceTokenizer oracle() throws IOException {
        return HuggingFaceTokenizer.builder().optTokenizerPath(folder.resolve("tokenizer.json")).optTruncation(false).optPadding(false).build();
    }

    /** Random text of all scripts, whitespace runs, control characters, emoji sequences, contractions, added tokens. */
    private static List<String> texts() {
        List<String> texts = new ArrayList<>(CORPUS);
        texts.addAll(List.of("", " ", "\n\n  \t x", "a<|endoftext|>b <|endoftext|>", "👩‍👩‍👧‍👦🇯🇵 flags", "x\u0000\u0007\u200By", "I'LL I'll we're",
                "\u00A0\u2003\u3000 wide"));
        Random random = new Random(5);
        String[] pieces = {"'s", " ", "  ", "\n", "é", "日", "本", "ー", "ก", "ि", "ا", "12", "½", "\uD83D\uDE00", "\u200D", "\u0301", "_", "-", "!?", "ſ",
            "ß", "İ", "\u0085", "\u2028"};
        for (int i = 0; i < 300; i++) {
            StringBuilder text = new StringBuilder();
            for (int n = random.nextInt(30); n > 0; n--) {
                int kind = random.nextInt(3);
                if (kind == 0) {
                    text.append(pieces[random.nextInt(pieces.length)]);
                } else if (kind == 1) {
                    text.append((char) ('a' + random.nextInt(26)));
                } else {
                    int codePoint = random.nextInt(0x30000);
                    boolean usable = Character.isDefined(codePoint) && !(codePoint >= 0xD800 && codePoint < 0xE000);
                    text.appendCodePoint(usable ? codePoint : 'z');
                }
            }
            texts.add(text.toString());
        }
        return texts;
    }
}
