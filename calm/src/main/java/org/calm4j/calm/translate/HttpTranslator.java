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
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;

/**
 * A translation service by HTTP: LibreTranslate's interface ({@code POST /translate}) or DeepL's ({@code POST /v2/translate}). It waits as long as
 * the service asks for ({@code Retry-After}), longer each time where it does not say, and tries again when the service is busy or out of reach.
 * A text that the service does not take, or whose languages it does not offer, has no translation, and is counted.
 */
public final class HttpTranslator implements Translator {
    /** The interface of a service. */
    public enum Api {
        LIBRETRANSLATE("LIBRETRANSLATE_API_KEY", 1),
        DEEPL("DEEPL_API_KEY", 50);

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
    private static final int PAYMENT_REQUIRED = 402;
    /** An error that may be the fault of one text or of its languages. */
    private static final Set<Integer> TEXT_REFUSALS = Set.of(400, 422);

    private static final Pattern QUOTA =
            Pattern.compile("(?i)quota|out of credits?|insufficient (?:credit|balance|funds)");
    private static final Pattern LENGTH =
            Pattern.compile("(?i)too (?:long|large|big)|exceed|(?:text|character|size|length) limit"
                    + "|limit of \\d+ char|max(?:imum)? (?:text )?(?:length|size|number of char)");
    private static final Pattern LANGUAGES = Pattern.compile(
            "(?i)not supported|unsupported|not available as a target|(?:unknown|invalid) (?:source|target)?[ _]?lang");
    /** After this many refusals in a row without a known reason, the fault is not in the texts. */
    private static final int MOST_IN_A_ROW = 3;
    /** DeepL requires a variant for some target languages. */
    private static final Map<String, String> DEEPL_TARGETS = Map.of("en", "EN-US", "pt", "PT-BR", "no", "NB");

    private final Api api;
    private final URI base;
    private final String key;
    private final Consumer<Duration> pause;
    private final Map<String, Integer> leftOut = new TreeMap<>();
    private final Map<List<String>, String> unsupported = new HashMap<>();
    private boolean answered;
    private int inARow;
    private final HttpClient client =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();

    /** The service refuses what it was sent; asking again will not help. */
    private static final class Refused extends Exception {
        private static final long serialVersionUID = 1;

        private enum Why {
            LENGTH,
            LANGUAGES,
            OTHER
        }

        private final Why why;
        private final int status;

        Refused(Why why, int status, String message) {
            super(message);
            this.why = why;
            this.status = status;
        }
    }

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
        String where = url != null
                ? url
                : api == Api.LIBRETRANSLATE
                        ? null
                        : key.endsWith(":fx") ? "https://api-free.deepl.com" : "https://api.deepl.com";
        if (where == null || !where.matches("(?i)https?://.+")) {
            throw CalmException.usage(
                    Setting.of("translator").at("http"),
                    " needs ",
                    Setting.of("translator_url"),
                    ", such as http://localhost:5000");
        }
        return new HttpTranslator(api, uri(where), key, HttpTranslator::sleep);
    }

    private static URI uri(String url) {
        try {
            return URI.create(url.replaceFirst("/+$", ""));
        } catch (IllegalArgumentException e) {
            throw CalmException.usage(Setting.of("translator_url").at(url), " is not a URL");
        }
    }

    @Override
    public List<String> translate(List<Request> requests) {
        Map<Request, String> translations = new HashMap<>();
        translate(requests, translations::put);
        return requests.stream().map(translations::get).collect(ArrayList::new, ArrayList::add, ArrayList::addAll);
    }

    @Override
    public void translate(List<Request> requests, BiConsumer<Request, String> said) {
        Map<List<String>, List<Request>> byLanguages = new LinkedHashMap<>();
        for (Request request : new LinkedHashSet<>(requests)) {
            byLanguages
                    .computeIfAbsent(List.of(request.source(), request.target()), key -> new ArrayList<>())
                    .add(request);
        }
        byLanguages.forEach((languages, own) -> {
            for (int first = 0; first < own.size(); first += api.batch) {
                batch(own.subList(first, Math.min(own.size(), first + api.batch)), languages, said);
            }
        });
    }

    /** A batch that is refused for its content is split in halves, so that only the refused text stays untranslated. */
    private void batch(List<Request> batch, List<String> languages, BiConsumer<Request, String> said) {
        if (unsupported.containsKey(languages)) {
            leaveOut(unsupported.get(languages), batch.size());
            return;
        }
        try {
            List<String> texts =
                    call(batch.stream().map(Request::text).toList(), languages.getFirst(), languages.getLast());
            answered = true;
            inARow = 0;
            for (int i = 0; i < batch.size(); i++) {
                if (texts.get(i).isBlank()) {
                    leaveOut("answered with nothing", 1);
                } else {
                    said.accept(batch.get(i), texts.get(i));
                }
            }
        } catch (Refused refused) {
            if (refused.why == Refused.Why.LANGUAGES) {
                unsupported.put(
                        languages,
                        "from " + languages.getFirst() + " to " + languages.getLast() + " is not offered"
                                + refused.getMessage());
                leaveOut(unsupported.get(languages), batch.size());
            } else if (batch.size() > 1) {
                batch(batch.subList(0, batch.size() / 2), languages, said);
                batch(batch.subList(batch.size() / 2, batch.size()), languages, said);
            } else if (refused.why == Refused.Why.LENGTH || answered && ++inARow < MOST_IN_A_ROW) {
                leaveOut(
                        refused.why == Refused.Why.LENGTH
                                ? "longer than the service takes"
                                : "refused (HTTP " + refused.status + ")",
                        1);
            } else {
                throw CalmException.failed(base + " answered HTTP " + refused.status + refused.getMessage(), refused);
            }
        }
    }

    private void leaveOut(String why, int texts) {
        leftOut.merge(why, texts, Integer::sum);
    }

    @Override
    public Map<String, Integer> leftOut() {
        return leftOut;
    }

    private List<String> call(List<String> texts, String source, String target) throws Refused {
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        HttpRequest.Builder request =
                HttpRequest.newBuilder().timeout(TIMEOUT).header("Content-Type", "application/json");
        if (api == Api.DEEPL) {
            texts.forEach(body.putArray("text")::add);
            body.put("source_lang", source.toUpperCase(Locale.ROOT))
                    .put("target_lang", DEEPL_TARGETS.getOrDefault(target, target.toUpperCase(Locale.ROOT)));
            request.uri(URI.create(base + "/v2/translate")).header("Authorization", "DeepL-Auth-Key " + key);
        } else {
            body.put("q", texts.getFirst())
                    .put("source", source)
                    .put("target", target)
                    .put("format", "text");
            if (key != null && !key.isBlank()) {
                body.put("api_key", key);
            }
            request.uri(URI.create(base + "/translate"));
        }
        JsonNode answer = send(request.POST(HttpRequest.BodyPublishers.ofString(Json.compact(body)))
                .build());
        List<JsonNode> found = api == Api.DEEPL
                ? answer.path("translations").findValues("text")
                : List.of(answer.path("translatedText"));
        if (found.size() != texts.size() || !found.stream().allMatch(JsonNode::isTextual)) {
            throw CalmException.failed(
                    base + ": the answer has no translation; is this "
                            + api.name().toLowerCase(Locale.ROOT) + "'s interface?",
                    null);
        }
        return found.stream().map(JsonNode::textValue).toList();
    }

    private JsonNode send(HttpRequest request) throws Refused {
        Duration wait = FIRST_WAIT;
        for (int attempt = 1; ; attempt++) {
            String problem;
            Refused refused = null;
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
                refused = response.statusCode() == 500 && answered
                        ? new Refused(Refused.Why.OTHER, 500, message(bytes))
                        : null;
                asked = response.headers()
                        .firstValue("Retry-After")
                        .map(HttpTranslator::retryAfter)
                        .orElse(null);
            } catch (IOException e) {
                problem = "is out of reach (" + e.getClass().getSimpleName()
                        + (e.getMessage() == null ? "" : ": " + e.getMessage()) + ")";
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw CalmException.failed("translation was interrupted", e);
            }
            if (attempt == ATTEMPTS) {
                if (refused != null) {
                    throw refused;
                }
                throw CalmException.failed(
                        base + " " + problem + ", after " + ATTEMPTS + " attempts; try again later", null);
            }
            Duration next = asked != null ? asked : wait;
            pause.accept(next.compareTo(LONGEST_WAIT) > 0 ? LONGEST_WAIT : next);
            wait = wait.multipliedBy(2);
        }
    }

    /** What is wrong where trying again may help; otherwise throws, for this text or for all. */
    private String problem(int status, byte[] body) throws Refused {
        String message = message(body);
        if (status == QUOTA_EXCEEDED
                || status == PAYMENT_REQUIRED
                || QUOTA.matcher(message).find()) {
            throw CalmException.failed(base + ": the quota is used up" + message + "; go on when there is more", null);
        }
        if (status == 429 || status >= 500) {
            return "is busy (HTTP " + status + message + ")";
        }
        if (status == 401 || status == 403) {
            throw CalmException.failed(
                    base + " refused the key (HTTP " + status + message + "); set " + api.variable, null);
        }
        if (status == 413
                || status == 414
                || TEXT_REFUSALS.contains(status) && LENGTH.matcher(message).find()) {
            throw new Refused(Refused.Why.LENGTH, status, message);
        }
        if (TEXT_REFUSALS.contains(status)) {
            throw new Refused(
                    LANGUAGES.matcher(message).find() ? Refused.Why.LANGUAGES : Refused.Why.OTHER, status, message);
        }
        throw CalmException.failed(base + " answered HTTP " + status + message, null);
    }

    /** The service's own words, on one short line. */
    private static String message(byte[] body) {
        try {
            JsonNode json = Json.mapper().readTree(body);
            String said = json.path("error").asText(json.path("message").asText(""));
            return said.isBlank()
                    ? ""
                    : ": "
                            + said.lines()
                                    .findFirst()
                                    .orElse("")
                                    .substring(
                                            0,
                                            Math.min(
                                                    200,
                                                    said.lines()
                                                            .findFirst()
                                                            .orElse("")
                                                            .length()));
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
            Duration left = Duration.between(
                    Instant.now(),
                    ZonedDateTime.parse(value.strip(), DateTimeFormatter.RFC_1123_DATE_TIME)
                            .toInstant());
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
