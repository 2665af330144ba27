package org.calm4j.engine.ranks;

import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/** The MPI launchers of this machine. Tests are skipped without one, but not where CALM4J_TESTS_NEED_MPI is set. */
public enum MpiLaunch {
    OPEN_MPI("mpirun.openmpi", "mpirun"),
    MPICH("mpiexec.hydra");

    /** What a run ended with. */
    public record Result(int code, String out, String err) {}

    private static final long MOST_SECONDS = 120;

    private final List<String> programs;

    MpiLaunch(String... programs) {
        this.programs = List.of(programs);
    }

    /** Those that are here. */
    public static Stream<MpiLaunch> all() {
        List<MpiLaunch> all =
                Stream.of(values()).filter(each -> each.program() != null).toList();
        if (System.getenv("CALM4J_TESTS_NEED_MPI") != null && all.size() < values().length) {
            throw new AssertionError(
                    "Open MPI's mpirun and MPICH's mpiexec.hydra must be on the PATH, there is: " + all);
        }
        Assumptions.assumeFalse(all.isEmpty(), "skipped: no mpirun on the PATH; install openmpi-bin");
        return all.stream();
    }

    private Path program() {
        return programs.stream()
                .flatMap(name -> Stream.of(System.getenv("PATH").split(File.pathSeparator))
                        .map(folder -> Path.of(folder, name)))
                .filter(Files::isExecutable)
                .findFirst()
                .orElse(null);
    }

    /** The launcher and its options, in which some processes use few cores, and leave nothing outside of a folder. */
    public List<String> of(int ranks, Path folder) {
        List<String> command = new ArrayList<>(List.of(program().toString(), "-n", String.valueOf(ranks)));
        if (this == OPEN_MPI) {
            command.addAll(1, List.of("--allow-run-as-root", "--oversubscribe", "--bind-to", "none"));
            command.addAll(1, List.of("--mca", "btl", "self,vader", "--mca", "oob_tcp_if_include", "lo"));
            command.addAll(1, List.of("--mca", "btl_vader_backing_directory", folder.toString()));
            command.addAll(1, List.of("--mca", "orte_tmpdir_base", folder.toString()));
        }
        return command;
    }

    /** Starts Java's class on ranks. */
    public Process java(
            int ranks,
            Path folder,
            Map<String, String> environment,
            List<String> flags,
            Class<?> main,
            String... arguments)
            throws IOException {
        return java(ranks, folder, environment, flags, null, main, arguments);
    }

    /** @param before a program that each rank starts with Java's command as its arguments; null without */
    public Process java(
            int ranks,
            Path folder,
            Map<String, String> environment,
            List<String> flags,
            Path before,
            Class<?> main,
            String... arguments)
            throws IOException {
        List<String> command = of(ranks, folder);
        if (before != null) {
            command.add(before.toString());
        }
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED"));
        command.addAll(flags);
        command.addAll(List.of("-cp", classPath(), main.getName()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectOutput(folder.resolve("out").toFile())
                .redirectError(folder.resolve("err").toFile());
        builder.environment().putAll(environment);
        return builder.start();
    }

    /** Of the tests, also where JUnit's console loaded them by itself. */
    public static String classPath() {
        return Thread.currentThread().getContextClassLoader() instanceof URLClassLoader loader
                ? Stream.of(loader.getURLs()).map(URL::getPath).collect(Collectors.joining(File.pathSeparator))
                : System.getProperty("java.class.path");
    }

    /** Waits for it. */
    public static Result end(Process process, Path folder) throws IOException, InterruptedException {
        if (!process.waitFor(MOST_SECONDS, TimeUnit.SECONDS)) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
            throw new AssertionError("it hangs: " + Files.readString(folder.resolve("err")));
        }
        return new Result(
                process.exitValue(), Files.readString(folder.resolve("out")), Files.readString(folder.resolve("err")));
    }
}
