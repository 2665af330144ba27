package org.calm4j.calm.cli;

import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Spec;

/** {@code --input} and {@code --output} of a command that reads one file and writes one. */
@Command
final class InputAndOutput {
    private final OptionSpec input;
    private final OptionSpec output;

    /** What the two files hold, for the help. */
    InputAndOutput(String input, String output) {
        this.input = file("--input", input);
        this.output = file("--output", output);
    }

    private static OptionSpec file(String name, String description) {
        return OptionSpec.builder(name)
                .type(Path.class)
                .paramLabel("FILE")
                .required(true)
                .description(description)
                .build();
    }

    /** Adds the flags to the command that has this. */
    @Spec(Spec.Target.MIXEE)
    private void addTo(CommandSpec command) {
        command.addOption(input);
        command.addOption(output);
    }

    Path input() {
        return input.getValue();
    }

    Path output() {
        return output.getValue();
    }
}
