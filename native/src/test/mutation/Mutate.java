import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.standin.StandIn;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Mutation test of the kernels; started by {@code native/mutate}. All mutants are built at once, each behind a number that is chosen when the
 * library is loaded. A first run of all the tests, without any mutant, notes which tests see a condition come out differently, or pass a
 * wait; only they can fail, and they alone are run: the quickest of them on all mutants first, then the others on those that are left.
 */
final class Mutate {
    private static final Path SOURCES = Path.of("src/main/cuda");
    private static final Path WORK = Path.of("target/mutants");
    private static final Path RESULTS = Path.of("mutants.txt");
    private static final List<String> ORDERS = List.of("forward", "reverse");
    private static final List<String> TESTS = List.of("CudaBackendConformanceTest", "CudaBf16ConformanceTest", "Bf16AttentionTest",
            "RoundedWeightsTest", "CudaModelTest");
    /** Of one test. */
    private static final long ENDLESS_NANOSECONDS = 60_000_000_000L;
    /** How a process ends because of that, and because it is to begin anew. */
    private static final int ENDLESS = 3;
    private static final int ANEW = 4;
    /** What the quickest tests of a mutant take together. */
    private static final long QUICK_MILLISECONDS = 1000;
    private static final int PROCESSES = Runtime.getRuntime().availableProcessors();
    private static final String CAUGHT = "caught";
    private static final String SURVIVES = "SURVIVES";
    /** What follows is why nobody can notice. */
    private static final String EQUIVALENT = "equivalent: ";

    /** A wait that is taken out. */
    private static final Pattern WAIT = Pattern.compile("(__syncthreads\\(\\)|__syncwarp\\(\\)|copyAsyncWait<\\d+>\\(\\));");
    /** A thread without work that goes on. */
    private static final Pattern RETURN = Pattern.compile("(?<=if \\()([^;{]*) >= ([^;{]*)(?=\\) (return|continue);)");
    /** One side of a condition, or the condition of a choice, that compares an index with an end. */
    private static final Pattern GUARD = Pattern.compile("(?:(?<=\\w\\()|(?<=if \\()|(?<=while \\()|(?<=&& )|(?<= = )|(?<=return ))"
            + "((?:\\(int\\) )?[^&|(){};?=]+) (<=?) ([^&|(){};?]+?(?:\\(\\))?)(?= \\?| &&|\\)|;)");
    /** The end of a loop that is no constant. */
    private static final Pattern LOOP = Pattern.compile("(?<=; )(\\w+) < ([^;]*[a-z][^;]*)(?=; )");
    /** Where a range ends, or begins, sooner than it could. */
    private static final Pattern BOUND = Pattern.compile("\\b(?:min|max)\\(([^,()]+), ([^,()]+)\\)");

    /** @param text of the condition; null for a wait */
    private record Mutant(Path file, int line, int start, int end, String was, String text) {
        String what() {
            return text == null || text.equals("true") || text.equals("false") ? "without " + was : text + " for " + was;
        }

        @Override
        public String toString() {
            return file.getFileName() + ":" + line + ": " + what();
        }
    }

    /** A test that has run: its name for JUnit, the processor time that it took, and the mutants that it may notice. */
    private record Reach(String test, long milliseconds, Set<Integer> mutants) {
    }

    public static void main(String[] arguments) throws Exception {
        switch (arguments.length > 0 ? arguments[0] : "") {
            case "--reach" -> reach(Path.of(arguments[1]));
            case "--run" -> runMutants(Path.of(arguments[1]), Path.of(arguments[2]));
            default -> mutate(Arrays.asList(arguments));
        }
    }

    private static void mutate(List<String> wanted) throws IOException {
        List<Mutant> mutants = new ArrayList<>();
        Files.createDirectories(WORK.resolve("cuda"));
        try (DirectoryStream<Path> files = Files.newDirectoryStream(SOURCES, "*.{cu,cuh}")) {
            for (Path file : (Iterable<Path>) sorted(files)::iterator) {
                List<Mutant> of = wanted.isEmpty() || wanted.contains(file.getFileName().toString()) ? mutants(file) : List.of();
                write(WORK.resolve("cuda").resolve(file.getFileName()), mutated(file, of, mutants.size()));
                mutants.addAll(of);
            }
        }
        write(WORK.resolve("cuda/mutants.cu"), chosen(mutants.size()));
        System.out.println(mutants.size() + " mutants");
        if (!build()) {
            System.out.println("the mutants do not compile: " + WORK.resolve("build.log"));
            System.exit(1);
        }
        Map<String, List<Reach>> reaches = new HashMap<>();
        for (String order : ORDERS) {
            Path file = WORK.resolve("reach-" + order + ".txt");
            if (!isNew(file) && start(order, WORK.resolve("test.log"), "--reach", file.toString()) != 0) {
                System.out.println("the tests fail without any mutation: " + WORK.resolve("test.log"));
                System.exit(1);
            }
            reaches.put(order, read(file));
        }
        List<String> unnoticed = unnoticed(mutants);
        Map<Integer, String> outcomes = new TreeMap<>();
        for (boolean quick : new boolean[] {true, false}) {
            // Both orders: some races give right numbers in one.
            for (String order : ORDERS) {
                Map<Integer, List<String>> jobs = new TreeMap<>();
                for (int i = 0; i < mutants.size(); i++) {
                    List<String> tests = outcomes.containsKey(i) ? List.of() : tests(i, reaches.get(order), quick);
                    if (!tests.isEmpty()) {
                        jobs.put(i, tests);
                    }
                }
                run(jobs, order).forEach((mutant, outcome) -> {
                    if (!outcome.equals(SURVIVES)) {
                        outcomes.put(mutant, outcome);
                    }
                });
                record(mutants, outcomes, unnoticed);
            }
        }
        List<String> survivors = IntStream.range(0, mutants.size()).filter(i -> outcomes.getOrDefault(i, unnoticed.get(i)).equals(SURVIVES))
                .mapToObj(mutants::get).map(Mutant::toString).toList();
        System.out.println(survivors.size() + " of " + mutants.size() + " survive");
        survivors.forEach(survivor -> System.out.println("  " + survivor));
        System.exit(survivors.isEmpty() ? 0 : 1);
    }

    /** Whether the tests that come to a mutant are known, for these mutants and these tests. */
    private static boolean isNew(Path reach) throws IOException {
        if (!Files.exists(reach)) {
            return false;
        }
        long time = Files.getLastModifiedTime(reach).toMillis();
        try (Stream<Path> tests = Files.walk(Path.of("../kernels/target/test-classes"))) {
            return Stream.concat(tests, Stream.of(WORK.resolve("check/libcuda.so.1"))).allMatch(file -> file.toFile().lastModified() < time);
        }
    }

    /** Those that may notice a mutant and are quick, or all the others; the quickest first. */
    private static List<String> tests(int mutant, List<Reach> reaches, boolean quick) {
        List<String> tests = new ArrayList<>();
        long milliseconds = 0;
        for (Reach reach : reaches.stream().filter(of -> of.mutants.contains(mutant)).sorted(Comparator.comparing(Reach::milliseconds)).toList()) {
            milliseconds += reach.milliseconds;
            if (tests.isEmpty() || milliseconds <= QUICK_MILLISECONDS == quick) {
                tests.add(reach.test);
            }
        }
        return tests;
    }

    /** Gives each mutant its tests, in several processes; returns the outcomes. */
    private static Map<Integer, String> run(Map<Integer, List<String>> jobs, String order) {
        Map<Integer, String> outcomes = new ConcurrentSkipListMap<>();
        List<Thread> processes = new ArrayList<>();
        for (int process = 0; process < PROCESSES; process++) {
            int number = process;
            Map<Integer, List<String>> own = new TreeMap<>(jobs);
            own.keySet().removeIf(mutant -> mutant % PROCESSES != number);
            processes.add(Thread.ofPlatform().start(() -> run(own, order, "-" + number + ".txt", outcomes)));
        }
        for (Thread process : processes) {
            try {
                process.join();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
        return outcomes;
    }

    /** In a process that begins anew where a mutant has ended it. */
    private static void run(Map<Integer, List<String>> jobs, String order, String suffix, Map<Integer, String> outcomes) {
        Path list = WORK.resolve("jobs" + suffix);
        Path results = WORK.resolve("results" + suffix);
        try {
            while (!jobs.isEmpty()) {
                Files.write(list, jobs.entrySet().stream().map(job -> job.getKey() + "\t" + String.join("\t", job.getValue())).toList());
                Files.deleteIfExists(results);
                int code = start(order, WORK.resolve("test" + suffix), "--run", list.toString(), results.toString());
                for (String line : Files.exists(results) ? Files.readAllLines(results) : List.<String>of()) {
                    String[] parts = line.split("\t");
                    jobs.remove(Integer.valueOf(parts[0]));
                    outcomes.put(Integer.valueOf(parts[0]), parts[1]);
                }
                if (code != 0 && code != ANEW) {
                    int ended = jobs.keySet().iterator().next();
                    jobs.remove(ended);
                    outcomes.put(ended, code == ENDLESS ? CAUGHT + ", does not end" : CAUGHT + ", ends the process");
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<Mutant> mutants(Path file) throws IOException {
        List<Mutant> found = new ArrayList<>();
        List<String> lines = Files.readAllLines(file);
        // What stands before #else in device.cuh is for g++, what follows for nvcc alone.
        boolean nvcc = false;
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i);
            nvcc = !line.startsWith("#endif") && (nvcc || line.startsWith("#else"));
            if (nvcc || line.strip().startsWith("//")) {
                continue;
            }
            int code = line.contains("//") ? line.indexOf("//") : line.length();
            for (Matcher m = WAIT.matcher(line); m.find(); ) {
                found.add(new Mutant(file, i + 1, m.start(), m.end(), m.group(), null));
            }
            for (Matcher m = RETURN.matcher(line); m.find(); ) {
                found.add(new Mutant(file, i + 1, m.start(), m.end(), m.group(), "false"));
                found.add(new Mutant(file, i + 1, m.start(), m.end(), m.group(), m.group(1) + " > " + m.group(2)));
            }
            boolean loop = line.strip().startsWith("for (");
            for (Matcher m = (loop ? LOOP : GUARD).matcher(line); m.find() && m.end() <= code; ) {
                // What counts on is no guard, and where a range begins at a literal is none.
                if (loop) {
                    found.add(new Mutant(file, i + 1, m.start(), m.end(), m.group(), m.group(1) + " <= " + m.group(2)));
                } else if (!m.group().contains("++") && !m.group(3).matches("\\d+")) {
                    found.add(new Mutant(file, i + 1, m.start(), m.end(), m.group(), "true"));
                    if (m.group(2).equals("<")) {
                        found.add(new Mutant(file, i + 1, m.start(), m.end(), m.group(), m.group(1) + " <= " + m.group(3)));
                    }
                }
            }
            for (Matcher m = BOUND.matcher(line); m.find() && m.end() <= code; ) {
                found.add(new Mutant(file, i + 1, m.start(), m.end(), m.group(), m.group(1)));
                found.add(new Mutant(file, i + 1, m.start(), m.end(), m.group(), m.group(2)));
            }
        }
        // Of two that overlap the first is taken.
        List<Mutant> apart = new ArrayList<>();
        for (Mutant mutant : found) {
            if (apart.stream().noneMatch(of -> of.line == mutant.line && of.start < mutant.end && mutant.start < of.end
                    && (of.start != mutant.start || of.end != mutant.end))) {
                apart.add(mutant);
            }
        }
        return apart;
    }

    /** The source with all its mutants, of which `first` is the number of the first. */
    private static String mutated(Path file, List<Mutant> mutants, int first) throws IOException {
        List<String> lines = new ArrayList<>(Files.readAllLines(file));
        Map<List<Integer>, String> places = new TreeMap<>(Comparator.<List<Integer>, Integer>comparing(List::getFirst)
                .thenComparing(place -> -place.get(1)));
        for (int i = 0; i < mutants.size(); i++) {
            Mutant mutant = mutants.get(i);
            int number = first + i;
            places.compute(List.of(mutant.line, mutant.start, mutant.end), (place, before) -> mutant.text == null
                    ? "if (calmWaits(" + number + ")) " + mutant.was
                    : "calmChoose(" + number + ", " + (before == null ? mutant.was : before) + ", " + mutant.text + ")");
        }
        places.forEach((place, text) -> {
            String line = lines.get(place.getFirst() - 1);
            lines.set(place.getFirst() - 1, line.substring(0, place.get(1)) + text + line.substring(place.get(2)));
        });
        String choice = file.getFileName().toString().equals("device.cuh") ? """
                // The number of the mutant that runs, -1 for none, and those that made a difference.
                extern "C" __attribute__((visibility("default"))) int calm_mutant;
                extern "C" __attribute__((visibility("default"))) unsigned char calm_reached[];
                template <typename T, typename U> static __attribute__((no_sanitize("thread"))) T calmChoose(int number, T right, U mutated) {
                    if (right != mutated) calm_reached[number] = 1;
                    return number == calm_mutant ? mutated : right;
                }
                static __attribute__((no_sanitize("thread"))) bool calmWaits(int number) {
                    calm_reached[number] = 1;
                    return number != calm_mutant;
                }
                """ : "";
        return String.join("\n", lines).replace("#include \"simt.h\"\n", "#include \"simt.h\"\n" + choice) + "\n";
    }

    private static String chosen(int count) {
        return """
                #include "device.cuh"
                int calm_mutant = -1;
                unsigned char calm_reached[%d];
                """.formatted(count + 1);
    }

    private static List<Path> sorted(Iterable<Path> files) {
        Set<Path> all = new TreeSet<>();
        files.forEach(all::add);
        return new ArrayList<>(all);
    }

    /** A file that is the same keeps its time, so that make leaves it alone. */
    private static void write(Path file, String text) throws IOException {
        if (!Files.exists(file) || !Files.readString(file).equals(text)) {
            Files.writeString(file, text);
        }
    }

    private static boolean build() {
        return start(new ProcessBuilder("make", "-s", "-j2", "CUDA=" + WORK + "/cuda", "OUT=" + WORK, WORK + "/check/libcuda.so.1",
                WORK + "/check/libcublas.so.12"), WORK.resolve("build.log")) == 0;
    }

    private static int start(String order, Path log, String... arguments) {
        ProcessBuilder test = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-ea", "-XX:+UseSerialGC",
                "--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED",
                "-Djava.library.path=" + Path.of("target/natives/lib").toAbsolutePath(),
                "-cp", System.getProperty("java.class.path"), Mutate.class.getName());
        test.command().addAll(Arrays.asList(arguments));
        test.environment().put("LD_LIBRARY_PATH", WORK.resolve("check").toAbsolutePath().toString());
        test.environment().put("SIMT_ORDER", order);
        return start(test, log);
    }

    private static int start(ProcessBuilder command, Path log) {
        try {
            return command.redirectErrorStream(true).redirectOutput(log.toFile()).start().waitFor();
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Runs all tests, and writes for each: its name, its milliseconds, and which mutants it comes to. */
    @SuppressWarnings("restricted")
    private static void reach(Path to) throws IOException {
        MemorySegment reached = SymbolLookup.libraryLookup("libcuda.so.1", Arena.global()).find("calm_reached").orElseThrow()
                .reinterpret(Integer.MAX_VALUE);
        int count = Files.readString(WORK.resolve("cuda/mutants.cu")).lines().filter(line -> line.startsWith("unsigned char"))
                .mapToInt(line -> Integer.parseInt(line.replaceAll("\\D", ""))).findFirst().orElseThrow();
        List<String> lines = new ArrayList<>();
        long[] started = new long[1];
        TestExecutionListener listener = new TestExecutionListener() {
            @Override
            public void executionStarted(TestIdentifier test) {
                if (test.isTest()) {
                    reached.asSlice(0, count).fill((byte) 0);
                    started[0] = processorTime();
                }
            }

            @Override
            public void executionFinished(TestIdentifier test, TestExecutionResult result) {
                endIfFailed(result);
                if (test.isTest() && result.getStatus() == TestExecutionResult.Status.SUCCESSFUL) {
                    Set<Integer> mutants = new TreeSet<>();
                    for (int i = 0; i < count; i++) {
                        if (reached.get(ValueLayout.JAVA_BYTE, i) != 0) {
                            mutants.add(i);
                        }
                    }
                    lines.add(test.getUniqueId() + "\t" + (processorTime() - started[0]) / 1_000_000 + "\t"
                            + mutants.stream().map(String::valueOf).collect(Collectors.joining(" ")));
                }
            }
        };
        execute(LauncherFactory.create(), listener,
                TESTS.stream().map(test -> DiscoverySelectors.selectClass("org.calm4j.kernels." + test)).toArray(DiscoverySelector[]::new));
        Files.write(to, lines);
        Runtime.getRuntime().halt(lines.isEmpty() ? 1 : 0);
    }

    private static List<Reach> read(Path file) throws IOException {
        List<Reach> reaches = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            String[] parts = line.split("\t", -1);
            Set<Integer> mutants = new LinkedHashSet<>();
            for (String number : parts[2].isEmpty() ? new String[0] : parts[2].split(" ")) {
                mutants.add(Integer.valueOf(number));
            }
            reaches.add(new Reach(parts[0], Long.parseLong(parts[1]), mutants));
        }
        return reaches;
    }

    /** Mutant after mutant, test after test until one fails. That test must then pass without the mutant, or the process begins anew. */
    @SuppressWarnings("restricted")
    private static void runMutants(Path jobs, Path results) throws IOException {
        MemorySegment chosen = SymbolLookup.libraryLookup("libcuda.so.1", Arena.global()).find("calm_mutant").orElseThrow()
                .reinterpret(Integer.BYTES);
        AtomicLong endless = new AtomicLong(Long.MAX_VALUE);
        Thread.ofPlatform().daemon().start(() -> watch(endless));
        for (String job : Files.readAllLines(jobs)) {
            String[] parts = job.split("\t");
            chosen.set(ValueLayout.JAVA_INT, 0, Integer.parseInt(parts[0]));
            String failed = null;
            for (int i = 1; i < parts.length && failed == null; i++) {
                endless.set(processorTime() + ENDLESS_NANOSECONDS);
                failed = passes(parts[i]) ? null : parts[i];
            }
            chosen.set(ValueLayout.JAVA_INT, 0, -1);
            Files.writeString(results, parts[0] + "\t" + (failed == null ? SURVIVES : CAUGHT) + "\n", StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
            if (failed != null) {
                StandIn.resetAll();
                endless.set(processorTime() + ENDLESS_NANOSECONDS);
                if (!passes(failed)) {
                    Runtime.getRuntime().halt(ANEW);
                }
            }
        }
        Runtime.getRuntime().halt(0);
    }

    /** By the processor's time, since the process may have to wait for others. */
    private static void watch(AtomicLong endless) {
        while (processorTime() < endless.get()) {
            LockSupport.parkNanos(100_000_000);
        }
        Runtime.getRuntime().halt(ENDLESS);
    }

    private static long processorTime() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    /** One that did not run is no proof of anything. */
    private static boolean passes(String test) {
        int[] counts = new int[2];
        execute(LauncherFactory.create(), new TestExecutionListener() {
            @Override
            public void executionFinished(TestIdentifier of, TestExecutionResult result) {
                counts[0] += of.isTest() ? 1 : 0;
                counts[1] += result.getStatus() == TestExecutionResult.Status.FAILED ? 1 : 0;
            }
        }, DiscoverySelectors.selectUniqueId(test));
        return counts[0] == 1 && counts[1] == 0;
    }

    private static void execute(Launcher launcher, TestExecutionListener listener, DiscoverySelector... selectors) {
        launcher.execute(LauncherDiscoveryRequestBuilder.request().selectors(selectors).build(), listener);
    }

    private static void endIfFailed(TestExecutionResult result) {
        if (result.getStatus() == TestExecutionResult.Status.FAILED) {
            result.getThrowable().ifPresent(thrown -> thrown.printStackTrace(new PrintWriter(System.err, true)));
            Runtime.getRuntime().halt(1);
        }
    }

    /** A mutant's name without its line, which changes: the how manieth of its file and kind it is. */
    private static String key(String file, String what, Map<String, Integer> counts) {
        String key = file + ": " + what;
        return key + " #" + counts.merge(key, 1, Integer::sum);
    }

    /** Those that somebody has written into the results, for mutants that are still there. */
    private static Map<String, String> reasons() throws IOException {
        Map<String, String> reasons = new HashMap<>();
        Map<String, Integer> counts = new HashMap<>();
        for (String line : Files.exists(RESULTS) ? Files.readAllLines(RESULTS) : List.<String>of()) {
            String file = line.substring(0, line.indexOf(':'));
            int at = line.indexOf(": " + EQUIVALENT);
            String what = line.substring(line.indexOf(": ") + 2, at >= 0 ? at : line.lastIndexOf(": "));
            String key = key(file, what, counts);
            if (at >= 0) {
                reasons.put(key, line.substring(at + 2 + EQUIVALENT.length()));
            }
        }
        return reasons;
    }

    /** What each mutant is called that no test notices. */
    private static List<String> unnoticed(List<Mutant> mutants) throws IOException {
        Map<String, String> reasons = reasons();
        Map<String, Integer> counts = new HashMap<>();
        return mutants.stream().map(of -> reasons.get(key(of.file.getFileName().toString(), of.what(), counts)))
                .map(reason -> reason == null ? SURVIVES : EQUIVALENT + reason).toList();
    }

    /** A line for each mutant, in order; those of files that are not mutated this time stay. */
    private static void record(List<Mutant> mutants, Map<Integer, String> outcomes, List<String> unnoticed) throws IOException {
        List<String> lines = Files.exists(RESULTS) ? new ArrayList<>(Files.readAllLines(RESULTS)) : new ArrayList<>();
        lines.removeIf(line -> mutants.stream().anyMatch(of -> line.startsWith(of.file.getFileName() + ":")));
        for (int i = 0; i < mutants.size(); i++) {
            lines.add(mutants.get(i) + ": " + outcomes.getOrDefault(i, unnoticed.get(i)));
        }
        lines.sort(Comparator.comparing((String line) -> line.split(":")[0]).thenComparing(line -> Integer.parseInt(line.split(":")[1])));
        Files.write(RESULTS, lines);
    }
}
