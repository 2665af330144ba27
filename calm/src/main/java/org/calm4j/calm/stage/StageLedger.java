package org.calm4j.calm.stage;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;

/**
 * Which stages of an experiment are done, and with what: a stage whose inputs and settings are those of last time is not run again, and
 * nothing of another time is ever mixed in. Kept in {@code .stages} below the experiment's folder.
 */
final class StageLedger {
    /**
     * @param fingerprint of settings and inputs
     * @param seconds it took; null while it is under way
     */
    private record Entry(String fingerprint, Double seconds) {
    }

    /** The work of a stage; told whether it goes on from where the same stage was stopped. */
    @FunctionalInterface
    interface Work {
        void run(boolean resume);
    }

    private final Path folder;
    private final Progress progress;
    private final Map<String, Double> seconds = new LinkedHashMap<>();

    StageLedger(Path experiment, Progress progress) {
        folder = experiment.resolve(".stages");
        this.progress = progress;
    }

    /**
     * Runs a stage unless it is done.
     *
     * @param settings whatever decides what it makes, as JSON
     * @param inputs files, or folders with a model
     * @param output a file, or a folder that is the stage's own
     */
    void run(String name, Object settings, List<Path> inputs, Path output, Work work) {
        Path file = folder.resolve(name + ".json");
        String fingerprint = fingerprint(settings, inputs);
        Entry last = Files.exists(file) ? Json.read(file, Entry.class) : null;
        boolean same = last != null && last.fingerprint().equals(fingerprint);
        if (same && last.seconds() != null && Files.exists(output)) {
            seconds.put(name, last.seconds());
            progress.say(name + ": done before");
            return;
        }
        boolean resume = same && last.seconds() == null;
        if (!resume) {
            delete(output);
        }
        Json.write(file, new Entry(fingerprint, null));
        long start = System.nanoTime();
        work.run(resume);
        double took = (System.nanoTime() - start) * 1e-9;
        seconds.put(name, took);
        Json.write(file, new Entry(fingerprint, took));
    }

    /** Seconds by stage, in the order of the stages; those of stages that were done before too. */
    Map<String, Double> seconds() {
        return seconds;
    }

    private static String fingerprint(Object settings, List<Path> inputs) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(Json.compact(settings).getBytes(StandardCharsets.UTF_8));
            for (Path input : inputs) {
                if (Files.isDirectory(input)) {
                    try (Stream<Path> files = Files.list(input)) {
                        for (Path file : files.filter(StageLedger::isOfModel).sorted().toList()) {
                            update(digest, file);
                        }
                    }
                } else {
                    update(digest, input);
                }
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException | IOException e) {
            throw CalmException.badInput(inputs, "cannot be read (" + e.getMessage() + ")", e);
        }
    }

    private static boolean isOfModel(Path file) {
        String name = file.getFileName().toString();
        return name.endsWith(".safetensors") || name.endsWith("config.json") && !name.startsWith("train_") || name.equals("tokenizer.json")
                || name.equals("chat_template.jinja");
    }

    private static void update(MessageDigest digest, Path file) throws IOException {
        if (!Files.exists(file)) {
            throw CalmException.badInput(file, "no such file");
        }
        byte[] buffer = new byte[1 << 16];
        try (InputStream in = Files.newInputStream(file)) {
            for (int n = in.read(buffer); n > 0; n = in.read(buffer)) {
                digest.update(buffer, 0, n);
            }
        }
    }

    /** What an earlier run of the stage left. */
    private static void delete(Path output) {
        if (!Files.exists(output)) {
            return;
        }
        try {
            Files.walkFileTree(output, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                    Files.delete(file);
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult postVisitDirectory(Path directory, IOException e) throws IOException {
                    Files.delete(directory);
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException e) {
            throw CalmException.badInput(output, "cannot be replaced (" + e.getMessage() + ")", e);
        }
    }
}
