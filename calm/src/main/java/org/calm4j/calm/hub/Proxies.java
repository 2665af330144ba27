package org.calm4j.calm.hub;

import java.io.IOException;
import java.net.Authenticator;
import java.net.InetSocketAddress;
import java.net.PasswordAuthentication;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.calm4j.engine.CalmException;

/**
 * The proxies that the environment names, as curl and Python's requests read it: {@code HTTPS_PROXY}, {@code HTTP_PROXY}, {@code ALL_PROXY}
 * and {@code NO_PROXY}, also in lower case.
 */
final class Proxies extends ProxySelector {
    private final Map<String, String> environment;

    private Proxies(Map<String, String> environment) {
        this.environment = environment;
    }

    /**
     * Those of the environment, or Java's own (system properties) where it names none.
     *
     * @throws CalmException wrong usage: a variable is not the address of a proxy
     */
    static ProxySelector of(Map<String, String> environment) {
        Proxies proxies = new Proxies(environment);
        boolean any = false;
        for (String scheme : List.of("http", "https")) {
            any |= proxies.proxy(scheme) != null;
        }
        return any ? proxies : ProxySelector.getDefault();
    }

    private String get(String name) {
        String value = environment.getOrDefault(name.toLowerCase(Locale.ROOT), environment.getOrDefault(name, ""));
        return value.strip();
    }

    /** Null without one. */
    private URI proxy(String scheme) {
        String name = scheme.toUpperCase(Locale.ROOT) + "_PROXY";
        name = get(name).isEmpty() ? "ALL_PROXY" : name;
        String value = get(name);
        if (value.isEmpty()) {
            return null;
        }
        try {
            URI uri = new URI(value.contains("://") ? value : "http://" + value);
            if (uri.getHost() != null && "http".equalsIgnoreCase(uri.getScheme())) {
                return uri;
            }
        } catch (URISyntaxException e) {
            // Reported below, without what may be a password.
        }
        throw CalmException.usage(name + " is not the address of a proxy; expected http://HOST:PORT");
    }

    @Override
    public List<Proxy> select(URI uri) {
        URI proxy = isExcepted(uri) ? null : proxy(uri.getScheme().toLowerCase(Locale.ROOT));
        return List.of(
                proxy == null
                        ? Proxy.NO_PROXY
                        : new Proxy(
                                Proxy.Type.HTTP,
                                new InetSocketAddress(proxy.getHost(), proxy.getPort() < 0 ? 80 : proxy.getPort())));
    }

    /** A host, a domain with all below it, either with a port, or a star for all. */
    private boolean isExcepted(URI uri) {
        String host = uri.getHost().toLowerCase(Locale.ROOT);
        int port = uri.getPort() >= 0 ? uri.getPort() : uri.getScheme().equalsIgnoreCase("https") ? 443 : 80;
        for (String entry : get("NO_PROXY").toLowerCase(Locale.ROOT).split("[\\s,]+")) {
            String name = entry.replaceFirst("^\\*?\\.", "");
            if (entry.equals("*")
                    || !name.isEmpty()
                            && (host.equals(name)
                                    || host.endsWith("." + name)
                                    || (host + ":" + port).equals(name)
                                    || (host + ":" + port).endsWith("." + name))) {
                return true;
            }
        }
        return false;
    }

    /** The name and password in a proxy's address; null where there is none. */
    Authenticator authenticator() {
        URI https = proxy("https");
        URI with = https != null && https.getRawUserInfo() != null ? https : proxy("http");
        if (with == null || with.getRawUserInfo() == null) {
            return null;
        }
        String[] parts = with.getRawUserInfo().split(":", 2);
        String password =
                parts.length < 2 ? "" : URLDecoder.decode(parts[1].replace("+", "%2B"), StandardCharsets.UTF_8);
        var credentials = new PasswordAuthentication(
                URLDecoder.decode(parts[0].replace("+", "%2B"), StandardCharsets.UTF_8), password.toCharArray());
        return new Authenticator() {
            @Override
            protected PasswordAuthentication getPasswordAuthentication() {
                return getRequestorType() == RequestorType.PROXY ? credentials : null;
            }
        };
    }

    @Override
    public void connectFailed(URI uri, SocketAddress address, IOException e) {
        // The request fails and says so.
    }
}
