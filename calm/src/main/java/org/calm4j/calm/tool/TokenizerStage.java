package org.calm4j.calm.tool;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.calm4j.calm.data.DataFile;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.text.BpeTrainer;
import org.calm4j.engine.text.Tokenizer;
import org.calm4j.engine.text.WordLevelTrainer;

/**
 * Texts in, a tokenizer out: {@code tokenizer.json} and {@code tokenizer_config.json}.
 *
 * @param data plain text ({@code .txt}, one text per line), or the documents that {@code pretrain} and {@code sft} read
 * @param fewest occurrences of a word, for tokens that are words
 * @param output a folder without a tokenizer
 */
public record TokenizerStage(
        List<Path> data,
        Kind kind,
        int vocabularySize,
        long fewest,
        String unknown,
        String endOfSequence,
        Path output) {
    /** What a token is. */
    public enum Kind {
        BPE,
        WORD_LEVEL;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    private static final List<String> FIELDS =
            List.of("text", "prompt", "completion", "instruction", "input", "output");

    /** Returns the number of tokens. */
    public int run() {
        Path file = output.resolve("tokenizer.json");
        if (Files.exists(file)) {
            throw CalmException.badInput(file, "exists already; choose another folder, or remove it");
        }
        if (endOfSequence.isBlank() || endOfSequence.equals(unknown)) {
            throw CalmException.usage("the end-of-sequence token needs its own name");
        }
        List<String> texts = new ArrayList<>();
        data.forEach(each -> read(each, texts));
        Tokenizer tokenizer =
                switch (kind) {
                    case BPE -> BpeTrainer.train(texts, vocabularySize, endOfSequence);
                    case WORD_LEVEL -> WordLevelTrainer.train(texts, vocabularySize, fewest, unknown, endOfSequence);
                };
        AtomicFile.directories(output);
        tokenizer.save(output);
        return tokenizer.size();
    }

    private static void read(Path file, List<String> to) {
        int before = to.size();
        if (file.toString().endsWith(".txt")) {
            try {
                Files.readAllLines(file).stream()
                        .filter(line -> !line.isBlank())
                        .forEach(to::add);
            } catch (IOException e) {
                throw CalmException.unreadable(file, e);
            }
        } else {
            DataFile.read(file).forEach(item -> texts(item, to));
        }
        if (to.size() == before) {
            throw CalmException.badInput(file, "has no text");
        }
    }

    private static void texts(DataFile.Item item, List<String> to) {
        int before = to.size();
        FIELDS.forEach(field -> add(item.json().path(field), to));
        item.json().path("segments").forEach(segment -> add(segment.path("text"), to));
        for (String turns : List.of("messages", "prompt", "completion")) {
            item.json().path(turns).forEach(message -> add(message.path("content"), to));
        }
        if (to.size() == before) {
            throw CalmException.badInput(
                    item.where(), "has no text: expected " + String.join(", ", FIELDS) + ", segments or messages");
        }
    }

    private static void add(JsonNode text, List<String> to) {
        if (text.isTextual() && !text.asText().isEmpty()) {
            to.add(text.asText());
        }
    }
}
