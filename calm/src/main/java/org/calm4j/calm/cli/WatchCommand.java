package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.calm4j.calm.watch.WatchServer;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code calm watch}. */
@Command(
        name = "watch",
        sortOptions = false,
        description = {
            "Serves a live page of running or finished trainings and experiments on loopback, until it is stopped (Ctrl-C).",
            "Curves, stages, samples, votes and pairs, what the model says, and the report; several folders are drawn over each other. "
                    + "Nothing is written. From another machine: ssh -L PORT:127.0.0.1:PORT HOST, with --port PORT there."
        },
        footer = {"", "Example: calm watch calm-demo", "Example: calm watch run-1 run-2 --port 7007"})
final class WatchCommand extends CalmCommand {
    private static final Setting PORT = Setting.of("port");
    private static final int MOST_PORTS = 65535;

    @Parameters(
            paramLabel = "DIR",
            arity = "0..*",
            description = "Output folders of trainings or experiments (default: calm-demo).")
    private List<Path> folders = List.of();

    @Option(names = "--port", paramLabel = "N", defaultValue = "0", description = "Port (default: any that is free).")
    private int port;

    static void checkPort(int port, Setting setting) {
        setting.check(port >= 0 && port <= MOST_PORTS, "must be at most " + MOST_PORTS);
    }

    @Override
    void run() {
        checkPort(port, PORT);
        List<Path> all = folders.isEmpty() ? List.of(Path.of("calm-demo")) : folders;
        try (WatchServer server = WatchServer.of(all, port, PORT)) {
            result(Map.of("url", server.address()), server.address());
            new CountDownLatch(1).await();
        } catch (InterruptedException e) {
            throw CalmException.failed("interrupted", e);
        }
    }
}
