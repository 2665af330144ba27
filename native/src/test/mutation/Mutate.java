import java.io.IOException;
import java.io.PrintWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
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
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
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
 * wait; only they can fail, and they alone are run, the quickest first.
 */
final class Mutate {
    private static final Path SOURCES = Path.of("src/main/cuda");
    private static final Path WORK = Path.of("target/mutants");
    private static final Path RESULTS = Path.of("mutants.txt");
    private static final List<String> ORDERS = List.of("forward", "reverse");
    private static final List<String> TESTS = List.of("CudaBackendConformanceTest", "CudaBf16ConformanceTest", "Bf16AttentionTest",
            "RoundedWeightsTest", "CudaModelTest");
    /** The number of the mutant that a process runs; −1 for none. */
    private static final String NUMBER = "CALM_MUTANT";
    private static final long MINUTES = 15;
    private static final long BUILD_MINUTES = 60;
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

    /** A test that has run: its name for JUnit, how long it took, and the mutants that it may notice. */
    private record Reach(String test, long milliseconds, Set<Integer> mutants) {
    }

    public static void main(String[] arguments) throws Exception {
        switch (arguments.length > 0 ? arguments[0] : "") {
            case "--reach" -> reach(Path.of(arguments[1]));
            case "--test" -> test(Files.readAllLines(Path.of(arguments[1])));
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
            if (!run(-1, order, "--reach", file.toString()).equals(SURVIVES)) {
                System.out.println("the tests fail without any mutation: " + WORK.resolve("test.log"));
                System.exit(1);
            }
            reaches.put(order, read(file));
        }
        Map<String, String> reasons = reasons();
        List<String> survivors = new ArrayList<>();
        Map<String, Integer> counts = new HashMap<>();
        for (int i = 0; i < mutants.size(); i++) {
            Mutant mutant = mutants.get(i);
            String key = key(mutant.file.getFileName().toString(), mutant.what(), counts);
            String outcome = outcome(i, reaches);
            if (outcome.startsWith(SURVIVES) && reasons.containsKey(key)) {
                outcome = EQUIVALENT + reasons.get(key);
            } else if (outcome.startsWith(SURVIVES)) {
                survivors.add(mutant + ": " + outcome);
            }
            System.out.println(mutant + ": " + outcome);
            record(mutants, i, outcome);
        }
        System.out.println(survivors.size() + " of " + mutants.size() + " survive");
        survivors.forEach(survivor -> System.out.println("  " + survivor));
        System.exit(survivors.isEmpty() ? 0 : 1);
    }

    /** Both orders: some races give right numbers in one. */
    private static String outcome(int mutant, Map<String, List<Reach>> reaches) throws IOException {
        boolean reached = false;
        for (String order : ORDERS) {
            List<String> tests = reaches.get(order).stream().filter(reach -> reach.mutants.contains(mutant))
                    .sorted(Comparator.comparing(Reach::milliseconds)).map(Reach::test).toList();
            if (!tests.isEmpty()) {
                reached = true;
                Files.write(WORK.resolve("tests.txt"), tests);
                String outcome = run(mutant, order, "--test", WORK.resolve("tests.txt").toString());
                if (!outcome.equals(SURVIVES)) {
                    return outcome;
                }
            }
        }
        return reached ? SURVIVES : SURVIVES + ", since no test comes to where it matters";
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
                #include <cstdlib>
                int calm_mutant = getenv("%s") == nullptr ? -1 : atoi(getenv("%s"));
                unsigned char calm_reached[%d];
                """.formatted(NUMBER, NUMBER, count + 1);
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
        return run(new ProcessBuilder("make", "-s", "-j2", "CUDA=" + WORK + "/cuda", "OUT=" + WORK, WORK + "/check/libcuda.so.1",
                WORK + "/check/libcublas.so.12"), WORK.resolve("build.log"), BUILD_MINUTES).equals(SURVIVES);
    }

    /** In a process of its own, since a fault ends it or goes on for ever. */
    private static String run(int mutant, String order, String... arguments) {
        ProcessBuilder test = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-ea", "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1", "--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED",
                "-Djava.library.path=" + Path.of("target/natives/lib").toAbsolutePath(),
                "-cp", System.getProperty("java.class.path"), Mutate.class.getName());
        test.command().addAll(Arrays.asList(arguments));
        test.environment().put("LD_LIBRARY_PATH", WORK.resolve("check").toAbsolutePath().toString());
        test.environment().put("SIMT_ORDER", order);
        test.environment().put(NUMBER, Integer.toString(mutant));
        return run(test, WORK.resolve("test.log"), mutant < 0 ? BUILD_MINUTES : MINUTES);
    }

    private static String run(ProcessBuilder command, Path log, long minutes) {
        try {
            Process process = command.redirectErrorStream(true).redirectOutput(log.toFile()).start();
            if (!process.waitFor(minutes, TimeUnit.MINUTES)) {
                process.destroyForcibly();
                return CAUGHT + ", does not end";
            }
            return process.exitValue() == 0 ? SURVIVES : CAUGHT;
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
                    started[0] = System.nanoTime();
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
                    lines.add(test.getUniqueId() + "\t" + (System.nanoTime() - started[0]) / 1_000_000 + "\t"
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

    /** One after the other, in this order; ends with 1 at the first failure. */
    private static void test(List<String> tests) {
        int[] passed = new int[1];
        TestExecutionListener listener = new TestExecutionListener() {
            @Override
            public void executionFinished(TestIdentifier test, TestExecutionResult result) {
                endIfFailed(result);
                passed[0] += test.isTest() ? 1 : 0;
            }
        };
        Launcher launcher = LauncherFactory.create();
        tests.forEach(test -> execute(launcher, listener, DiscoverySelectors.selectUniqueId(test)));
        // One that did not run is no proof of anything.
        Runtime.getRuntime().halt(passed[0] == tests.size() ? 0 : 1);
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

    /** A line for each mutant, in order; those of files that are not mutated this time stay. */
    private static void record(List<Mutant> mutants, int number, String outcome) throws IOException {
        List<String> lines = Files.exists(RESULTS) ? new ArrayList<>(Files.readAllLines(RESULTS)) : new ArrayList<>();
        if (number == 0) {
            lines.removeIf(line -> mutants.stream().anyMatch(of -> line.startsWith(of.file.getFileName() + ":")));
        }
        lines.add(mutants.get(number) + ": " + outcome);
        lines.sort(Comparator.comparing((String line) -> line.split(":")[0]).thenComparing(line -> Integer.parseInt(line.split(":")[1])));
        Files.write(RESULTS, lines);
    }
}
