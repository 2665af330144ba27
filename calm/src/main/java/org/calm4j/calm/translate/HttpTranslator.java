package org.calm4j.calm.translate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;

/**
 * A translation service by HTTP: LibreTranslate's interface ({@code POST /translate}) or DeepL's ({@code POST /v2/translate}). It waits as long as
 * the service asks for ({@code Retry-After}), longer each time where it does not say, and tries again when the service is busy or out of reach.
 */
public final class HttpTranslator implements Translator {
    /** The interface that a service has. */
    public enum Api {
        LIBRETRANSLATE("LIBRETRANSLATE_API_KEY", 1), DEEPL("DEEPL_API_KEY", 50);

        private final String variable;
        private final int batch;

        Api(String variable, int batch) {
            this.variable = variable;
            this.batch = batch;
        }
    }

    private static final int ATTEMPTS = 6;
    private static final Duration FIRST_WAIT = Duration.ofSeconds(1);
    private static final Duration LONGEST_WAIT = Duration.ofMinutes(2);
    private static final Duration TIMEOUT = Duration.ofMinutes(1);
    private static final int MOST_BYTES = 16 << 20;
    private static final int QUOTA_EXCEEDED = 456;
    /** DeepL wants to be told which of its variants of a target is meant. */
    private static final Map<String, String> DEEPL_TARGETS = Map.of("en", "EN-US", "pt", "PT-BR");

    private final Api api;
    private final URI base;
    private final String key;
    private final Consumer<Duration> pause;
    private final HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();

    HttpTranslator(Api api, URI base, String key, Consumer<Duration> pause) {
        this.api = api;
        this.base = base;
        this.key = key;
        this.pause = pause;
    }

    /**
     * @param url where the service is, such as {@code http://localhost:5000}; null for DeepL's own
     * @param environment may hold the key: {@code LIBRETRANSLATE_API_KEY} or {@code DEEPL_API_KEY}
     * @throws CalmException wrong usage: no URL, no http URL, or DeepL without a key
     */
    public static HttpTranslator open(Api api, String url, Map<String, String> environment) {
        String key = environment.get(api.variable);
        if (api == Api.DEEPL && (key == null || key.isBlank())) {
            throw CalmException.usage("DeepL needs a key in the environment variable " + api.variable);
        }
        String where = url != null ? url : api == Api.LIBRETRANSLATE ? null
                : key.endsWith(":fx") ? "https://api-free.deepl.com" : "https://api.deepl.com";
        if (where == null || !where.matches("(?i)https?://.+")) {
            throw CalmException.usage("--translator http needs --translator-url, such as http://localhost:5000");
        }
        return new HttpTranslator(api, uri(where), key, HttpTranslator::sleep);
    }

    private static URI uri(String url) {
        try {
            return URI.create(url.replaceFirst("/+$", ""));
        } catch (IllegalArgumentException e) {
            throw CalmException.usage("--translator-url " + url + " is no URL");
        }
    }

    @Override
    public List<String> translate(List<Request> requests) {
        List<String> translations = new ArrayList<>(Collections.nCopies(requests.size(), null));
        Map<List<String>, List<Integer>> byLanguages = new LinkedHashMap<>();
        for (int i = 0; i < requests.size(); i++) {
            byLanguages.computeIfAbsent(List.of(requests.get(i).source(), requests.get(i).target()), key -> new ArrayList<>()).add(i);
        }
        byLanguages.forEach((languages, places) -> {
            for (int first = 0; first < places.size(); first += api.batch) {
                List<Integer> batch = places.subList(first, Math.min(places.size(), first + api.batch));
                List<String> texts = call(batch.stream().map(i -> requests.get(i).text()).toList(), languages.getFirst(), languages.getLast());
                for (int i = 0; i < batch.size(); i++) {
                    translations.set(batch.get(i), texts.get(i).isBlank() ? null : texts.get(i));
                }
            }
        });
        return translations;
    }

    private List<String> call(List<String> texts, String source, String target) {
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        HttpRequest.Builder request = HttpRequest.newBuilder().timeout(TIMEOUT).header("Content-Type", "application/json");
        if (api == Api.DEEPL) {
            texts.forEach(body.putArray("text")::add);
            body.put("source_lang", source.toUpperCase(Locale.ROOT)).put("target_lang", DEEPL_TARGETS.getOrDefault(target, target.toUpperCase(Locale.ROOT)));
            request.uri(URI.create(base + "/v2/translate")).header("Authorization", "DeepL-Auth-Key " + key);
        } else {
            body.put("q", texts.getFirst()).put("source", source).put("target", target).put("format", "text");
            if (key != null && !key.isBlank()) {
                body.put("api_key", key);
            }
            request.uri(URI.create(base + "/translate"));
        }
        JsonNode answer = send(request.POST(HttpRequest.BodyPublishers.ofString(Json.compact(body))).build());
        List<JsonNode> found = api == Api.DEEPL ? answer.path("translations").findValues("text") : List.of(answer.path("translatedText"));
        if (found.size() != texts.size() || !found.stream().allMatch(JsonNode::isTextual)) {
            throw CalmException.failed(base + ": the answer has no translation; is this " + api.name().toLowerCase(Locale.ROOT) + "'s interface?", null);
        }
        return found.stream().map(JsonNode::textValue).toList();
    }

    private JsonNode send(HttpRequest request) {
        Duration wait = FIRST_WAIT;
        for (int attempt = 1;; attempt++) {
            String problem;
            Duration asked = null;
            try {
                HttpResponse<InputStream> response = client.send(request, HttpResponse.BodyHandlers.ofInputStream());
                byte[] bytes;
                try (InputStream in = response.body()) {
                    bytes = in.readNBytes(MOST_BYTES);
                }
                if (response.statusCode() == 200) {
                    return parse(bytes);
                }
                problem = problem(response.statusCode(), bytes);
                asked = response.headers().firstValue("Retry-After").map(HttpTranslator::retryAfter).orElse(null);
            } catch (IOException e) {
                problem = "is out of reach (" + e.getClass().getSimpleName() + (e.getMessage() == null ? "" : ": " + e.getMessage()) + ")";
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw CalmException.failed("translation was interrupted", e);
            }
            if (attempt == ATTEMPTS) {
                throw CalmException.failed(base + " " + problem + ", after " + ATTEMPTS + " attempts; what was translated is kept, try again later", null);
            }
            Duration next = asked != null ? asked : wait;
            pause.accept(next.compareTo(LONGEST_WAIT) > 0 ? LONGEST_WAIT : next);
            wait = wait.multipliedBy(2);
        }
    }

    /** What is wrong, where trying again may help; otherwise it ends here. */
    private String problem(int status, byte[] body) {
        String message = message(body);
        if (status == 429 || status >= 500) {
            return "is busy (HTTP " + status + message + ")";
        }
        if (status == 401 || status == 403) {
            throw CalmException.failed(base + " refused the key (HTTP " + status + message + "); set " + api.variable, null);
        }
        if (status == QUOTA_EXCEEDED) {
            throw CalmException.failed(base + ": the quota is used up" + message + "; what was translated is kept, go on when there is more", null);
        }
        throw CalmException.failed(base + " answered HTTP " + status + message, null);
    }

    /** The service's own words, on one short line. */
    private static String message(byte[] body) {
        try {
            JsonNode json = Json.mapper().readTree(body);
            String said = json.path("error").asText(json.path("message").asText(""));
            return said.isBlank() ? "" : ": " + said.lines().findFirst().orElse("").substring(0, Math.min(200, said.lines().findFirst().orElse("").length()));
        } catch (IOException e) {
            return "";
        }
    }

    private JsonNode parse(byte[] body) {
        try {
            return Json.mapper().readTree(new String(body, StandardCharsets.UTF_8));
        } catch (JsonProcessingException e) {
            throw CalmException.failed(base + ": the answer is not JSON", e);
        }
    }

    /** Seconds, or a date; null where it is neither. */
    private static Duration retryAfter(String value) {
        try {
            if (value.strip().matches("\\d{1,9}")) {
                return Duration.ofSeconds(Long.parseLong(value.strip()));
            }
            Duration left = Duration.between(Instant.now(), ZonedDateTime.parse(value.strip(), DateTimeFormatter.RFC_1123_DATE_TIME).toInstant());
            return left.isNegative() ? Duration.ZERO : left;
        } catch (DateTimeParseException e) {
            return null;
        }
    }

    private static void sleep(Duration time) {
        try {
            Thread.sleep(time);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw CalmException.failed("translation was interrupted", e);
        }
    }
}
