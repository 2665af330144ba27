import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
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
    /** Every operation against the scalar definition. */
    private static final String TESTS = "org.calm4j.kernels.CudaBackendConformanceTest";
    private static final long MINUTES = 10;
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
        if (arguments.length == 1 && arguments[0].equals("--test")) {
            test();
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
        if (!build() || !passes()) {
            System.out.println("the tests fail without any mutation");
            System.exit(1);
        }
        List<Mutant> survivors = new ArrayList<>();
        for (Mutant mutant : mutants) {
            restore();
            mutate(mutant);
            String outcome = !build() ? "does not compile" : passes() ? "SURVIVES" : "caught";
            System.out.println(mutant + ": " + outcome);
            if (outcome.equals("SURVIVES")) {
                survivors.add(mutant);
            }
        }
        System.out.println(survivors.size() + " of " + mutants.size() + " survive");
        survivors.forEach(mutant -> System.out.println("  " + mutant));
        System.exit(survivors.isEmpty() ? 0 : 1);
    }

    private static List<Mutant> mutants(Path file) throws IOException {
        List<Mutant> found = new ArrayList<>();
        List<String> lines = Files.readAllLines(file);
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i);
            if (line.strip().startsWith("//") || line.strip().startsWith("for (")) {
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

    private static boolean build() throws IOException, InterruptedException {
        return run(new ProcessBuilder("make", "-s", "-j2", "CUDA=" + WORK + "/cuda", "OUT=" + WORK, WORK + "/check/libcuda.so.1",
                WORK + "/check/libcublas.so.12"), WORK.resolve("build.log"));
    }

    /** In a process of its own, since a fault ends it or goes on for ever. Both orders: some races give right numbers in one. */
    private static boolean passes() throws IOException, InterruptedException {
        for (String order : List.of("forward", "reverse")) {
            ProcessBuilder test = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "--add-modules",
                    "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED",
                    "-Djava.library.path=" + Path.of("target/natives/lib").toAbsolutePath(),
                    "-cp", System.getProperty("java.class.path"), "src/test/mutation/Mutate.java", "--test");
            test.environment().put("LD_LIBRARY_PATH", WORK.resolve("check").toAbsolutePath().toString());
            test.environment().put("SIMT_ORDER", order);
            if (!run(test, WORK.resolve("test.log"))) {
                return false;
            }
        }
        return true;
    }

    private static boolean run(ProcessBuilder command, Path log) throws IOException, InterruptedException {
        Process process = command.redirectErrorStream(true).redirectOutput(log.toFile()).start();
        if (!process.waitFor(MINUTES, TimeUnit.MINUTES)) {
            process.destroyForcibly();
            return false;
        }
        return process.exitValue() == 0;
    }

    /** Ends with 1 at the first failure, without waiting for others. */
    private static void test() {
        int[] passed = new int[1];
        LauncherFactory.create().execute(
                LauncherDiscoveryRequestBuilder.request().selectors(DiscoverySelectors.selectClass(TESTS)).build(),
                        new TestExecutionListener() {
                    @Override
                    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
                        if (result.getStatus() == TestExecutionResult.Status.FAILED) {
                            result.getThrowable().ifPresent(Throwable::printStackTrace);
                            Runtime.getRuntime().halt(1);
                        }
                        passed[0] += test.isTest() ? 1 : 0;
                    }
                });
        // Nothing ran: no proof of anything.
        Runtime.getRuntime().halt(passed[0] > 0 ? 0 : 1);
    }
}
