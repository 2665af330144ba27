package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.Stack;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.watch.WatchServer;
import org.calm4j.engine.Setting;
import picocli.CommandLine;
import picocli.CommandLine.IParameterPreprocessor;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** A live page of what a command writes, while it runs. */
final class WatchOption {
    @Option(
            names = "--watch",
            arity = "0..1",
            paramLabel = "PORT",
            fallbackValue = "0",
            preprocessor = OnlyNumbers.class,
            description = "Serve a live page of this run on loopback; its address is printed (default: any free port).")
    private Integer port;

    /** The page, where one was asked for. */
    record Page(WatchServer server) implements AutoCloseable {
        Progress progress(Progress own) {
            return server == null ? own : server.progress(own);
        }

        @Override
        public void close() {
            if (server != null) {
                server.close();
            }
        }
    }

    Page of(CalmCommand command, Path output) {
        if (port == null || !command.ranks().isFirst()) {
            return new Page(null);
        }
        WatchCommand.checkPort(port, Setting.of("watch"));
        WatchServer server = WatchServer.ofRun(output, port, Setting.of("watch"));
        command.err().println("calm: watch it at " + server.address());
        command.err().flush();
        return new Page(server);
    }

    /** What follows is the port only if it is a number. */
    static final class OnlyNumbers implements IParameterPreprocessor {
        @Override
        public boolean preprocess(
                Stack<String> arguments, CommandSpec command, ArgSpec option, java.util.Map<String, Object> info) {
            if (arguments.isEmpty() || !arguments.peek().matches("\\d{1,9}")) {
                arguments.push(((CommandLine.Model.OptionSpec) option).fallbackValue());
            }
            return false;
        }
    }
}
