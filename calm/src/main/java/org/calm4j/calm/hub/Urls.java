package org.calm4j.calm.hub;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.Collectors;

/** Percent-encoding of names in addresses. */
final class Urls {
    private Urls() {}

    /** One segment; a slash is encoded too. */
    static String segment(String name) {
        return URLEncoder.encode(name, StandardCharsets.UTF_8).replace("+", "%20");
    }

    /** Segments between slashes. */
    static String path(String name) {
        return Arrays.stream(name.split("/")).map(Urls::segment).collect(Collectors.joining("/"));
    }
}
