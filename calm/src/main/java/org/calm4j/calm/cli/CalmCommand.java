package org.calm4j.calm.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.calm4j.calm.run.Fingerprint;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.run.Stopped;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.ranks.Ranks;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What all commands share. A command turns its options into a call of a stage and prints what comes back. */
abstract class CalmCommand implements Callable<Integer> {
    /** The options for files that a command writes. */
    private static final Set<String> WRITTEN = Set.of("--output", "--report", "--summary");

    /** What may differ between ranks. */
    private static final Set<String> OF_A_MACHINE = Set.of("--device", "--threads", "--debug", "--quiet");

    @Spec
    private CommandSpec spec;

    /** Null where a signal ends the command at once. */
    private StopSignals signals;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help.")
    private boolean help;

    @Option(names = "--quiet", description = "Results and errors only: no progress and no line at the start.")
    private boolean quiet;

    @Option(names = "--json", description = "Print the result as one JSON object on stdout.")
    private boolean json;

    @Option(names = "--debug", description = "Show a stack trace with an error.")
    private boolean debug;

    @Override
    public final Integer call() {
        if (isShared()) {
            ranks().agree(facts());
        } else if (!ranks().isFirst()) {
            return 0;
        } else if (ranks().size() > 1) {
            say("calm: rank 0 does this alone, the other ranks wait");
        }
        if (ranks().isFirst()) {
            refuseToOverwrite();
        }
        run();
        return 0;
    }

    /** Whether all ranks run it; otherwise rank 0 does, and the others wait. */
    boolean isShared() {
        return false;
    }

    /** The processes that were started together; the first of them writes. */
    final Ranks ranks() {
        return Ranks.here();
    }

    /** What all ranks must have been told. */
    private Map<String, String> facts() {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("the version", Version.calm4j());
        facts.put("the JVM", Version.jvm());
        for (ArgSpec arg : spec.args()) {
            String name = arg instanceof OptionSpec option ? option.longestName() : arg.paramLabel();
            if (!OF_A_MACHINE.contains(name)) {
                facts.put(name, String.join(" ", arg.originalStringValues()));
            }
        }
        return facts;
    }

    abstract void run();

    /** The files that it writes, as far as options name them; folders are for the command itself. */
    List<Path> outputs() {
        return paths(true);
    }

    // Overwriting an input would lose it, whether it was read already or not.
    private void refuseToOverwrite() {
        List<Path> inputs = paths(false);
        Set<Path> names = new HashSet<>();
        for (Path output : outputs()) {
            if (!names.add(output.toAbsolutePath().normalize())) {
                throw CalmException.usage(output + " would be written twice; give each output its own name");
            }
            for (Path input : inputs) {
                // A terminal, say, is input and output.
                if (Files.isRegularFile(output)) {
                    parts(input).forEach(part -> refuseIfSame(part, output));
                }
            }
        }
    }

    /** An input; for a model folder, the files that make up the model. */
    private static List<Path> parts(Path input) {
        if (!Files.isDirectory(input)) {
            return List.of(input);
        }
        try (Stream<Path> files = Files.list(input)) {
            return files.filter(Fingerprint::isOfModel).toList();
        } catch (IOException e) {
            // The code that opens it reports what is wrong.
            return List.of();
        }
    }

    private List<Path> paths(boolean written) {
        return spec.args().stream()
                .filter(arg -> written
                        == (arg instanceof OptionSpec option
                                && List.of(option.names()).stream().anyMatch(WRITTEN::contains)))
                .map(ArgSpec::<Object>getValue)
                .flatMap(value -> value instanceof Collection<?> all ? all.stream() : Stream.ofNullable(value))
                .filter(Path.class::isInstance)
                .map(Path.class::cast)
                .toList();
    }

    /** @param input null for none */
    static void refuseIfSame(Path input, Path output) {
        try {
            if (input != null && Files.exists(input) && Files.exists(output) && Files.isSameFile(input, output)) {
                throw CalmException.usage(
                        output + " is an input and would be overwritten; choose another place for the output");
            }
        } catch (IOException e) {
            // The code that opens them reports what is wrong.
        }
    }

    final Progress progress() {
        return given(command -> command.quiet) || !ranks().isFirst() ? Progress.NONE : TerminalProgress.on(err());
    }

    /** The progress of work that a signal stops where it can go on. */
    final Progress stoppable() {
        signals = StopSignals.listen(err());
        return signals.on(progress());
    }

    /** Says where the work was left, and what goes on from there; returns the exit code. */
    final int stopped(Stopped where, List<String> arguments) {
        List<String> line = new ArrayList<>(arguments);
        if (spec.findOption("--resume") != null && !line.contains("--resume")) {
            line.add("--resume");
        }
        err().println(spec.qualifiedName() + ": " + where.getMessage());
        err().println("Go on with: calm "
                + line.stream().map(CalmCommand::quoted).collect(Collectors.joining(" ")));
        return signals.exitCode();
    }

    /** As a shell reads it. */
    private static String quoted(String word) {
        return word.matches("[\\w@%+=:,./-]+") ? word : "'" + word.replace("'", "'\\''") + "'";
    }

    /** Prints the result: the object with {@code --json}, otherwise the text. */
    final void result(Object object, String text) {
        out().println(isJson() ? Json.compact(object) : text);
        out().flush();
    }

    /** The name of a setting in a message, as a user of this command knows it. */
    String named(Setting setting) {
        return setting.flag();
    }

    final boolean hasFlag(Setting setting) {
        return setting.section() == null
                && spec.findOption("--" + setting.name().replace('_', '-')) != null;
    }

    /** One line for the user, on stderr. */
    final void say(String line) {
        if (!given(command -> command.quiet) && ranks().isFirst()) {
            err().println(line);
            err().flush();
        }
    }

    /** Reports the parts of a model that are not used. */
    final ModelFolder told(ModelFolder folder) {
        folder.notes().forEach(note -> say("calm: " + note));
        return folder;
    }

    final boolean isJson() {
        return given(command -> command.json);
    }

    /** A flag may also stand before the name of a command's own command: {@code calm inspect --quiet model}. */
    private boolean given(Predicate<CalmCommand> flag) {
        return flag.test(this)
                || spec.parent() != null
                        && spec.parent().userObject() instanceof CalmCommand parent
                        && parent.given(flag);
    }

    final PrintWriter out() {
        return spec.commandLine().getOut();
    }

    final PrintWriter err() {
        return spec.commandLine().getErr();
    }

    final CommandSpec spec() {
        return spec;
    }
}
