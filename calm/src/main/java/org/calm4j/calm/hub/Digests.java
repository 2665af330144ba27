package org.calm4j.calm.hub;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Whether a file matches its etag. */
final class Digests {
    private static final int CHUNK = 1 << 20;

    private Digests() {}

    /** Whether an etag is a digest at all. */
    static boolean isDigest(String etag) {
        return etag.matches("[0-9a-f]{40}|[0-9a-f]{64}");
    }

    /** The SHA-256 of the content where the etag is one, otherwise the SHA-1 that git gives it as a blob. */
    static String of(Path file, String etag) throws IOException {
        boolean large = etag.length() == 64;
        MessageDigest digest = algorithm(large ? "SHA-256" : "SHA-1");
        if (!large) {
            digest.update(("blob " + Files.size(file) + "\0").getBytes(StandardCharsets.US_ASCII));
        }
        byte[] chunk = new byte[CHUNK];
        try (InputStream in = Files.newInputStream(file)) {
            for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
                digest.update(chunk, 0, n);
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static MessageDigest algorithm(String name) {
        try {
            return MessageDigest.getInstance(name);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
