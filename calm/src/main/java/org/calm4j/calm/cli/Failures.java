package org.calm4j.calm.cli;

import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;
import org.calm4j.calm.run.Stopped;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Excerpt;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Safetensors;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** The error that the user sees: one to three lines, and the exit code; a stack trace only with {@code --debug}. */
final class Failures implements CommandLine.IParameterExceptionHandler, CommandLine.IExecutionExceptionHandler {
    static final int FAILED = CalmException.Kind.FAILED.exitCode();
    static final int USAGE = CalmException.Kind.USAGE.exitCode();

    /** Null without one. */
    private Recipe recipe;

    /** Wrong values of options that a recipe has set are its own. */
    void blame(Recipe recipe) {
        this.recipe = recipe;
    }

    @Override
    public int handleParseException(CommandLine.ParameterException e, String[] arguments) {
        CommandLine line = e.getCommandLine();
        String name = line.getCommandSpec().qualifiedName();
        String origin = e.getArgSpec() instanceof OptionSpec option ? origin(option) : null;
        if (origin != null) {
            line.getErr()
                    .println(name + ": " + origin + ": "
                            + inWords(e.getMessage().lines().findFirst().orElse(""))
                                    .replaceFirst("^Invalid value for option .*?: (?=')", ""));
            trace(Arrays.asList(arguments).contains("--debug"), e, line.getErr());
            return CalmException.Kind.BAD_INPUT.exitCode();
        }
        // Where a key=value is missing, picocli says "option option".
        String what = inWords(byOwnNames(
                e.getMessage().lines().findFirst().orElse("wrong usage").replace("option option", "option"), line));
        line.getErr().println(name + ": " + what + misspelt(e, line));
        CommandLine.UnmatchedArgumentException.printSuggestions(e, line.getErr());
        line.getErr().println("Try '" + name + " --help'.");
        trace(Arrays.asList(arguments).contains("--debug"), e, line.getErr());
        return USAGE;
    }

    // picocli names Java's types and counts arguments from 0.
    private static String inWords(String message) {
        return message.replaceFirst(" is not an? (int|long)$", " is not a whole number")
                .replaceFirst(" is not a double$", " is not a number")
                .replaceFirst("^Unmatched argument(s?) (at|from) index \\d+: ", "unexpected argument$1 ");
    }

    // picocli prints the longest of an option's names; ours comes first.
    private static String byOwnNames(String message, CommandLine line) {
        String own = message;
        for (OptionSpec option : line.getCommandSpec().options()) {
            own = own.replace(option.longestName(), option.names()[0]);
        }
        return own;
    }

    // A missing required option may have been given under a wrong name.
    private static String misspelt(CommandLine.ParameterException e, CommandLine line) {
        List<String> unknown = e instanceof CommandLine.MissingParameterException
                ? line.getUnmatchedArguments().stream()
                        .filter(argument -> argument.startsWith("-"))
                        .toList()
                : List.of();
        return unknown.isEmpty() ? "" : "; unknown: " + String.join(" ", unknown);
    }

    @Override
    public int handleExecutionException(Exception e, CommandLine line, CommandLine.ParseResult parsed) {
        PrintWriter err = line.getErr();
        boolean debug = parsed.originalArgs().contains("--debug");
        if (e instanceof Stopped where) {
            return line.<CalmCommand>getCommand()
                    .stopped(where, line.getParent().getParseResult().originalArgs());
        }
        if (e instanceof CalmException known) {
            String origin = known.kind() == CalmException.Kind.USAGE && known.subject() != null
                    ? origin(line.getCommandSpec().findOption(known.subject().flag()))
                    : null;
            err.println(line.getCommandSpec().qualifiedName() + ": "
                    + known.message(setting -> setting == known.subject() && origin != null
                            ? origin + ":"
                            : line.<CalmCommand>getCommand().named(setting)));
            trace(debug, e, err);
            return (origin == null ? known.kind() : CalmException.Kind.BAD_INPUT).exitCode();
        }
        for (Throwable cause = e.getCause(); cause != null; cause = cause.getCause()) {
            if (cause instanceof InternalError fault && Safetensors.cutOff() != null) {
                return cutOff(err, fault);
            }
        }
        String what = Excerpt.message(
                e.getMessage() == null
                        ? e.getClass().getSimpleName()
                        : e.getClass().getSimpleName() + ": " + e.getMessage());
        err.println(line.getCommandSpec().qualifiedName() + ": failed unexpectedly, "
                + what.lines().findFirst().orElse(""));
        err.println(debug ? "" : "This is a bug in the program; --debug shows where.");
        trace(debug, e, err);
        return FAILED;
    }

    /** Where an option has its value from; null if it is not from a recipe. */
    private String origin(OptionSpec option) {
        return recipe == null || option == null ? null : recipe.origin(option);
    }

    /** What is wrong with a command before it is parsed. */
    int ofCommand(CommandLine line, String name, CalmException e) {
        line.getErr().println("calm " + name + ": " + e.message(Setting::flag));
        line.getErr().flush();
        return e.kind().exitCode();
    }

    /** Mapped memory that ended with its file. */
    int cutOff(PrintWriter err, InternalError e) {
        if (Safetensors.cutOff() == null) {
            throw e;
        }
        err.println("calm: "
                + Excerpt.message(Safetensors.cutOff()
                        + ": became shorter while it was in use; wait until the model's files are written, "
                        + "and try again"));
        return CalmException.Kind.BAD_INPUT.exitCode();
    }

    int outOfMemory(PrintWriter err, OutOfMemoryError e) {
        if (String.valueOf(e.getMessage()).contains("native thread")) {
            err.println(
                    "calm: the system refuses to start more threads; give fewer with --threads, or raise the limit (ulimit -u)");
            return FAILED;
        }
        err.println("calm: out of memory (" + e.getMessage() + "); the JVM may use "
                + (Runtime.getRuntime().maxMemory() >> 20)
                + " MiB. Raise the limit, e.g. CALM_JAVA_OPTS=-Xmx8g, or lower --batch-size or --micro-batch-size");
        return FAILED;
    }

    private static void trace(boolean debug, Exception e, PrintWriter err) {
        if (debug) {
            e.printStackTrace(err);
        }
    }
}
