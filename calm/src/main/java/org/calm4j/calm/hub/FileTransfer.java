package org.calm4j.calm.hub;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.function.LongConsumer;
import org.calm4j.engine.CalmException;

/** One file from the hub to the disk: resumes where it was cut off, and is checked before it counts. */
final class FileTransfer {
    private static final int CHUNK = 1 << 16;
    private static final int MOST_ATTEMPTS = 6;

    private final HubClient client;
    private final RepoId repo;
    private final RemoteFile file;
    private final LongConsumer received;
    private final Duration pause;

    /**
     * @param received receives how many more bytes are there; negative when the transfer starts again
     * @param pause before the second attempt; doubled with each attempt
     */
    FileTransfer(HubClient client, RepoId repo, RemoteFile file, LongConsumer received, Duration pause) {
        this.client = client;
        this.repo = repo;
        this.file = file;
        this.received = received;
        this.pause = pause;
    }

    /** Completes a file that may be partly there; afterwards it has the size and digest that the hub announced. */
    void complete(Path incomplete) throws IOException {
        Files.createDirectories(incomplete.getParent());
        boolean resumed = Files.exists(incomplete) && Files.size(incomplete) > 0;
        if (resumed) {
            received.accept(Files.size(incomplete));
        }
        fetch(incomplete);
        String wrong = wrong(incomplete);
        if (wrong != null && resumed) {
            // What was there before may have been damaged or another file's.
            restart(incomplete);
            fetch(incomplete);
            wrong = wrong(incomplete);
        }
        if (wrong != null) {
            restart(incomplete);
            throw CalmException.failed(
                    repo + " " + file.name() + ": " + wrong + "; it was damaged on the way, try again", null);
        }
    }

    private void restart(Path incomplete) throws IOException {
        received.accept(-Files.size(incomplete));
        Files.delete(incomplete);
    }

    private String wrong(Path incomplete) throws IOException {
        if (file.size() >= 0 && Files.size(incomplete) != file.size()) {
            return "it has " + Files.size(incomplete) + " bytes instead of " + file.size();
        }
        String found = Digests.isDigest(file.etag()) ? Digests.of(incomplete, file.etag()) : file.etag();
        return found.equals(file.etag()) ? null : "its digest is " + found + " instead of " + file.etag();
    }

    private void fetch(Path incomplete) throws IOException {
        Duration wait = pause;
        for (int attempt = 1; ; attempt++) {
            long have = Files.exists(incomplete) ? Files.size(incomplete) : 0;
            try {
                if (have == 0 || have != file.size()) {
                    append(incomplete, have);
                }
                if (file.size() < 0 || Files.size(incomplete) >= file.size()) {
                    return;
                }
                throw new IOException(
                        "the connection was cut after " + Files.size(incomplete) + " of " + file.size() + " bytes");
            } catch (IOException e) {
                if (attempt == MOST_ATTEMPTS || e instanceof HubClient.Unreachable) {
                    throw e;
                }
                boolean further = Files.exists(incomplete) && Files.size(incomplete) > have;
                attempt = further ? 0 : attempt;
                wait = further ? pause : wait;
                sleep(wait);
                wait = wait.multipliedBy(2);
            }
        }
    }

    private void append(Path incomplete, long have) throws IOException {
        HttpResponse<InputStream> response = client.open(repo, file, have);
        try (InputStream in = response.body();
                Patience patience = new Patience(in, client.patience())) {
            boolean rest = response.statusCode() == 206
                    && response.headers().firstValue("Content-Range").orElse("").startsWith("bytes " + have + "-");
            if (have > 0 && !rest) {
                restart(incomplete);
            }
            if (response.statusCode() == HubClient.RANGE_NOT_SATISFIABLE || response.statusCode() == 206 && !rest) {
                throw new IOException(
                        "the hub answers " + response.statusCode() + " to a request from byte " + have + " on");
            }
            try (OutputStream out =
                    Files.newOutputStream(incomplete, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
                byte[] chunk = new byte[CHUNK];
                long size = rest ? have : 0;
                for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
                    size += n;
                    if (file.size() >= 0 && size > file.size()) {
                        throw CalmException.failed(
                                repo + " " + file.name() + ": more than the " + file.size()
                                        + " bytes that were announced",
                                null);
                    }
                    out.write(chunk, 0, n);
                    received.accept(n);
                    patience.heard();
                }
            } catch (IOException e) {
                throw patience.isLost() ? silence(e) : e;
            }
            if (patience.isLost()) {
                throw silence(null);
            }
        }
    }

    private IOException silence(IOException cause) {
        return new IOException(
                "nothing came from the hub for " + client.patience().toSeconds() + " s", cause);
    }

    private static void sleep(Duration time) throws IOException {
        try {
            Thread.sleep(time);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
