package org.calm4j.calm.hub;

import java.io.IOException;
import java.net.ProxySelector;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.calm4j.engine.CalmException;

/**
 * Where the hub and its cache are, from the variables that huggingface_hub reads; {@code ~} and {@code $NAME} in paths are
 * expanded.
 *
 * @param endpoint {@code HF_ENDPOINT}
 * @param token {@code HF_TOKEN}, or the content of the token file that a login wrote; null without one
 * @param cache {@code HF_HUB_CACHE}, or {@code hub} below {@code HF_HOME}
 * @param offline {@code HF_HUB_OFFLINE}: only what is in the cache
 * @param proxies {@code HTTPS_PROXY} and its like
 * @param patience how long a connection may bring nothing before another one is tried
 */
public record HubSettings(
        URI endpoint, String token, Path cache, boolean offline, ProxySelector proxies, Duration patience) {
    private static final Duration PATIENCE = Duration.ofMinutes(1);
    private static final String ENDPOINT = "https://huggingface.co";

    /** @throws CalmException wrong usage: a variable has an invalid value */
    public static HubSettings of(Map<String, String> environment) {
        String endpoint = get(environment, "HF_ENDPOINT", ENDPOINT).replaceAll("/+$", "");
        if (!endpoint.matches("https?://[^\\s/?#@]+(/[^\\s?#]*)?")) {
            throw CalmException.usage("HF_ENDPOINT is '" + endpoint + "'; expected https://HOST");
        }
        Path caches = Path.of(get(
                environment,
                "XDG_CACHE_HOME",
                Path.of(System.getProperty("user.home"), ".cache").toString()));
        Path home = path(
                environment,
                get(environment, "HF_HOME", caches.resolve("huggingface").toString()));
        Path cache = path(
                environment,
                get(
                        environment,
                        "HF_HUB_CACHE",
                        get(
                                environment,
                                "HUGGINGFACE_HUB_CACHE",
                                home.resolve("hub").toString())));
        boolean offline = get(environment, "HF_HUB_OFFLINE", "0").matches("(?i)1|on|yes|true");
        return new HubSettings(
                URI.create(endpoint), token(environment, home), cache, offline, Proxies.of(environment), PATIENCE);
    }

    /** The same with another cache. */
    public HubSettings withCache(Path other) {
        return new HubSettings(endpoint, token, other, offline, proxies, patience);
    }

    private static String token(Map<String, String> environment, Path home) {
        String token = get(environment, "HF_TOKEN", "");
        Path file = path(
                environment,
                get(environment, "HF_TOKEN_PATH", home.resolve("token").toString()));
        if (token.isEmpty() && Files.isReadable(file)) {
            try {
                token = Files.readString(file);
            } catch (IOException e) {
                throw CalmException.unreadable(file, e);
            }
        }
        if (!token.strip().matches("[!-~]*")) {
            throw CalmException.usage("HF_TOKEN has characters that are not allowed in a token");
        }
        return token.isBlank() ? null : token.strip();
    }

    private static Path path(Map<String, String> environment, String written) {
        return Path.of(Tilde.expand(written, environment));
    }

    private static String get(Map<String, String> environment, String name, String otherwise) {
        String value = environment.get(name);
        return value == null || value.isBlank() ? otherwise : value.strip();
    }

    /** Whether an address is the hub's own: the token goes nowhere else. */
    boolean isHub(URI uri) {
        return uri.getScheme().equalsIgnoreCase(endpoint.getScheme())
                && uri.getHost().equalsIgnoreCase(endpoint.getHost())
                && uri.getPort() == endpoint.getPort();
    }
}
