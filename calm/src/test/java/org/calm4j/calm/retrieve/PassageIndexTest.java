package org.calm4j.calm.retrieve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PassageIndexTest {
    private static final List<Passage> PASSAGES = List.of(
            new Passage("1", "en", "Cats were sleeping under the old tables."),
            new Passage("2", "en", "The river runs through three countries."),
            new Passage("3", "en", "A table of contents lists the chapters of a book."),
            new Passage("1", "de", "Die Häuser der Stadt sind alt."),
            new Passage("2", "de", "Der Fluss fließt durch drei Länder."),
            new Passage("1", "zh", "长江是亚洲最长的河流。"),
            new Passage("2", "zh", "北京是中国的首都。"),
            new Passage("1", "ja", "東京は日本の首都です。"),
            new Passage("2", "ja", "富士山は日本で一番高い山です。"),
            new Passage("1", "ko", "서울은 한국의 수도이다."),
            new Passage("2", "ko", "한라산은 제주도에 있다."),
            new Passage("1", "sw", "Mto Nile ni mrefu."),
            new Passage("2", "sw", "Nairobi ni mji mkuu wa Kenya."));

    @TempDir
    Path folder;

    private PassageIndex open(TextVectors vectors) {
        Path file = folder.resolve("passages.jsonl");
        if (!Files.exists(file)) {
            Jsonl.write(file, PASSAGES);
        }
        return PassageIndex.open(
                file, folder.resolve("index"), PassageIndex.about("hash", vectors == null ? null : "model"), vectors);
    }

    private static List<String> found(PassageIndex index, String language, String question) {
        return index.search(language, question, 2).stream().map(Passage::id).toList();
    }

    @Test
    void eachLanguageIsSearchedByItsOwnForms() {
        try (PassageIndex index = open(null)) {
            assertThat(index.size()).isEqualTo(PASSAGES.size());
            // Stems in English and German, words without spaces in Chinese and Japanese, endings in Korean.
            assertThat(found(index, "en", "Where does the cat sleep?").getFirst())
                    .isEqualTo("1");
            assertThat(found(index, "de", "Wie alt ist das Haus?")).containsExactly("1");
            assertThat(found(index, "zh", "中国的首都在哪里？").getFirst()).isEqualTo("2");
            assertThat(found(index, "ja", "日本で一番高い山は何ですか。").getFirst()).isEqualTo("2");
            assertThat(found(index, "ko", "한국의 수도는 어디인가?").getFirst()).isEqualTo("1");
            assertThat(found(index, "sw", "Mji mkuu wa Kenya?").getFirst()).isEqualTo("2");
            assertThat(index.search("en", "countries", 5))
                    .extracting(Passage::language)
                    .containsOnly("en");
            assertThat(index.search("de", "countries", 5)).isEmpty();
            assertThat(index.search("en", "???", 5)).isEmpty();
        }
    }

    @Test
    void theIndexIsBuiltOnceAndAnewForOtherPassages() throws IOException {
        open(null).close();
        FileTime built = Files.getLastModifiedTime(folder.resolve("index/index.json"));
        open(null).close();
        assertThat(Files.getLastModifiedTime(folder.resolve("index/index.json")))
                .isEqualTo(built);
        Jsonl.write(folder.resolve("passages.jsonl"), PASSAGES.subList(0, 2));
        try (PassageIndex other = PassageIndex.open(
                folder.resolve("passages.jsonl"), folder.resolve("index"), PassageIndex.about("other", null), null)) {
            assertThat(other.size()).isEqualTo(2);
        }
    }

    @Test
    void vectorsFindWhatSharesNoWord() {
        // One axis for rivers, one for all else.
        TextVectors vectors = texts -> {
            List<float[]> all = new ArrayList<>();
            texts.forEach(text -> all.add(
                    text.contains("river") || text.contains("stream") ? new float[] {0.8f, 0.6f} : new float[] {0, 1}));
            return all;
        };
        try (PassageIndex index = open(vectors)) {
            assertThat(found(index, "en", "a stream").getFirst()).isEqualTo("2");
            assertThat(index.search("en", "a stream", 5))
                    .extracting(Passage::language)
                    .containsOnly("en");
        }
        try (PassageIndex lexical = open(null)) {
            assertThat(lexical.search("en", "a stream", 5)).isEmpty();
        }
    }

    @Test
    void brokenPassagesAndForeignFoldersAreBadInput() throws IOException {
        Files.writeString(
                folder.resolve("passages.jsonl"),
                "{\"id\":\"1\",\"language\":\"en\",\"text\":\"a\"}\n{\"id\":\"2\",\"text\":\"b\"}\n");
        assertThatThrownBy(() -> open(null)).isInstanceOf(CalmException.class).hasMessageContaining("passages.jsonl:2");
        assertThat(folder.resolve("index")).doesNotExist();
        Files.createDirectory(folder.resolve("index"));
        Files.writeString(folder.resolve("index/thesis.txt"), "years of work");
        assertThatThrownBy(() -> open(null)).isInstanceOf(CalmException.class).hasMessageContaining("not an index");
        assertThat(folder.resolve("index/thesis.txt")).exists();
    }
}
