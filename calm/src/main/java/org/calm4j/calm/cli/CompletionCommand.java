package org.calm4j.calm.cli;

import picocli.AutoComplete;
import picocli.CommandLine.Command;

/** {@code calm completion}: a script for bash and zsh that completes commands and options. */
@Command(
        name = CompletionCommand.NAME,
        description = "Prints a completion script for bash and zsh.",
        footer = {"", "Example: source <(calm completion)"})
final class CompletionCommand extends CalmCommand {
    static final String NAME = "completion";

    @Override
    void run() {
        out().println(AutoComplete.bash("calm", spec().root().commandLine()));
    }
}
