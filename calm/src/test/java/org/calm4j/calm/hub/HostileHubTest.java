package org.calm4j.calm.hub;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProxySelector;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.calm4j.engine.fuzz.Fuzz;
import org.calm4j.engine.fuzz.Mutator.Kind;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Answers of a hub that are broken in many ways. */
final class HostileHubTest {
    private static final int FEW = Fuzz.files(60);
    private static final RepoId REPO = new RepoId(RepoId.Type.MODEL, "org/name", "main");

    @TempDir
    private Path folder;

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private HttpServer server;
    private Path answer;

    @BeforeEach
    void start() throws IOException {
        answer = folder.resolve("answer.json");
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(threads);
        server.createContext("/", exchange -> {
            try (exchange) {
                exchange.getRequestBody().readAllBytes();
                boolean head = exchange.getRequestMethod().equals("HEAD");
                boolean file = exchange.getRequestURI().getPath().contains("/resolve/");
                byte[] body = file
                        ? "x".getBytes(StandardCharsets.UTF_8)
                        : Files.isRegularFile(answer) ? Files.readAllBytes(answer) : new byte[0];
                exchange.getResponseHeaders().set("ETag", "\"c1b0730e01334f4c10d9f7d6a0b5b5c9b0d1a1a5\"");
                exchange.sendResponseHeaders(200, head || body.length == 0 ? -1 : body.length);
                if (!head) {
                    exchange.getResponseBody().write(body);
                }
            }
        });
        server.start();
    }

    @AfterEach
    void stop() {
        server.stop(0);
        threads.shutdownNow();
    }

    private URI endpoint() {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
    }

    @Test
    void answersOfAHub() throws Exception {
        Files.writeString(
                answer,
                "{\"sha\":\"0123456789abcdef0123456789abcdef01234567\","
                        + "\"siblings\":[{\"rfilename\":\"a.txt\"},{\"rfilename\":\"b/c.txt\"}]}");
        try (HubClient client = new HubClient(settings())) {
            new Fuzz("answers of a hub", answer, Kind.JSON, Fuzz.ofService(() -> {
                        HubClient.Revision revision = client.revision(REPO);
                        for (String name : revision.files()) {
                            Path below = Download.below(folder, name);
                            assertThat(below.startsWith(folder)).isTrue();
                            if (name.length() < 1000) {
                                client.describe(REPO, revision.commit(), name);
                            }
                        }
                    }))
                    .run(FEW);
        }
    }

    private HubSettings settings() {
        return new HubSettings(
                endpoint(), null, folder.resolve("cache"), false, ProxySelector.getDefault(), Duration.ofSeconds(5));
    }
}
