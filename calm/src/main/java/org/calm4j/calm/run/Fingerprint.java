package org.calm4j.calm.run;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;

/** SHA-256 of settings, files and model folders, which decides whether work is done already. */
public final class Fingerprint {
    private record Version(Path file, long size, FileTime modified) {}

    // Many stages read the same model, which may be large.
    private static final Map<Version, String> SEEN = new ConcurrentHashMap<>();

    private Fingerprint() {}

    /** Of a value as JSON. */
    public static String of(Object settings) {
        MessageDigest digest = digest();
        digest.update(Json.compact(settings).getBytes(StandardCharsets.UTF_8));
        return HexFormat.of().formatHex(digest.digest());
    }

    /**
     * Of a file's bytes; of a folder, the files that make up a model, an adapter or an index.
     *
     * @throws CalmException bad input: it does not exist
     */
    public static String of(Path input) {
        if (!Files.exists(input)) {
            throw CalmException.badInput(input, "no such file");
        }
        try {
            if (!Files.isDirectory(input)) {
                return ofFile(input);
            }
            MessageDigest digest = digest();
            try (Stream<Path> files = Files.list(input)) {
                for (Path file : files.filter(Fingerprint::isOfModel).sorted().toList()) {
                    digest.update((file.getFileName() + " " + ofFile(file) + "\n").getBytes(StandardCharsets.UTF_8));
                }
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (IOException e) {
            throw CalmException.unreadable(input, e);
        }
    }

    private static String ofFile(Path file) throws IOException {
        Version version = new Version(file.toRealPath(), Files.size(file), Files.getLastModifiedTime(file));
        String known = SEEN.get(version);
        if (known != null) {
            return known;
        }
        MessageDigest digest = digest();
        byte[] buffer = new byte[1 << 16];
        try (InputStream in = Files.newInputStream(file)) {
            for (int n = in.read(buffer); n > 0; n = in.read(buffer)) {
                digest.update(buffer, 0, n);
            }
        }
        String hash = HexFormat.of().formatHex(digest.digest());
        SEEN.put(version, hash);
        return hash;
    }

    private static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Whether a file of a model's folder counts as part of the model. */
    public static boolean isOfModel(Path file) {
        String name = file.getFileName().toString();
        return Files.isRegularFile(file)
                && !name.startsWith(".")
                && !name.startsWith("train_")
                && (name.endsWith(".safetensors")
                        || name.endsWith("config.json")
                        || name.startsWith("tokenizer")
                        || name.startsWith("prompts.")
                        || name.equals("chat_template.jinja")
                        || name.equals("index.json"));
    }
}
