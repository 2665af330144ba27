package org.calm4j.calm.hub;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongConsumer;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.AtomicFile;

/**
 * Where the files of a repository go: into the cache as huggingface_hub lays it out ({@code models--ORG--NAME} with {@code blobs},
 * {@code refs} and {@code snapshots}), shared with every program that uses it, or into a plain folder.
 */
final class Download {
    private final HubClient client;
    private final RepoId repo;
    private final Path repoFolder;
    private final Path locks;
    private final Path localDir;
    private final Duration pause;
    /** Files of the same content wait for one another. */
    private final Map<String, Object> byEtag = new ConcurrentHashMap<>();

    /** @param localDir a plain folder; null for the cache */
    Download(HubClient client, RepoId repo, Path cache, Path localDir, Duration pause) {
        this.client = client;
        this.repo = repo;
        this.localDir = localDir;
        this.pause = pause;
        repoFolder = cache.resolve(repo.folder());
        locks = cache.resolve(".locks").resolve(repo.folder());
    }

    /** The folder that has the files of a commit. */
    Path folder(String commit) {
        return localDir != null ? localDir : repoFolder.resolve("snapshots").resolve(commit);
    }

    /** Keeps the names of all files of a commit, so that an offline lookup knows what is missing. */
    void list(String commit, List<String> names) {
        if (localDir == null) {
            AtomicFile.write(
                    listing(commit), out -> out.write(String.join("\n", names).getBytes(StandardCharsets.UTF_8)));
        }
    }

    private Path listing(String commit) {
        return repoFolder.resolve(".calm4j").resolve(commit + ".files");
    }

    /** What a cached snapshot contains. */
    Contents contents(Path snapshot) throws IOException {
        Path listing = listing(snapshot.getFileName().toString());
        List<String> listed = Files.isRegularFile(listing) ? Files.readAllLines(listing) : null;
        // Dangling links do not count as files.
        try (Stream<Path> all = Files.walk(snapshot);
                Stream<Path> blobs = Files.isDirectory(repoFolder.resolve("blobs"))
                        ? Files.list(repoFolder.resolve("blobs"))
                        : Stream.empty()) {
            List<String> there = all.filter(Files::isRegularFile)
                    .map(file -> snapshot.relativize(file).toString().replace('\\', '/'))
                    .sorted()
                    .toList();
            // Named after the etag of the file to come.
            boolean unfinished = blobs.filter(blob -> blob.toString().endsWith(".incomplete"))
                    .anyMatch(blob -> !Files.exists(
                            blob.resolveSibling(blob.getFileName().toString().split("\\.")[0])));
            return new Contents(snapshot, there, listed, unfinished);
        }
    }

    /** The folder of a revision that was downloaded before; null where there is none. */
    Path cached(String revision) {
        Path ref = repoFolder.resolve("refs").resolve(revision);
        try {
            String commit = Files.isRegularFile(ref) ? Files.readString(ref).strip() : revision;
            Path folder = commit.matches("[0-9a-f]{7,64}") ? folder(commit) : null;
            return localDir == null && folder != null && Files.isDirectory(folder) ? folder : null;
        } catch (IOException e) {
            throw CalmException.unreadable(ref, e);
        }
    }

    /**
     * A name from the hub as a path below a folder.
     *
     * @throws CalmException bad input: it would leave the folder
     */
    static Path below(Path folder, String name) {
        boolean plain = name.indexOf('\\') < 0 && name.chars().noneMatch(Character::isISOControl);
        for (String part : name.split("/", -1)) {
            plain &= !part.isEmpty() && !part.equals(".") && !part.equals("..");
        }
        Path path = plain ? folder.resolve(name).normalize() : null;
        if (path == null || !path.startsWith(folder.normalize()) || name.length() > 1000) {
            throw CalmException.badInput(
                    "the hub names a file \"" + name.replaceAll("\\p{Cntrl}", "?") + "\"",
                    "that would be outside of the folder; nothing is written");
        }
        return path;
    }

    /** Whether the complete file is already there. */
    boolean has(RemoteFile file) throws IOException {
        if (localDir == null) {
            return Files.exists(blob(file));
        }
        Path place = below(localDir, file.name());
        return Files.isRegularFile(place)
                && Digests.isDigest(file.etag())
                && (file.size() < 0 || Files.size(place) == file.size())
                && Digests.of(place, file.etag()).equals(file.etag());
    }

    /**
     * Whether the plain folder has a file that is neither the one to download nor an earlier download. Downloads are known by their etags, kept
     * as huggingface_hub keeps it.
     */
    boolean isInTheWay(RemoteFile file) throws IOException {
        Path place = localDir == null ? null : below(localDir, file.name());
        if (place == null || !Files.exists(place, LinkOption.NOFOLLOW_LINKS) || has(file)) {
            return false;
        }
        Path kept = metadata(file);
        List<String> lines = Files.isRegularFile(kept) ? Files.readAllLines(kept) : List.of();
        String etag = lines.size() < 2 ? "" : lines.get(1).strip();
        return !Files.isRegularFile(place)
                || !Digests.isDigest(etag)
                || !Digests.of(place, etag).equals(etag);
    }

    private Path metadata(RemoteFile file) {
        return below(localDir.resolve(".cache/huggingface/download"), file.name() + ".metadata");
    }

    /** Puts one file in its place. */
    void file(RemoteFile file, String commit, LongConsumer received) throws IOException {
        synchronized (byEtag.computeIfAbsent(file.etag(), etag -> new Object())) {
            if (localDir != null) {
                if (!has(file)) {
                    Path incomplete = below(
                            localDir.resolve(".cache/huggingface/download"),
                            file.name() + "." + file.etag() + ".incomplete");
                    new FileTransfer(client, repo, file, received, pause).complete(incomplete);
                    put(incomplete, below(localDir, file.name()));
                }
                AtomicFile.write(
                        metadata(file),
                        out -> out.write(
                                (commit + "\n" + file.etag() + "\n" + System.currentTimeMillis() / 1000 + ".999\n")
                                        .getBytes(StandardCharsets.US_ASCII)));
                return;
            }
            if (!has(file)) {
                Files.createDirectories(locks);
                // Other programs wait for the same lock.
                try (FileChannel channel = FileChannel.open(
                                locks.resolve(file.etag() + ".lock"),
                                StandardOpenOption.CREATE,
                                StandardOpenOption.WRITE);
                        FileLock lock = channel.lock()) {
                    if (lock.isValid() && !has(file)) {
                        Path incomplete = blob(file).resolveSibling(file.etag() + ".incomplete");
                        new FileTransfer(client, repo, file, received, pause).complete(incomplete);
                        put(incomplete, blob(file));
                    }
                }
            }
            link(below(folder(commit), file.name()), blob(file));
        }
    }

    /** Records which commit a revision is; done last, so that an offline lookup finds only complete snapshots. */
    void remember(String commit) {
        if (localDir == null && !repo.revision().equals(commit)) {
            AtomicFile.write(
                    repoFolder.resolve("refs").resolve(repo.revision()),
                    out -> out.write(commit.getBytes(StandardCharsets.US_ASCII)));
        }
    }

    private Path blob(RemoteFile file) {
        return repoFolder.resolve("blobs").resolve(file.etag());
    }

    private static void put(Path from, Path to) throws IOException {
        Files.createDirectories(to.getParent());
        Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private static void link(Path link, Path blob) throws IOException {
        if (Files.exists(link)) {
            return;
        }
        Files.createDirectories(link.getParent());
        // A dangling link.
        Files.deleteIfExists(link);
        try {
            Files.createSymbolicLink(link, link.getParent().relativize(blob));
        } catch (FileAlreadyExistsException e) {
            // Another program was faster.
        } catch (UnsupportedOperationException | FileSystemException e) {
            Path beside = link.resolveSibling("." + link.getFileName() + ".tmp");
            Files.copy(blob, beside, StandardCopyOption.REPLACE_EXISTING);
            put(beside, link);
        }
    }
}
