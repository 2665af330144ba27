package org.calm4j.engine.fuzz;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;
import org.calm4j.engine.CalmException;

/**
 * A reader of files from strangers under thousands of broken ones. Each is read, or refused by a {@link CalmException}, within bounds of
 * time and memory.
 *
 * <p>{@code -Dcalm4j.fuzz.files=N} and {@code -Dcalm4j.fuzz.seed=S} ask for more than the few of every build. A file that does harm is
 * kept in {@code target/fuzz}.
 *
 * @param file that is broken
 * @param read what a program does with it; returns whether it was read
 */
public record Fuzz(String name, Path file, Mutator.Kind kind, Action read) {
    private static final long SEED = Long.getLong("calm4j.fuzz.seed", 1);
    private static final long SECONDS = Long.getLong("calm4j.fuzz.seconds", 20);
    /** On the heap, by all threads, of one file. */
    private static final long BYTES = 1L << 30;

    private static final int LONGEST_MESSAGE = 300;
    /** Words of the program, not of its user. */
    private static final Pattern OURS = Pattern.compile(
            "com\\.fasterxml|org\\.calm4j|java\\.(lang|util|io)\\.|[a-z]Exception|JsonNode|JsonToken|Deserial");

    /** Something that reads a file. */
    @FunctionalInterface
    public interface Action {
        boolean read() throws Exception;
    }

    /** How many files a test breaks; more only where somebody asks. */
    public static int files(int few) {
        return Integer.getInteger("calm4j.fuzz.files", few);
    }

    /** Something that throws nothing but what a user may see, and else was read. */
    public static Action of(Work work) {
        return of(work, CalmException.Kind.BAD_INPUT);
    }

    /** The same of what a service answered, which is no input of the user's. */
    public static Action ofService(Work work) {
        return of(work, CalmException.Kind.FAILED);
    }

    private static Action of(Work work, CalmException.Kind other) {
        return () -> {
            try {
                work.run();
                return true;
            } catch (CalmException e) {
                check(e.getMessage());
                if (e.kind() != CalmException.Kind.BAD_INPUT && e.kind() != other) {
                    throw new AssertionError("a broken file is bad input, not " + e.kind() + ": " + e.getMessage(), e);
                }
                return false;
            }
        };
    }

    /** Work that may fail. */
    @FunctionalInterface
    public interface Work {
        void run() throws Exception;
    }

    /** What a message may look like. */
    public static void check(String message) {
        boolean unfit = message.length() > LONGEST_MESSAGE
                || message.lines().count() > 3
                || OURS.matcher(message).find()
                || message.codePoints().anyMatch(c -> c != '\n' && Character.isISOControl(c));
        if (message.isBlank() || unfit) {
            throw new AssertionError("a message for nobody: " + message);
        }
    }

    /** Breaks the file so many times. */
    public void run(int files) throws IOException, InterruptedException {
        byte[] honest = Files.readAllBytes(file);
        List<String> harm = new ArrayList<>();
        if (!readOnce(-1, harm)) {
            throw new AssertionError(name + ": the whole file is not read " + harm);
        }
        int read = 0;
        long slowest = 0;
        Mutator mutator = new Mutator(kind, SEED * 31 + name.hashCode());
        for (int i = 0; i < files && harm.size() < 20; i++) {
            Files.write(file, mutator.mutate(honest));
            long start = System.nanoTime();
            read += readOnce(i, harm) ? 1 : 0;
            slowest = Math.max(slowest, System.nanoTime() - start);
        }
        Files.delete(file);
        Files.createDirectory(file);
        readOnce(files, harm);
        Files.delete(file);
        Files.write(file, honest);
        System.out.printf(
                "%s: seed %d, %d files, %d read, %d refused, slowest %d ms, %d did harm%n",
                name, SEED, files, read, files - read, slowest / 1_000_000, harm.size());
        if (!harm.isEmpty()) {
            throw new AssertionError(name + ": " + String.join("\n", harm));
        }
    }

    private boolean readOnce(int number, List<String> harm) throws IOException, InterruptedException {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        FutureTask<Boolean> task = new FutureTask<>(read::read);
        long before = threads.getTotalThreadAllocatedBytes();
        Thread thread = Thread.ofPlatform().daemon().name("reader of " + name).start(task);
        String problem;
        boolean done = false;
        try {
            done = task.get(SECONDS, TimeUnit.SECONDS);
            long allocated = threads.getTotalThreadAllocatedBytes() - before;
            problem = allocated > BYTES ? "allocates " + (allocated >> 20) + " MiB" : null;
        } catch (TimeoutException e) {
            problem = "takes more than " + SECONDS + " s, at " + List.of(thread.getStackTrace());
        } catch (ExecutionException e) {
            StackTraceElement[] trace = e.getCause().getStackTrace();
            problem = e.getCause() + " at " + List.of(trace).subList(0, Math.min(12, trace.length));
        }
        if (problem != null) {
            Path kept = Path.of("target", "fuzz", name.replaceAll("\\W+", "-") + "-" + SEED + "-" + number);
            Files.createDirectories(kept.getParent());
            if (Files.isRegularFile(file)) {
                Files.write(kept, Files.readAllBytes(file));
            }
            harm.add(kept + ": " + (problem.length() > 1000 ? problem.substring(0, 1000) : problem));
        }
        return done;
    }
}
