package org.calm4j.calm.translate;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;

/**
 * Translations in a file, JSON Lines with {@code source}, {@code target}, {@code text} and {@code translation}: made by hand beforehand, or
 * remembered from a translator, so that nothing is translated twice and a run that was stopped goes on.
 */
public final class TranslationFile implements Translator {
    /** Requests at a time: what a stopped run loses at most, where a translator returns several together. */
    private static final int CHUNK = 32;

    private record Line(String source, String target, String text, String translation) {}

    private final Path file;
    private final Translator translator;
    private final Map<Request, String> known = new HashMap<>();

    private TranslationFile(Path file, Translator translator) {
        this.file = file;
        this.translator = translator;
        if (Files.exists(file)) {
            read();
        }
    }

    /**
     * Nothing but the file; what it lacks has no translation.
     *
     * @throws CalmException bad input: no such file, or a broken line
     */
    public static Translator of(Path file) {
        if (!Files.exists(file)) {
            throw CalmException.badInput(file, "no such file");
        }
        return new TranslationFile(file, null);
    }

    /** What the file has, and for the rest a translator whose answers are added to the file. */
    public static Translator remembering(Path file, Translator translator) {
        return new TranslationFile(file, translator);
    }

    @Override
    public List<String> translate(List<Request> requests) {
        List<Request> missing = requests.stream()
                .filter(request -> !known.containsKey(request))
                .distinct()
                .toList();
        for (int first = 0; translator != null && first < missing.size(); first += CHUNK) {
            try {
                translator.translate(missing.subList(first, Math.min(missing.size(), first + CHUNK)), this::keep);
            } catch (CalmException e) {
                throw known.isEmpty()
                        ? e
                        : new CalmException(
                                e.kind(),
                                e.getMessage() + "; " + known.size() + " translations are kept in " + file
                                        + ", the same command goes on from there",
                                e);
            }
        }
        List<String> translations = new ArrayList<>();
        requests.forEach(request -> translations.add(known.get(request)));
        return translations;
    }

    @Override
    public Map<String, Integer> leftOut() {
        return translator == null ? Map.of() : translator.leftOut();
    }

    private void keep(Request request, String translation) {
        known.put(request, translation);
        append(Json.compact(new Line(request.source(), request.target(), request.text(), translation)) + "\n");
    }

    private void read() {
        try {
            List<String> lines = Files.readAllLines(file);
            for (int i = 0; i < lines.size(); i++) {
                if (!lines.get(i).isBlank() && !add(lines.get(i)) && (translator == null || i < lines.size() - 1)) {
                    throw CalmException.badInput(
                            file + ":" + (i + 1), "expected an object with source, target, text and translation");
                }
            }
        } catch (IOException e) {
            throw CalmException.unreadable(file, e);
        }
    }

    // The last line of a file that is added to may be torn: the run was stopped while it wrote.
    private boolean add(String text) {
        try {
            Line line = Json.mapper().readValue(text, Line.class);
            if (line == null
                    || line.source == null
                    || line.target == null
                    || line.text == null
                    || line.translation == null) {
                return false;
            }
            known.put(new Request(line.text, line.source, line.target), line.translation);
            return true;
        } catch (JsonProcessingException e) {
            return false;
        }
    }

    private void append(String lines) {
        try {
            if (file.toAbsolutePath().getParent() != null) {
                AtomicFile.directories(file.toAbsolutePath().getParent());
            }
            boolean torn = Files.exists(file) && Files.size(file) > 0 && !endsWithNewline();
            Files.writeString(
                    file,
                    (torn ? "\n" : "") + lines,
                    StandardCharsets.UTF_8,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw CalmException.badInput(file, "cannot be written (" + e.getMessage() + ")", e);
        }
    }

    private boolean endsWithNewline() throws IOException {
        try (var channel = Files.newByteChannel(file)) {
            var last = ByteBuffer.allocate(1);
            channel.position(channel.size() - 1).read(last);
            return last.get(0) == '\n';
        }
    }
}
