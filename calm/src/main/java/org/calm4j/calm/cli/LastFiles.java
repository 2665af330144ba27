package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Stack;
import picocli.CommandLine.IParameterConsumer;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** One file or several after an option; of an option given twice the last one holds, which picocli would join. */
final class LastFiles implements IParameterConsumer {
    @Override
    public void consumeParameters(Stack<String> arguments, ArgSpec option, CommandSpec command) {
        List<Path> files = new ArrayList<>();
        while (!arguments.isEmpty() && command.findOption(arguments.peek().replaceFirst("=.*", "")) == null) {
            files.add(Calm.path(arguments.pop()));
        }
        if (files.isEmpty()) {
            throw new ParameterException(
                    command.commandLine(), "Missing required parameter for option '--data' (FILE)", option, null);
        }
        option.setValue(files);
    }
}
