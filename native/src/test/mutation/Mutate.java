import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/** Mutation test of the kernels; started by {@code native/mutate}. */
final class Mutate {
    private static final Path SOURCES = Path.of("src/main/cuda");
    private static final Path WORK = Path.of("target/mutants");
    private static final Path RESULTS = Path.of("mutants.txt");
    private static final String CONFORMANCE = "org.calm4j.kernels.CudaBackendConformanceTest";
    private static final String CACHE = "#attentionOverACache";
    private static final String BF16_CONFORMANCE = "org.calm4j.kernels.CudaBf16ConformanceTest";
    private static final String BF16 = "org.calm4j.kernels.Bf16AttentionTest";
    private static final String ROUNDED = "org.calm4j.kernels.RoundedWeightsTest";
    /** Every operation against the scalar definition. */
    private static final List<String> TESTS = List.of(BF16, ROUNDED, CONFORMANCE);
    /** Those that a mutant of a file is given first, before all the others; by the operation's name in the conformance tests. */
    private static final Map<String, List<String>> FIRST = Map.ofEntries(
            Map.entry("attention_bf16", List.of(BF16)), Map.entry("attention", List.of(CONFORMANCE + "#attention")),
            Map.entry("decode", List.of(CONFORMANCE + CACHE, BF16_CONFORMANCE + CACHE)), Map.entry("scatter", List.of(CONFORMANCE + "#scatter")),
            Map.entry("forest", List.of(BF16, CONFORMANCE + "#attention")),
            Map.entry("sample", List.of(CONFORMANCE + "#sample")), Map.entry("rmsnorm", List.of(CONFORMANCE + "#rmsNorm")),
            Map.entry("adamw", List.of(ROUNDED, CONFORMANCE + "#optimizerOfManyTensors", CONFORMANCE + "#optimizerAndDropout")),
            Map.entry("layernorm", List.of(CONFORMANCE + "#layerNorm")), Map.entry("logprob", List.of(CONFORMANCE + "#tokenLogProb")),
            Map.entry("embedding", List.of(CONFORMANCE + "#embedding")), Map.entry("rope", List.of(CONFORMANCE + "#rope")),
            Map.entry("swiglu", List.of(CONFORMANCE + "#swiGlu")), Map.entry("gelu", List.of(CONFORMANCE + "#gelu")),
            Map.entry("bias", List.of(CONFORMANCE + "#bias")), Map.entry("columns", List.of(CONFORMANCE + "#bias")),
            Map.entry("gradnorm", List.of(CONFORMANCE + "#optimizerAndDropout")),
            Map.entry("dropout", List.of(CONFORMANCE + "#optimizerAndDropout")));
    private static final long MINUTES = 20;
    private static final long BUILD_MINUTES = 60;
    /** Whether the last test was ended because it did not end. */
    private static boolean endless;
    /** A comment on a line without which results are the same. */
    private static final String SAVES_TIME = "only saves time";
    /** A wait that is taken out. */
    private static final Pattern WAIT = Pattern.compile("(__syncthreads\\(\\)|__syncwarp\\(\\)|copyAsyncWait<\\d+>\\(\\));");
    /** A thread without work that goes on. */
    private static final Pattern RETURN = Pattern.compile("if \\([^;{]*>=[^;{]*\\) (return|continue);");
    /** One side of a condition, or the condition of a choice, that compares an index with an end. */
    private static final Pattern GUARD =
            Pattern.compile("(?:(?<=if \\()|(?<=&& )|(?<= = ))[^&|(){};?=]+ < [^&|(){};?]+?(?= \\?| &&|\\)|;)");

    record Mutant(Path file, int line, int start, int end, String replacement, String was) {
        @Override
        public String toString() {
            return file.getFileName() + ":" + line + ": without " + was;
        }
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 0 && arguments[0].equals("--test")) {
            test(Arrays.asList(arguments).subList(1, arguments.length));
            return;
        }
        List<Mutant> mutants = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(SOURCES, "*.{cu,cuh}")) {
            for (Path file : files) {
                if (arguments.length == 0 || Arrays.asList(arguments).contains(file.getFileName().toString())) {
                    mutants.addAll(mutants(file));
                }
            }
        }
        mutants.sort(Comparator.comparing(Mutant::file).thenComparing(Mutant::line).thenComparing(Mutant::start));
        System.out.println(mutants.size() + " mutants");
        restore();
        if (!build() || !mutants.stream().map(mutant -> first(mutant.file)).distinct().allMatch(Mutate::passes)) {
            System.out.println("the tests fail without any mutation");
            System.exit(1);
        }
        List<Mutant> survivors = new ArrayList<>();
        for (Mutant mutant : mutants) {
            restore();
            mutate(mutant);
            String outcome = !build() ? "does not compile" : passes(first(mutant.file)) && passes(TESTS) ? "SURVIVES"
                    : endless ? "caught, does not end" : "caught";
            endless = false;
            System.out.println(mutant + ": " + outcome);
            record(mutants, mutant, outcome);
            if (outcome.equals("SURVIVES")) {
                survivors.add(mutant);
            }
        }
        System.out.println(survivors.size() + " of " + mutants.size() + " survive");
        survivors.forEach(mutant -> System.out.println("  " + mutant));
        System.exit(survivors.isEmpty() ? 0 : 1);
    }

    private static List<String> first(Path file) {
        return FIRST.getOrDefault(file.getFileName().toString().split("\\.")[0], TESTS);
    }

    /** A line for each mutant, in order; those of files that are not mutated this time stay. */
    private static void record(List<Mutant> mutants, Mutant mutant, String outcome) throws IOException {
        List<String> lines = Files.exists(RESULTS) ? new ArrayList<>(Files.readAllLines(RESULTS)) : new ArrayList<>();
        if (mutant == mutants.getFirst()) {
            lines.removeIf(line -> mutants.stream().anyMatch(of -> line.startsWith(of.file.getFileName() + ":")));
        }
        lines.add(mutant + ": " + outcome);
        lines.sort(Comparator.comparing((String line) -> line.split(":")[0]).thenComparing(line -> Integer.parseInt(line.split(":")[1])));
        Files.write(RESULTS, lines);
    }

    private static List<Mutant> mutants(Path file) throws IOException {
        List<Mutant> found = new ArrayList<>();
        List<String> lines = Files.readAllLines(file);
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i);
            if (line.strip().startsWith("//") || line.strip().startsWith("for (") || line.contains(SAVES_TIME)) {
                continue;
            }
            for (Pattern pattern : List.of(WAIT, RETURN, GUARD)) {
                Matcher matcher = pattern.matcher(line);
                while (matcher.find()) {
                    found.add(new Mutant(file, i + 1, matcher.start(), matcher.end(), pattern == GUARD ? "true" : ";", matcher.group()));
                }
            }
        }
        return found;
    }

    /** The copies as the sources are; a file that is the same keeps its time, so that make leaves it alone. */
    private static void restore() throws IOException {
        Files.createDirectories(WORK.resolve("cuda"));
        try (DirectoryStream<Path> files = Files.newDirectoryStream(SOURCES, "*.{cu,cuh}")) {
            for (Path file : files) {
                write(WORK.resolve("cuda").resolve(file.getFileName()), Files.readString(file));
            }
        }
    }

    private static void mutate(Mutant mutant) throws IOException {
        List<String> lines = new ArrayList<>(Files.readAllLines(mutant.file));
        String line = lines.get(mutant.line - 1);
        lines.set(mutant.line - 1, line.substring(0, mutant.start) + mutant.replacement + line.substring(mutant.end));
        write(WORK.resolve("cuda").resolve(mutant.file.getFileName()), String.join("\n", lines) + "\n");
    }

    private static void write(Path file, String text) throws IOException {
        if (!Files.exists(file) || !Files.readString(file).equals(text)) {
            Files.writeString(file, text);
        }
    }

    private static boolean build() {
        return run(new ProcessBuilder("make", "-s", "-j2", "CUDA=" + WORK + "/cuda", "OUT=" + WORK, WORK + "/check/libcuda.so.1",
                WORK + "/check/libcublas.so.12"), WORK.resolve("build.log"), BUILD_MINUTES);
    }

    /** In a process of its own, since a fault ends it or goes on for ever. Both orders: some races give right numbers in one. */
    private static boolean passes(List<String> tests) {
        for (String order : List.of("forward", "reverse")) {
            ProcessBuilder test = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "--add-modules",
                    "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED",
                    "-Djava.library.path=" + Path.of("target/natives/lib").toAbsolutePath(),
                    "-cp", System.getProperty("java.class.path"), "src/test/mutation/Mutate.java", "--test");
            test.command().addAll(tests);
            test.environment().put("LD_LIBRARY_PATH", WORK.resolve("check").toAbsolutePath().toString());
            test.environment().put("SIMT_ORDER", order);
            if (!run(test, WORK.resolve("test.log"), MINUTES)) {
                return false;
            }
        }
        return true;
    }

    private static boolean run(ProcessBuilder command, Path log, long minutes) {
        try {
            Process process = command.redirectErrorStream(true).redirectOutput(log.toFile()).start();
            if (!process.waitFor(minutes, TimeUnit.MINUTES)) {
                process.destroyForcibly();
                endless = true;
                return false;
            }
            return process.exitValue() == 0;
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Ends with 1 at the first failure, without waiting for others. */
    private static void test(List<String> tests) {
        int[] passed = new int[1];
        List<DiscoverySelector> selectors = tests.stream().map(test -> test.contains("#") ? DiscoverySelectors.selectMethod(test)
                : DiscoverySelectors.selectClass(test)).map(DiscoverySelector.class::cast).toList();
        TestExecutionListener listener = new TestExecutionListener() {
            @Override
            public void executionFinished(TestIdentifier test, TestExecutionResult result) {
                if (result.getStatus() == TestExecutionResult.Status.FAILED) {
                    result.getThrowable().ifPresent(Throwable::printStackTrace);
                    Runtime.getRuntime().halt(1);
                }
                passed[0] += test.isTest() ? 1 : 0;
            }
        };
        LauncherFactory.create().execute(LauncherDiscoveryRequestBuilder.request().selectors(selectors).build(), listener);
        // Nothing ran: no proof of anything.
        Runtime.getRuntime().halt(passed[0] > 0 ? 0 : 1);
    }
}
