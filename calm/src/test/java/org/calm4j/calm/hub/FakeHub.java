package org.calm4j.calm.hub;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;

/** A hub on this machine: small files come from it, large ones from another host to which it redirects. */
final class FakeHub implements AutoCloseable {
    static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
    private static final int LARGE = 10_000;

    final Map<String, byte[]> files = new TreeMap<>();
    final List<String> requests = Collections.synchronizedList(new ArrayList<>());
    /** Authorization headers, by host. */
    final List<String> tokens = Collections.synchronizedList(new ArrayList<>());
    /** A content is cut after so many bytes; 0 for never. */
    int cutAfter;
    /** The first contents stop after a part, with the connection open. */
    int stalls;
    /** What a proxy wants to hear first; null for nothing. */
    String proxyAuthorization;
    /** The first requests for contents are answered with 503. */
    int failures;

    boolean ignoresRanges;
    boolean damages;
    int status;
    String errorCode;
    String token;
    private final CountDownLatch closing = new CountDownLatch(1);
    private final HttpServer server;

    FakeHub() throws IOException {
        server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", this::answer);
        server.start();
    }

    String endpoint() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String path = exchange.getRequestURI().getPath();
            String authorization = exchange.getRequestHeaders().getFirst("Authorization");
            if (proxyAuthorization != null
                    && !proxyAuthorization.equals(exchange.getRequestHeaders().getFirst("Proxy-Authorization"))) {
                exchange.getResponseHeaders().set("Proxy-Authenticate", "Basic realm=\"proxy\"");
                exchange.sendResponseHeaders(407, -1);
                return;
            }
            requests.add(exchange.getRequestMethod() + " " + path + range(exchange));
            tokens.add(exchange.getRequestHeaders().getFirst("Host").split(":")[0] + " " + authorization);
            if (errorCode != null) {
                exchange.getResponseHeaders().set("X-Error-Code", errorCode);
            }
            boolean storage = path.startsWith("/storage/");
            if (status != 0) {
                exchange.sendResponseHeaders(status, -1);
            } else if (token != null && !storage && !("Bearer " + token).equals(authorization)) {
                exchange.sendResponseHeaders(401, -1);
            } else if (path.matches("/api/(models|datasets)/org/name/revision/(main|v1)")) {
                byte[] json = ("{\"sha\":\"" + COMMIT + "\",\"siblings\":["
                                + files.keySet().stream()
                                        .map(name -> "{\"rfilename\":\"" + name + "\"}")
                                        .collect(Collectors.joining(","))
                                + "]}")
                        .getBytes(StandardCharsets.UTF_8);
                exchange.sendResponseHeaders(200, json.length);
                exchange.getResponseBody().write(json);
            } else {
                file(exchange, path, storage);
            }
        }
    }

    private static String range(HttpExchange exchange) {
        String range = exchange.getRequestHeaders().getFirst("Range");
        return range == null ? "" : " " + range;
    }

    private void file(HttpExchange exchange, String path, boolean storage) throws IOException {
        String name = path.replaceFirst(storage ? "/storage/" : "(/datasets)?/org/name/resolve/" + COMMIT + "/", "");
        byte[] content = files.get(name);
        if (content == null) {
            exchange.sendResponseHeaders(404, -1);
        } else if (content.length >= LARGE && !storage) {
            exchange.getResponseHeaders().set("X-Linked-Etag", "\"" + digest("SHA-256", content, "") + "\"");
            exchange.getResponseHeaders().set("X-Linked-Size", String.valueOf(content.length));
            exchange.getResponseHeaders()
                    .set("Location", "http://localhost:" + server.getAddress().getPort() + "/storage/" + name);
            exchange.sendResponseHeaders(302, -1);
        } else if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.getResponseHeaders()
                    .set("ETag", "W/\"" + digest("SHA-1", content, "blob " + content.length + "\0") + "\"");
            exchange.getResponseHeaders().set("Content-Length", String.valueOf(content.length));
            exchange.sendResponseHeaders(200, -1);
        } else if (failures-- > 0) {
            exchange.sendResponseHeaders(503, -1);
        } else {
            content(exchange, content);
        }
    }

    private void content(HttpExchange exchange, byte[] content) throws IOException {
        byte[] sent = content.clone();
        if (damages) {
            sent[sent.length / 2] ^= 1;
        }
        String range = exchange.getRequestHeaders().getFirst("Range");
        int from = range == null || ignoresRanges ? 0 : Integer.parseInt(range.replaceAll("\\D", ""));
        if (from > 0 && from >= content.length) {
            exchange.sendResponseHeaders(416, -1);
            return;
        }
        if (from > 0) {
            exchange.getResponseHeaders()
                    .set("Content-Range", "bytes " + from + "-" + (content.length - 1) + "/" + content.length);
        }
        exchange.sendResponseHeaders(from > 0 ? 206 : 200, content.length - from);
        OutputStream out = exchange.getResponseBody();
        if (stalls > 0 && content.length - from > 50_000) {
            stalls--;
            out.write(sent, from, 50_000);
            out.flush();
            try {
                closing.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            throw new IOException("stalled");
        }
        int end = cutAfter == 0 ? content.length : Math.min(content.length, from + cutAfter);
        out.write(Arrays.copyOfRange(sent, from, end));
        if (end < content.length) {
            out.flush();
            throw new IOException("cut");
        }
    }

    static String digest(String algorithm, byte[] content, String before) {
        try {
            MessageDigest digest = MessageDigest.getInstance(algorithm);
            digest.update(before.getBytes(StandardCharsets.US_ASCII));
            return HexFormat.of().formatHex(digest.digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void close() {
        closing.countDown();
        server.stop(0);
    }
}
