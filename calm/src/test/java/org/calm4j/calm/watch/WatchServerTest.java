package org.calm4j.calm.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the page is made of, and what nobody else gets. */
class WatchServerTest {
    private static final Setting PORT = Setting.of("port");

    @TempDir
    private Path folder;

    private WatchServer server;

    @AfterEach
    void close() {
        if (server != null) {
            server.close();
        }
    }

    private WatchServer serve() {
        server = WatchServer.of(List.of(folder), 0, PORT);
        return server;
    }

    private static HttpResponse<String> get(String address) throws IOException, InterruptedException {
        return HttpClient.newHttpClient()
                .send(
                        HttpRequest.newBuilder(URI.create(address)).build(),
                        HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
    }

    /** The status of a request as it is written here. */
    private int raw(String line, String host) throws IOException {
        try (Socket socket =
                new Socket("127.0.0.1", URI.create(server.address()).getPort())) {
            OutputStream out = socket.getOutputStream();
            out.write((line + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
                    .getBytes(StandardCharsets.US_ASCII));
            String status = new BufferedReader(
                            new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII))
                    .readLine();
            return Integer.parseInt(status.split(" ")[1]);
        }
    }

    @Test
    void onlyWhoHasTheTokenReadsAndNobodyWrites() throws Exception {
        serve();
        String page = URI.create(server.address()).getPath();
        assertThat(get(server.address()).statusCode()).isEqualTo(200);
        assertThat(raw("GET " + page, "localhost:1234")).isEqualTo(200);
        assertThat(raw("GET / ", "127.0.0.1")).isEqualTo(403);
        assertThat(raw("GET /" + "x".repeat(page.length() - 2) + "/", "127.0.0.1"))
                .isEqualTo(403);
        assertThat(raw("GET " + page, "rebound.example"))
                .as("another site's name")
                .isEqualTo(403);
        assertThat(raw("POST " + page, "127.0.0.1")).isEqualTo(405);
        assertThat(WatchServer.of(List.of(folder), 0, PORT).address()).doesNotContain(page);
    }

    @Test
    void onlyFilesThatItFoundAreServed() throws Exception {
        Path secret = Files.writeString(folder.resolve("secret.txt"), "secret");
        Files.writeString(folder.resolve("samples.jsonl"), "{\"id\":1,\"language\":\"en\"}\n");
        Files.createSymbolicLink(folder.resolve("pairs.jsonl"), secret);
        Files.createDirectories(folder.resolve("elsewhere"));
        Files.writeString(folder.resolve("elsewhere/votes.jsonl"), "{\"id\":1,\"tie\":true}\n");
        Path watched = Files.createDirectories(folder.resolve("watched"));
        Files.createSymbolicLink(watched.resolve("link"), folder.resolve("elsewhere"));
        serve();
        get(server.address());
        events(server.address(), 1);
        String address = server.address();
        assertThat(get(address + "lines?file=samples.jsonl").body()).contains("\"en\"");
        for (String name : List.of(
                "pairs.jsonl",
                "secret.txt",
                "../" + folder.getFileName() + "/samples.jsonl",
                "%2e%2e%2fsecret.txt",
                "watched/link/votes.jsonl",
                folder.resolve("samples.jsonl").toString())) {
            assertThat(get(address + "lines?file=" + name).statusCode())
                    .as(name)
                    .isEqualTo(404);
        }
        assertThat(get(address + "report?file=samples.jsonl").statusCode()).isEqualTo(404);
        assertThat(raw("GET " + URI.create(address).getPath() + "../../etc/passwd", "127.0.0.1"))
                .isIn(403, 404);
    }

    @Test
    void aReportHasNoOriginAndThePageNoScriptButItsOwn() throws Exception {
        Files.writeString(folder.resolve("report.html"), "<p>report</p>");
        serve();
        events(server.address(), 1);
        HttpResponse<String> report = get(server.address() + "report?file=report.html");
        assertThat(report.body()).isEqualTo("<p>report</p>");
        assertThat(report.headers().firstValue("Content-Security-Policy").orElseThrow())
                .startsWith("sandbox")
                .doesNotContain("allow-same-origin")
                .contains("default-src 'none'");
        HttpResponse<String> page = get(server.address());
        assertThat(page.headers().firstValue("Content-Security-Policy").orElseThrow())
                .contains("default-src 'none'; script-src 'self';");
        assertThat(page.headers().firstValue("Referrer-Policy")).contains("no-referrer");
    }

    /** The events until some have come. */
    private static List<String> events(String address, int count) throws IOException, InterruptedException {
        List<String> events = new ArrayList<>();
        HttpResponse<java.util.stream.Stream<String>> response = HttpClient.newHttpClient()
                .send(
                        HttpRequest.newBuilder(URI.create(address + "events")).build(),
                        HttpResponse.BodyHandlers.ofLines());
        try (var lines = response.body()) {
            for (String line : (Iterable<String>) lines::iterator) {
                if (line.startsWith("data: ")) {
                    events.add(line.substring(6));
                    if (events.size() == count) {
                        break;
                    }
                }
            }
        }
        return events;
    }

    @Test
    void tellsStagesRunsAndProgress() throws Exception {
        Files.createDirectories(folder.resolve(".stages"));
        Files.writeString(folder.resolve(".stages/.order.json"), "[\"sample\",\"dpo\",\"../../x\",\"report\"]");
        Files.writeString(folder.resolve(".stages/sample.json"), "{\"done\":true}");
        Files.writeString(folder.resolve(".stages/dpo.json"), "{\"done\":false}");
        Files.writeString(folder.resolve("timings.json"), "{\"sample\":1.5}");
        Path run = Files.createDirectories(folder.resolve("calm"));
        Files.writeString(run.resolve("train_config.json"), "{\"command\":\"dpo\",\"steps\":7}");
        Files.write(run.resolve("metrics.jsonl"), List.of("{\"step\":1,\"loss\":0.5}", "not a row"));
        serve();
        Progress progress = server.progress(Progress.NONE);
        progress.start("dpo", 7);
        progress.at(2, "loss 0.5");
        List<String> events = events(server.address(), 3);
        JsonNode state = Json.mapper().readTree(events.get(0));
        assertThat(state.at("/experiments/0/stages").toString())
                .startsWith(
                        "[{\"name\":\"sample\",\"state\":\"done\",\"seconds\":1.5},{\"name\":\"dpo\",\"state\":\"begun\",\"begun\":")
                .endsWith("{\"name\":\"report\",\"state\":\"waits\"}]");
        assertThat(state.path("runs").toString())
                .isEqualTo("[{\"name\":\"calm/metrics.jsonl\",\"command\":\"dpo\",\"steps\":7}]");
        assertThat(events.get(1))
                .isEqualTo("{\"task\":{\"name\":\"dpo\",\"total\":7,\"done\":2,\"note\":\"loss 0.5\"}}");
        assertThat(events.get(2))
                .isEqualTo("{\"run\":\"calm/metrics.jsonl\",\"anew\":true,\"rows\":[{\"step\":1,\"loss\":0.5}]}");
    }

    @Test
    void aLongCurveComesThinned() throws Exception {
        Files.write(
                folder.resolve("metrics.jsonl"),
                IntStream.rangeClosed(1, 100_000)
                        .mapToObj(step -> "{\"step\":" + step + ",\"loss\":1}")
                        .toList());
        serve();
        JsonNode rows =
                Json.mapper().readTree(events(server.address(), 3).get(2)).path("rows");
        assertThat(rows.size()).isBetween(1000, 2001);
        assertThat(rows.get(0).path("step").asInt()).isEqualTo(1);
        int stride = rows.get(1).path("step").asInt() - 1;
        assertThat(IntStream.range(0, rows.size())
                        .mapToObj(i -> rows.get(i).path("step").asInt()))
                .isEqualTo(IntStream.range(0, rows.size())
                        .mapToObj(i -> 1 + i * stride)
                        .toList());
    }

    @Test
    void aTailIsReadOnceAndAnotherFileFromItsBeginning() throws Exception {
        Path file = folder.resolve("metrics.jsonl");
        Tail tail = new Tail(file);
        assertThat(tail.next().lines()).isEmpty();
        Files.writeString(file, "one\ntwo\nthr");
        assertThat(tail.next()).isEqualTo(new Tail.Lines(true, List.of("one", "two"), true));
        assertThat(tail.next().lines()).isEmpty();
        Files.writeString(file, "ee\n", StandardOpenOption.APPEND);
        assertThat(tail.next().lines()).containsExactly("three");
        Path other = Files.writeString(folder.resolve("other"), "four\n");
        Files.move(other, file, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        assertThat(tail.next()).isEqualTo(new Tail.Lines(true, List.of("four"), false));
        Files.writeString(file, "x".repeat(3 << 20) + "\nfive\n", StandardOpenOption.APPEND);
        List<String> lines = new ArrayList<>();
        Tail.Lines next;
        do {
            next = tail.next();
            lines.addAll(next.lines());
        } while (next.more());
        assertThat(lines).endsWith("five");
        assertThat(lines.stream().mapToInt(String::length).max().orElseThrow()).isLessThanOrEqualTo(1 << 20);
    }

    @Test
    void pagesHaveAllMatchingLinesOnceTheNewestFirst() throws Exception {
        Random random = new Random(1);
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 3000; i++) {
            lines.add("{\"id\":" + i + ",\"language\":\""
                    + List.of("en", "ja", "fr").get(i % 3) + "\",\"text\":\"" + "Wörter ".repeat(random.nextInt(100))
                    + (i % 7 == 0 ? "Ziel" : "") + "\"}");
        }
        Path file = folder.resolve("samples.jsonl");
        Files.write(file, lines);
        Files.writeString(file, "{\"id\":3000,\"half", StandardOpenOption.APPEND);
        for (String[] query : new String[][] {{"", ""}, {"ziel", ""}, {"", "ja"}, {"ZIEL", "fr"}, {"nothing", ""}}) {
            List<Integer> expected = new ArrayList<>(IntStream.range(0, 3000)
                    .filter(i -> query[0].isEmpty() || query[0].equalsIgnoreCase("ziel") && i % 7 == 0)
                    .filter(i -> query[1].isEmpty()
                            || List.of("en", "ja", "fr").get(i % 3).equals(query[1]))
                    .boxed()
                    .toList());
            Collections.reverse(expected);
            List<Integer> found = new ArrayList<>();
            long before = -1;
            do {
                LinePage page = LinePage.of(file, query[0], query[1], before);
                assertThat(page.lines().size()).isLessThanOrEqualTo(40);
                assertThat(page.languages()).containsExactly("en", "fr", "ja");
                page.lines().forEach(line -> found.add(line.path("id").asInt()));
                before = page.before();
            } while (before > 0);
            assertThat(found).as("%s %s", query[0], query[1]).isEqualTo(expected);
        }
    }

    @Test
    void aLineLongerThanALookDoesNotEndThePages() throws Exception {
        Path file = folder.resolve("pairs.jsonl");
        Files.writeString(file, "{\"id\":1,\"x\":1}\n" + "y".repeat(40 << 20) + "\n{\"id\":2,\"x\":1}\n");
        List<Integer> found = new ArrayList<>();
        long before = -1;
        int looks = 0;
        do {
            LinePage page = LinePage.of(file, "", "", before);
            page.lines().forEach(line -> found.add(line.path("id").asInt()));
            before = page.before();
        } while (before > 0 && ++looks < 20);
        assertThat(found).containsExactly(2, 1);
    }

    @Test
    void whatCannotBeWatchedIsSaid() throws Exception {
        Path file = Files.writeString(folder.resolve("file"), "");
        assertThatThrownBy(() -> WatchServer.of(List.of(file), 0, PORT))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("is not a folder");
        assertThatThrownBy(() -> WatchServer.of(List.of(folder.resolve("none")), 0, PORT))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("no such folder");
        serve();
        int port = URI.create(server.address()).getPort();
        assertThatThrownBy(() -> WatchServer.of(List.of(folder), port, PORT))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("port " + port + " is in use");
    }
}
