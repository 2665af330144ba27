package org.calm4j.engine.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Ids and text against Hugging Face's own library, which reads the files that we save. */
final class TokenizerTest {
    @TempDir
    private Path folder;

    @Test
    void byteLevelBpeAgreesWithHuggingFace() throws IOException {
        Tokenizer tokenizer = BpeTrainer.train(Texts.CORPUS, 600, "<|endoftext|>");
        assertThat(tokenizer.size()).isEqualTo(600);
        tokenizer.save(folder);
        try (HuggingFace library = new HuggingFace(folder)) {
            Texts.all().forEach(library::check);
            library.checkDecodingOfRandomIds(1000);
        }
    }

    @Test
    void aMillionEqualLettersAreNoProblem() throws IOException {
        Tokenizer tokenizer = BpeTrainer.train(List.of("aaaaaaaa aaaa aaaaaaaaaaaaaaaa"), 262, "<|endoftext|>");
        tokenizer.save(folder);
        String text = "a".repeat(1_000_003);
        int[] ids = tokenizer.encode(text);
        assertThat(tokenizer.decode(ids, false)).isEqualTo(text);
        try (HuggingFace library = new HuggingFace(folder)) {
            assertThat(library.theirIds(text, true)).isEqualTo(ids);
        }
    }

    @Test
    void wordLevelAgreesWithHuggingFace() throws IOException {
        List<String> words = List.of("The", "region", "of", "Papua\u00A0New\u00A0Guinea", "is", "日本", "的", ".", "?");
        Tokenizer.wordLevel(words, "<unk>", "</s>").save(folder);
        Tokenizer tokenizer = Tokenizer.read(folder);
        try (HuggingFace library = new HuggingFace(folder)) {
            for (String text : List.of(
                    "The region of Papua\u00A0New\u00A0Guinea is 日本 .",
                    "The  region   of",
                    " 日本 的 ? ",
                    "",
                    "nothing of it is known</s>",
                    "The</s>of <unk> .")) {
                library.check(text);
            }
        }
        int[] ids = tokenizer.encode("The region of Papua\u00A0New\u00A0Guinea is 日本 .");
        assertThat(ids).hasSize(7).doesNotContain(0);
        assertThat(tokenizer.eosId()).isEqualTo(1);
        assertThat(tokenizer.decode(new int[] {2, 1}, true)).isEqualTo("The");
    }

    @Test
    void whatIsNotSupportedIsNamed() throws IOException {
        String model = "\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}}}";
        Map<String, String> broken = Map.ofEntries(
                Map.entry(
                        "{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"\"}," + model,
                        "Precompiled"),
                Map.entry("{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}," + model, "BertPreTokenizer"),
                Map.entry("{\"decoder\":{\"type\":\"WordPiece\"}," + model, "WordPiece"),
                Map.entry("{\"post_processor\":{\"type\":\"RobertaProcessing\"}," + model, "RobertaProcessing"),
                Map.entry(
                        "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\"},"
                                + model,
                        "pattern"),
                Map.entry("{\"pre_tokenizer\":{\"type\":5}," + model, "pre_tokenizer.type"),
                Map.entry("{\"pre_tokenizer\":[]," + model, "pre_tokenizer"),
                Map.entry("{\"added_tokens\":[{\"id\":3,\"content\":\"a\"}]," + model, "added_tokens[0]"),
                Map.entry("{\"model\":{\"type\":\"Unigram\",\"vocab\":{\"a\":0}}}", "Unigram"),
                Map.entry("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", "merges"),
                Map.entry(
                        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[],\"dropout\":0.1}}", "dropout"),
                Map.entry("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":2000000000}}}", "2000000000"),
                Map.entry("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}", "vocab"),
                Map.entry("[1]", "object"),
                Map.entry("{\"model\":", "tokenizer.json:1"));
        for (Map.Entry<String, String> entry : broken.entrySet()) {
            Files.writeString(folder.resolve("tokenizer.json"), entry.getKey());
            assertThatThrownBy(() -> Tokenizer.read(folder))
                    .as(entry.getKey())
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining(entry.getValue())
                    .message()
                    .doesNotContain("\n");
        }
    }
}
