package org.calm4j.calm.watch;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.calm4j.engine.io.Json;

/** A headless Chromium with one page, driven over its debugging protocol. */
final class Browser implements AutoCloseable {
    private static final long SECONDS = 60;

    private final Process process;
    private final WebSocket socket;
    private final AtomicInteger numbers = new AtomicInteger();
    private final Map<Integer, CompletableFuture<JsonNode>> answers = new ConcurrentHashMap<>();
    /** Errors of scripts and of the console, and requests that a policy refused. */
    final List<String> errors = new CopyOnWriteArrayList<>();

    private Browser(Process process, URI page) {
        this.process = process;
        socket = HttpClient.newHttpClient()
                .newWebSocketBuilder()
                .buildAsync(page, new Listener())
                .join();
        call("Page.enable", Map.of());
        call("Runtime.enable", Map.of());
        call("Log.enable", Map.of());
    }

    /** The program; null where there is none. */
    static String program() {
        return Stream.of("chromium", "chromium-browser", "google-chrome")
                .flatMap(name -> Stream.of(System.getenv("PATH").split(File.pathSeparator))
                        .map(each -> Path.of(each, name)))
                .filter(Files::isExecutable)
                .map(Path::toString)
                .findFirst()
                .orElse(null);
    }

    /** @param folder for its profile */
    static Browser open(Path folder, int width, int height) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(
                        program(),
                        "--headless=new",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--remote-debugging-port=0",
                        "--user-data-dir=" + folder.resolve("profile"),
                        "--window-size=" + width + "," + height,
                        "about:blank")
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("browser.log").toFile())
                .start();
        Path told = folder.resolve("profile/DevToolsActivePort");
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (!(Files.exists(told) && Files.readAllLines(told).size() == 2)) {
            assertThat(System.nanoTime()).as("the browser starts").isLessThan(until);
            Thread.sleep(50);
        }
        String list = HttpClient.newHttpClient()
                .send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:"
                                        + Files.readAllLines(told).getFirst() + "/json/list"))
                                .build(),
                        HttpResponse.BodyHandlers.ofString())
                .body();
        for (JsonNode target : Json.mapper().readTree(list)) {
            if (target.path("type").asText().equals("page")) {
                return new Browser(
                        process, URI.create(target.path("webSocketDebuggerUrl").asText()));
            }
        }
        throw new IllegalStateException("no page in " + list);
    }

    private final class Listener implements WebSocket.Listener {
        private final StringBuilder text = new StringBuilder();

        @Override
        public CompletionStage<?> onText(WebSocket from, CharSequence part, boolean last) {
            text.append(part);
            if (last) {
                receive(text.toString());
                text.setLength(0);
            }
            from.request(1);
            return null;
        }
    }

    private void receive(String message) {
        try {
            JsonNode node = Json.mapper().readTree(message);
            if (node.has("id")) {
                answers.remove(node.path("id").asInt()).complete(node);
                return;
            }
            JsonNode told = node.path("params");
            switch (node.path("method").asText()) {
                case "Runtime.exceptionThrown" ->
                    errors.add(told.path("exceptionDetails").toString());
                case "Runtime.consoleAPICalled" -> {
                    if (told.path("type").asText().matches("error|warning")) {
                        errors.add(told.path("args").toString());
                    }
                }
                case "Log.entryAdded" -> {
                    if (told.path("entry").path("level").asText().equals("error")) {
                        errors.add(told.path("entry").path("text").asText());
                    }
                }
                default -> {}
            }
        } catch (IOException e) {
            errors.add(message);
        }
    }

    private JsonNode call(String method, Map<String, ?> parameters) {
        int number = numbers.incrementAndGet();
        ObjectNode message = Json.mapper().createObjectNode().put("id", number).put("method", method);
        message.set("params", Json.mapper().valueToTree(parameters));
        CompletableFuture<JsonNode> answer = new CompletableFuture<>();
        answers.put(number, answer);
        socket.sendText(message.toString(), true).join();
        JsonNode node = answer.orTimeout(SECONDS, TimeUnit.SECONDS).join();
        assertThat(node.has("error")).as("%s: %s", method, node).isFalse();
        return node.path("result");
    }

    void go(String address) {
        call("Page.navigate", Map.of("url", address));
    }

    void size(int width, int height) {
        call(
                "Emulation.setDeviceMetricsOverride",
                Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", width < 600));
    }

    void dark(boolean dark) {
        call(
                "Emulation.setEmulatedMedia",
                Map.of("features", List.of(Map.of("name", "prefers-color-scheme", "value", dark ? "dark" : "light"))));
    }

    /** Types a key such as Tab or Enter. */
    void key(String key) {
        Map<String, Integer> codes = Map.of("Tab", 9, "Enter", 13, " ", 32, "ArrowLeft", 37, "ArrowRight", 39);
        for (String type : List.of("rawKeyDown", "keyUp")) {
            call("Input.dispatchKeyEvent", Map.of("type", type, "key", key, "windowsVirtualKeyCode", codes.get(key)));
        }
    }

    /** What a script's expression evaluates to. */
    JsonNode js(String expression) {
        return call("Runtime.evaluate", Map.of("expression", expression, "returnByValue", true, "awaitPromise", true))
                .path("result")
                .path("value");
    }

    /** Waits until an expression is true. */
    void until(String expression) throws InterruptedException {
        long until = System.nanoTime() + Duration.ofSeconds(SECONDS).toNanos();
        while (!js(expression).asBoolean()) {
            assertThat(System.nanoTime())
                    .as("%s; errors %s", expression, errors)
                    .isLessThan(until);
            Thread.sleep(50);
        }
    }

    /** A picture of the page from its top. */
    void picture(Path file, int width, int height) throws IOException {
        String data = call(
                        "Page.captureScreenshot",
                        Map.of(
                                "format",
                                "png",
                                "captureBeyondViewport",
                                true,
                                "clip",
                                Map.of("x", 0, "y", 0, "width", width, "height", height, "scale", 1)))
                .path("data")
                .asText();
        Files.write(file, Base64.getDecoder().decode(data));
    }

    @Override
    public void close() {
        socket.abort();
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly().onExit().join();
    }
}
