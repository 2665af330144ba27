package org.calm4j.calm.cli;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import org.calm4j.calm.stage.Progress;
import org.calm4j.engine.io.Json;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What all commands share. A command turns its options into a call of a stage and prints what comes back. */
abstract class CalmCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    private boolean help;

    @Option(names = "--quiet", description = "No progress, no line at the start; results and errors only.")
    private boolean quiet;

    @Option(names = "--json", description = "The result as one JSON object on stdout.")
    private boolean json;

    @Option(names = "--debug", description = "Show a stack trace with an error.")
    private boolean debug;

    @Override
    public final Integer call() {
        run();
        return 0;
    }

    abstract void run();

    final Progress progress() {
        return quiet ? Progress.NONE : TerminalProgress.on(err());
    }

    /** Prints the result: the object with {@code --json}, otherwise the text. */
    final void result(Object object, String text) {
        out().println(json ? Json.compact(object) : text);
        out().flush();
    }

    /** One line for people, on stderr. */
    final void say(String line) {
        if (!quiet) {
            err().println(line);
            err().flush();
        }
    }

    final boolean isJson() {
        return json;
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
