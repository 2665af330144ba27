package org.calm4j.calm.watch;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.calm4j.calm.report.Charts;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;

/**
 * Serves the page on loopback, to whoever has the token in the address. Only GET, only files that {@link Watched} found by itself, and
 * nothing of it is kept by the browser.
 */
public final class WatchServer implements AutoCloseable {
    private static final int TOKEN_BYTES = 16;
    private static final int MOST_CLIENTS = 16;
    private static final long LOOK_EVERY_MILLIS = 1000;
    private static final int LOOKS_BETWEEN_SIGNS = 10;
    private static final long FAREWELL_MILLIS = 1500;
    private static final int MOST_ROW_CHARS = 1 << 16;

    private static final String OWN_PAGE =
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; frame-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    // A report may be somebody else's file: it runs its own script without an origin, so that it can read nothing here.
    private static final String FOREIGN_PAGE =
            "sandbox allow-scripts allow-popups; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; form-action 'none'";

    private static final Map<String, String> PARTS =
            Map.of("", "watch.html", "watch.js", "watch.js", "watch.css", "watch.css");

    private final Watched watched;
    private final String token;
    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool(
            Thread.ofPlatform().daemon().name("watch-", 0).factory());
    private final AtomicInteger clients = new AtomicInteger();
    private final AtomicInteger reading = new AtomicInteger();
    private final Object looks = new Object();
    private volatile boolean ended;
    private volatile LiveProgress live;

    private WatchServer(Watched watched, int port, Setting setting) {
        this.watched = watched;
        byte[] random = new byte[TOKEN_BYTES];
        new SecureRandom().nextBytes(random);
        token = Base64.getUrlEncoder().withoutPadding().encodeToString(random);
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        } catch (BindException e) {
            throw CalmException.failed("port " + port + " is in use; choose another ", setting);
        } catch (IOException e) {
            throw CalmException.failed("port " + port + " cannot be listened on (" + e.getMessage() + ")", e);
        }
        server.setExecutor(threads);
        server.createContext("/", this::answer);
        server.start();
    }

    /**
     * Begins to serve.
     *
     * @param folders outputs of runs or experiments
     * @param port 0 for any that is free
     * @param setting that the port was given with
     * @throws CalmException bad input: not folders; failed: the port is in use
     */
    public static WatchServer of(List<Path> folders, int port, Setting setting) {
        return new WatchServer(Watched.existing(folders), port, setting);
    }

    /** The same for the output of a run that is about to begin. */
    public static WatchServer ofRun(Path output, int port, Setting setting) {
        return new WatchServer(new Watched(List.of(output)), port, setting);
    }

    /** The whole address of the page. */
    public String address() {
        return "http://127.0.0.1:" + server.getAddress().getPort() + "/" + token + "/";
    }

    /** What a run reports is shown from now on, and passed on. */
    public Progress progress(Progress next) {
        live = new LiveProgress(next);
        return live;
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String path = exchange.getRequestURI().getPath();
            int slash = path.indexOf('/', 1);
            if (!isHere(exchange.getRequestHeaders().getFirst("Host"))
                    || slash < 0
                    || !isToken(path.substring(1, slash))) {
                send(
                        exchange,
                        403,
                        "text/plain",
                        "The address needs its token; it stands in the terminal that started this.");
                return;
            }
            if (!exchange.getRequestMethod().equals("GET")) {
                exchange.getResponseHeaders().set("Allow", "GET");
                send(exchange, 405, "text/plain", "Only GET.");
                return;
            }
            String rest = path.substring(slash + 1);
            Map<String, String> query = query(exchange.getRequestURI().getRawQuery());
            switch (rest) {
                case "events" -> events(exchange);
                case "lines" -> lines(exchange, query);
                case "report" -> report(exchange, query);
                case "charts.js" -> send(exchange, 200, "text/javascript", Charts.script());
                case "echarts.js" -> send(exchange, 200, "text/javascript", Charts.library());
                case "report.css" -> send(exchange, 200, "text/css", Charts.style());
                default -> {
                    String part = PARTS.get(rest);
                    if (part == null) {
                        send(exchange, 404, "text/plain", "There is nothing under this address.");
                    } else {
                        send(
                                exchange,
                                200,
                                part.endsWith("js")
                                        ? "text/javascript"
                                        : part.endsWith("css") ? "text/css" : "text/html",
                                resource(part));
                    }
                }
            }
        } catch (NoSuchFileException e) {
            send(exchange, 404, "text/plain", "It is not there any more.");
        }
    }

    // Another name for this machine would be another site's, which a browser lets read what it asks for.
    private static boolean isHere(String host) {
        return host != null && host.matches("(127\\.0\\.0\\.1|localhost|\\[::1])(:\\d{1,5})?");
    }

    private boolean isToken(String given) {
        return MessageDigest.isEqual(given.getBytes(StandardCharsets.UTF_8), token.getBytes(StandardCharsets.UTF_8));
    }

    private static Map<String, String> query(String raw) {
        Map<String, String> query = new HashMap<>();
        for (String each : raw == null ? new String[0] : raw.split("&")) {
            int equals = each.indexOf('=');
            if (equals > 0) {
                try {
                    query.put(
                            each.substring(0, equals),
                            URLDecoder.decode(each.substring(equals + 1), StandardCharsets.UTF_8));
                } catch (IllegalArgumentException e) {
                    // Not a value then.
                }
            }
        }
        return query;
    }

    private static String resource(String name) throws IOException {
        try (var in = WatchServer.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static void send(HttpExchange exchange, int status, String type, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        headers(exchange, type, OWN_PAGE);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
    }

    private static void headers(HttpExchange exchange, String type, String policy) {
        Headers headers = exchange.getResponseHeaders();
        headers.set("Content-Type", type + "; charset=utf-8");
        headers.set("Content-Security-Policy", policy);
        headers.set("Cache-Control", "no-store");
        headers.set("Referrer-Policy", "no-referrer");
        headers.set("X-Content-Type-Options", "nosniff");
        headers.set("Cross-Origin-Resource-Policy", "same-origin");
    }

    private void lines(HttpExchange exchange, Map<String, String> query) throws IOException {
        Path file = watched.file(query.getOrDefault("file", ""));
        if (file == null || file.getFileName().toString().endsWith(".html")) {
            send(exchange, 404, "text/plain", "There is no such file.");
            return;
        }
        String before = query.getOrDefault("before", "-1");
        LinePage page = LinePage.of(
                file,
                query.getOrDefault("text", ""),
                query.getOrDefault("language", ""),
                before.matches("\\d{1,18}") ? Long.parseLong(before) : -1);
        send(exchange, 200, "application/json", Json.compact(page));
    }

    private void report(HttpExchange exchange, Map<String, String> query) throws IOException {
        Path file = watched.file(query.getOrDefault("file", ""));
        if (file == null || !file.getFileName().toString().endsWith(".html")) {
            send(exchange, 404, "text/plain", "There is no such report.");
            return;
        }
        reading.incrementAndGet();
        try (var in = Files.newInputStream(file, LinkOption.NOFOLLOW_LINKS)) {
            headers(exchange, "text/html", FOREIGN_PAGE);
            exchange.sendResponseHeaders(200, 0);
            in.transferTo(exchange.getResponseBody());
        } finally {
            reading.decrementAndGet();
        }
    }

    private void events(HttpExchange exchange) throws IOException {
        if (clients.incrementAndGet() > MOST_CLIENTS) {
            clients.decrementAndGet();
            send(exchange, 503, "text/plain", "Too many pages are open.");
            return;
        }
        try {
            headers(exchange, "text/event-stream", OWN_PAGE);
            exchange.sendResponseHeaders(200, 0);
            follow(exchange.getResponseBody());
        } catch (IOException e) {
            // The page was closed.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            clients.decrementAndGet();
        }
    }

    private void follow(OutputStream out) throws IOException, InterruptedException {
        Map<String, Rows> rows = new HashMap<>();
        String last = "";
        String lastTask = "";
        int silent = 0;
        while (true) {
            boolean end = ended;
            boolean said = false;
            Watched.State state = watched.look();
            String now = Json.compact(state);
            if (!now.equals(last)) {
                event(out, "state", now);
                last = now;
                said = true;
            }
            String task = Json.compact(Map.of("task", live == null || live.task() == null ? Map.of() : live.task()));
            if (!task.equals(lastTask)) {
                event(out, "task", task);
                lastTask = task;
                said = true;
            }
            for (Watched.Run run : state.runs()) {
                Path file = watched.file(run.name());
                if (file != null) {
                    said |= rows.computeIfAbsent(run.name(), name -> new Rows(file))
                            .send(run.name(), out);
                }
            }
            rows.keySet().removeIf(name -> watched.file(name) == null);
            if (end) {
                event(out, "end", "{}");
                return;
            }
            silent = said ? 0 : silent + 1;
            if (silent == LOOKS_BETWEEN_SIGNS) {
                // A comment: who is gone shows by it.
                out.write(":\n\n".getBytes(StandardCharsets.UTF_8));
                silent = 0;
            }
            out.flush();
            synchronized (looks) {
                if (!ended) {
                    looks.wait(LOOK_EVERY_MILLIS);
                }
            }
        }
    }

    private static void event(OutputStream out, String name, String json) throws IOException {
        out.write(("event: " + name + "\ndata: " + json + "\n\n").getBytes(StandardCharsets.UTF_8));
        out.flush();
    }

    /** The lines of one run's metrics on their way to one page. */
    private static final class Rows {
        private static final int MOST_AT_FIRST = 2000;

        private final Tail tail;

        Rows(Path file) {
            tail = new Tail(file);
        }

        boolean send(String run, OutputStream out) throws IOException {
            ArrayNode rows = Json.mapper().createArrayNode();
            boolean anew = false;
            // Of a long file every second row is dropped, and again, so that its curve keeps its shape.
            int stride = 1;
            int seen = 0;
            Tail.Lines lines;
            do {
                lines = tail.next();
                if (lines.anew()) {
                    anew = true;
                    rows.removeAll();
                    stride = 1;
                    seen = 0;
                }
                for (String line : lines.lines()) {
                    if (line.length() <= MOST_ROW_CHARS && seen++ % stride == 0) {
                        add(rows, line);
                    }
                    if (rows.size() > MOST_AT_FIRST) {
                        ArrayNode kept = Json.mapper().createArrayNode();
                        for (int i = 0; i < rows.size(); i += 2) {
                            kept.add(rows.get(i));
                        }
                        rows = kept;
                        stride *= 2;
                    }
                }
            } while (lines.more());
            if (rows.isEmpty() && !anew) {
                return false;
            }
            ObjectNode event = Json.mapper().createObjectNode();
            event.put("run", run);
            event.put("anew", anew);
            event.set("rows", rows);
            event(out, "rows", Json.compact(event));
            return true;
        }

        private static void add(ArrayNode rows, String line) {
            try {
                if (Json.mapper().readTree(line) instanceof ObjectNode row) {
                    rows.add(row);
                }
            } catch (JsonProcessingException e) {
                // Not a row.
            }
        }
    }

    /** Tells the pages that the run has ended, and lets them fetch its report. */
    @Override
    public void close() {
        boolean seen = clients.get() > 0;
        synchronized (looks) {
            ended = true;
            looks.notifyAll();
        }
        long until = System.nanoTime() + FAREWELL_MILLIS * 1_000_000;
        try {
            while (seen && System.nanoTime() < until) {
                Thread.sleep(50);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        server.stop(0);
        threads.shutdownNow();
    }
}
