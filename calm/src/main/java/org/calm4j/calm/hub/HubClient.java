package org.calm4j.calm.hub;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.UnresolvedAddressException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;

/** Talks to a hub. Redirects are followed by hand, so that the token is never sent to another host. */
final class HubClient implements AutoCloseable {
    private static final int MOST_REDIRECTS = 5;
    private static final int LARGEST_ANSWER = 64 << 20;
    private static final int UNAUTHORIZED = 401;
    private static final int FORBIDDEN = 403;
    private static final int NOT_FOUND = 404;
    private static final int LAST_PORT = 65535;
    static final int RANGE_NOT_SATISFIABLE = 416;

    /** The hub cannot be reached at all. */
    static final class Unreachable extends IOException {
        private static final long serialVersionUID = 1;

        Unreachable(URI uri, Exception cause) {
            super(
                    "cannot reach " + uri.getScheme() + "://" + uri.getAuthority() + " ("
                            + (cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage())
                            + ")",
                    cause);
        }
    }

    private final HubSettings settings;
    private final HttpClient http;

    HubClient(HubSettings settings) {
        this.settings = settings;
        HttpClient.Builder builder = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .followRedirects(HttpClient.Redirect.NEVER)
                .connectTimeout(Duration.ofSeconds(20))
                .proxy(settings.proxies());
        if (settings.proxies() instanceof Proxies proxies && proxies.authenticator() != null) {
            // Otherwise Java refuses to send a proxy a password for https.
            System.setProperty("jdk.http.auth.tunneling.disabledSchemes", "");
            builder.authenticator(proxies.authenticator());
        }
        http = builder.build();
    }

    /** How long a connection may stay silent. */
    Duration patience() {
        return settings.patience();
    }

    /** A revision: its commit and the names of its files. */
    record Revision(String commit, List<String> files) {}

    Revision revision(RepoId repo) throws IOException {
        URI uri = URI.create(settings.endpoint() + repo.apiPath());
        HttpResponse<InputStream> response = send(uri, "GET", 0, true);
        JsonNode json;
        try (InputStream body = response.body();
                Patience patience = new Patience(body, settings.patience())) {
            check(response, repo, null);
            byte[] bytes = body.readNBytes(LARGEST_ANSWER + 1);
            json = bytes.length > LARGEST_ANSWER || patience.isLost()
                    ? null
                    : Json.mapper().readTree(bytes);
        } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
            throw CalmException.failed(uri + ": the answer is not JSON; is HF_ENDPOINT a hub?", e);
        }
        String commit = json == null ? "" : json.path("sha").asText();
        if (!commit.matches("[0-9a-f]{7,64}") || !json.path("siblings").isArray()) {
            throw CalmException.failed(uri + ": the answer has no commit and no files; is HF_ENDPOINT a hub?", null);
        }
        List<String> files = new ArrayList<>();
        json.path("siblings").forEach(file -> files.add(file.path("rfilename").asText()));
        return new Revision(commit, files);
    }

    RemoteFile describe(RepoId repo, String commit, String name) throws IOException {
        URI uri = URI.create(settings.endpoint() + repo.resolvePath(commit, name));
        HttpResponse<InputStream> response = send(uri, "HEAD", 0, false);
        response.body().close();
        check(response, repo, name);
        Optional<String> linked = response.headers().firstValue("X-Linked-Etag");
        String etag = linked.or(() -> response.headers().firstValue("ETag"))
                .orElse("")
                .replaceFirst("^W/", "")
                .replace("\"", "");
        // It becomes a file's name.
        if (!etag.matches("[\\w-][\\w.-]{0,127}")) {
            throw CalmException.failed(uri + ": the hub gives no etag for the file, or an impossible one", null);
        }
        String size = response.headers()
                .firstValue(linked.isPresent() ? "X-Linked-Size" : "Content-Length")
                .orElse("-1");
        return new RemoteFile(name, etag, size.matches("\\d{1,18}") ? Long.parseLong(size) : -1, uri);
    }

    /** A file's bytes from an offset on; status 200 is the whole file, 206 the rest, 416 means that nothing is left. */
    HttpResponse<InputStream> open(RepoId repo, RemoteFile file, long from) throws IOException {
        HttpResponse<InputStream> response = send(file.uri(), "GET", from, true);
        if (response.statusCode() != RANGE_NOT_SATISFIABLE) {
            try {
                check(response, repo, file.name());
            } catch (CalmException | IOException e) {
                response.body().close();
                throw e;
            }
        }
        return response;
    }

    /** @param elsewhere whether redirects to other hosts are followed; the description of a large file is in the redirect itself */
    private HttpResponse<InputStream> send(URI first, String method, long from, boolean elsewhere) throws IOException {
        URI uri = first;
        for (int i = 0; i <= MOST_REDIRECTS; i++) {
            HttpRequest.Builder request = HttpRequest.newBuilder(uri)
                    .method(method, HttpRequest.BodyPublishers.noBody())
                    .timeout(settings.patience())
                    .header("User-Agent", "calm4j")
                    .header("Accept-Encoding", "identity");
            if (settings.token() != null && settings.isHub(uri)) {
                request.header("Authorization", "Bearer " + settings.token());
            }
            if (from > 0) {
                request.header("Range", "bytes=" + from + "-");
            }
            HttpResponse<InputStream> response = exchange(request.build());
            String location = response.headers().firstValue("Location").orElse(null);
            if (response.statusCode() / 100 != 3 || location == null) {
                return response;
            }
            URI next = target(uri, location);
            if (!elsewhere && !settings.isHub(next)) {
                return response;
            }
            response.body().close();
            uri = next;
        }
        throw CalmException.failed(first + ": more than " + MOST_REDIRECTS + " redirects", null);
    }

    private static URI target(URI from, String location) {
        URI next;
        try {
            next = from.resolve(location);
        } catch (IllegalArgumentException e) {
            throw CalmException.failed(from + ": a redirect without a valid address", e);
        }
        boolean secure = "https".equalsIgnoreCase(next.getScheme());
        boolean downgrade = !secure && "https".equalsIgnoreCase(from.getScheme());
        if (next.getPort() == 0 || next.getPort() > LAST_PORT) {
            throw CalmException.failed(
                    from + ": a redirect to port " + next.getPort() + ", which does not exist", null);
        }
        if (next.getHost() == null || downgrade || !secure && !"http".equalsIgnoreCase(next.getScheme())) {
            throw CalmException.failed(
                    from + ": a redirect to " + next.getScheme() + "://" + next.getHost() + ", which is not followed",
                    null);
        }
        return next;
    }

    private HttpResponse<InputStream> exchange(HttpRequest request) throws IOException {
        try {
            return http.send(request, HttpResponse.BodyHandlers.ofInputStream());
        } catch (ConnectException | HttpConnectTimeoutException | UnresolvedAddressException e) {
            throw new Unreachable(request.uri(), e);
        } catch (IllegalArgumentException | UncheckedIOException e) {
            // Such as an impossible port.
            throw CalmException.failed(
                    request.uri().getScheme() + "://" + request.uri().getAuthority()
                            + ": is not a usable address; look at " + "HF_ENDPOINT and at the proxy",
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UncheckedIOException(new IOException("interrupted", e));
        }
    }

    /** Throws a {@link CalmException} where asking again cannot help, and an {@link IOException} where it can. */
    private void check(HttpResponse<?> response, RepoId repo, String file) throws IOException {
        int status = response.statusCode();
        String what = file == null ? repo.toString() : repo + " " + file;
        String code = response.headers().firstValue("X-Error-Code").orElse("");
        String login =
                settings.token() == null ? "set HF_TOKEN to a token that may read it" : "HF_TOKEN may not read it";
        if (status == UNAUTHORIZED) {
            throw CalmException.badInput(what, "the hub answers 401: no such repository, or it is private; " + login);
        }
        if (status == FORBIDDEN) {
            throw CalmException.badInput(
                    what,
                    "the hub answers 403: access is restricted"
                            + (code.equals("GatedRepo") ? "; ask for it on the page of the repository" : "") + "; "
                            + login);
        }
        if (status == NOT_FOUND) {
            String missing = "the hub answers 404: no such ";
            if (code.equals("RevisionNotFound")) {
                throw CalmException.badInput(what, missing + "revision");
            }
            if (code.equals("EntryNotFound") || file != null) {
                throw CalmException.badInput(what, missing + "file");
            }
            throw CalmException.badInput(
                    what, missing + "repository or revision; look at its name, and at ", Setting.of("repo_type"));
        }
        if (status / 100 == 3 && file != null) {
            return;
        }
        if (status == 429 || status / 100 == 5) {
            throw new IOException("the hub answers " + status);
        }
        if (status / 100 != 2) {
            throw CalmException.failed(what + ": the hub answers " + status, null);
        }
    }

    @Override
    public void close() {
        http.shutdownNow();
    }
}
