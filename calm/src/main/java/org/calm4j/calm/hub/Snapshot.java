package org.calm4j.calm.hub;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.OutputLock;

/**
 * All wanted files of a repository at one commit, several at a time.
 *
 * @param localDir a plain folder for them; null for the cache
 * @param workers files under way at the same time
 * @param pause before a failed request is repeated
 */
public record Snapshot(RepoId repo, Globs globs, Path localDir, int workers, Duration pause) {
    /**
     * @param folder that has the files
     * @param files that were wanted
     * @param bytes that were downloaded
     */
    public record Result(Path folder, String commit, int files, long bytes) {}

    /** Receives progress, from one thread at a time. */
    public interface Listener {
        /** @param bytes that are to come */
        void start(int files, long bytes);

        void at(long bytes);

        /** A line of text for the user. */
        void say(String line);
    }

    /** @throws CalmException bad input: the hub does not have or give it; failed: it cannot be reached, or files arrived damaged */
    public Result download(HubSettings settings, Listener listener) {
        try (HubClient client = new HubClient(settings)) {
            Download download = new Download(client, repo, settings.cache(), localDir, pause);
            if (settings.offline()) {
                return fromCache(download, "HF_HUB_OFFLINE is set", null, listener);
            }
            HubClient.Revision revision;
            try {
                revision = client.revision(repo);
            } catch (HubClient.Unreachable e) {
                Result cached = fromCache(download, e.getMessage(), e, listener);
                listener.say(e.getMessage() + "; taking what the cache has of " + repo);
                return cached;
            } catch (IOException e) {
                throw CalmException.failed(repo + ": " + e.getMessage() + "; try again", e);
            }
            return download(client, download, revision, listener);
        }
    }

    private Result fromCache(Download download, String why, Exception cause, Listener listener) {
        Path folder = download.cached(repo.revision());
        if (folder == null) {
            throw CalmException.failed(
                    repo + ": " + why
                            + ", and the cache does not have it; are you online? HF_ENDPOINT names another hub",
                    cause);
        }
        try {
            Contents contents = download.contents(folder);
            Set<String> missing = contents.missing(globs, repo.type() == RepoId.Type.MODEL);
            boolean unfinished = contents.listed() == null && contents.unfinished();
            if (!missing.isEmpty() || unfinished) {
                throw CalmException.badInput(
                        repo,
                        why + ", and the cache has only a part of it: "
                                + (missing.isEmpty() ? "a file is incomplete" : "missing " + Contents.some(missing))
                                + "; download it again while the hub can be reached");
            }
            if (contents.listed() == null) {
                listener.say(folder + ": another program began it and kept no list of the files of " + repo
                        + "; taking the " + contents.files().size() + " that are there");
            }
            return new Result(
                    folder,
                    folder.getFileName().toString(),
                    (int) contents.files().stream().filter(globs::wants).count(),
                    0);
        } catch (IOException e) {
            throw CalmException.unreadable(folder, e);
        }
    }

    private Result download(HubClient client, Download download, HubClient.Revision revision, Listener listener) {
        List<String> names = revision.files().stream().filter(globs::wants).toList();
        if (names.isEmpty()) {
            throw CalmException.badInput(
                    repo,
                    "none of its " + revision.files().size() + " files is wanted; look at ",
                    Setting.of("include"),
                    " and ",
                    Setting.of("exclude"));
        }
        Path folder = download.folder(revision.commit());
        names.forEach(name -> Download.below(folder, name));
        AtomicFile.directories(folder);
        if (localDir == null) {
            return bring(client, download, revision, names, listener);
        }
        try (OutputLock _ = OutputLock.folder(folder, listener::say)) {
            return bring(client, download, revision, names, listener);
        }
    }

    private Result bring(
            HubClient client, Download download, HubClient.Revision revision, List<String> names, Listener listener) {
        Path folder = download.folder(revision.commit());
        download.list(revision.commit(), revision.files());
        List<RemoteFile> files = together(names, name -> client.describe(repo, revision.commit(), name));
        List<Boolean> inTheWay = together(files, download::isInTheWay);
        if (inTheWay.contains(true)) {
            throw CalmException.badInput(
                    folder.resolve(files.get(inTheWay.indexOf(true)).name()),
                    "is there, did not come from " + repo + " or was changed since; move it away, or choose another ",
                    Setting.of("local_dir"));
        }
        List<Boolean> there = together(files, download::has);
        Map<String, Long> missing = new HashMap<>();
        for (int i = 0; i < files.size(); i++) {
            if (!there.get(i)) {
                missing.put(
                        localDir == null ? files.get(i).etag() : files.get(i).name(),
                        Math.max(0, files.get(i).size()));
            }
        }
        long bytes = missing.values().stream().mapToLong(Long::longValue).sum();
        checkSpace(folder, bytes);
        AtomicLong received = new AtomicLong();
        listener.start(missing.size(), bytes);
        together(files, file -> {
            download.file(file, revision.commit(), more -> {
                synchronized (received) {
                    listener.at(received.addAndGet(more));
                }
            });
            return file;
        });
        download.remember(revision.commit());
        return new Result(folder, revision.commit(), files.size(), received.get());
    }

    private void checkSpace(Path folder, long bytes) {
        try {
            long free = Files.getFileStore(folder).getUsableSpace();
            if (free < bytes) {
                throw CalmException.failed(
                        repo + " needs " + (bytes >> 20) + " MiB, " + folder + " has " + (free >> 20) + " MiB free",
                        null);
            }
        } catch (IOException e) {
            // Where free space is unknown, writing will show it.
        }
    }

    /** One piece of work. */
    @FunctionalInterface
    private interface Work<T, R> {
        R on(T thing) throws IOException;
    }

    /** Does a piece of work on each thing, {@code workers} at a time; the first failure ends all. */
    private <T, R> List<R> together(List<T> things, Work<T, R> work) {
        try (ExecutorService pool = Executors.newFixedThreadPool(Math.min(workers, things.size()))) {
            List<Future<R>> futures = new ArrayList<>();
            for (T thing : things) {
                Callable<R> call = () -> work.on(thing);
                futures.add(pool.submit(call));
            }
            List<R> results = new ArrayList<>();
            try {
                for (Future<R> future : futures) {
                    results.add(future.get());
                }
            } catch (ExecutionException e) {
                pool.shutdownNow();
                throw e.getCause() instanceof CalmException known
                        ? known
                        : CalmException.failed(
                                repo + ": " + e.getCause().getMessage() + "; try again, what has come is kept",
                                e.getCause());
            } catch (InterruptedException e) {
                pool.shutdownNow();
                Thread.currentThread().interrupt();
                throw CalmException.failed(repo + ": interrupted", e);
            }
            return results;
        }
    }
}
