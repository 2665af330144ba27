package org.calm4j.calm.translate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Against a service on this machine that answers as told. */
class HttpTranslatorTest {
    private record Reply(int status, String body, Map<String, String> headers) {
        static Reply ok(String body) {
            return new Reply(200, body, Map.of());
        }
    }

    @TempDir
    private Path folder;

    private HttpServer server;
    private final List<JsonNode> asked = new ArrayList<>();
    private final List<String> paths = new ArrayList<>();
    private final List<String> authorizations = new ArrayList<>();
    private final List<Duration> pauses = new ArrayList<>();
    /** By the number of the call, from 0. */
    private IntFunction<Reply> replies;

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            paths.add(exchange.getRequestURI().getPath());
            authorizations.add(exchange.getRequestHeaders().getFirst("Authorization"));
            asked.add(Json.mapper().readTree(exchange.getRequestBody().readAllBytes()));
            Reply reply = replies.apply(asked.size() - 1);
            reply.headers.forEach(exchange.getResponseHeaders()::set);
            byte[] body = reply.body.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(reply.status, body.length == 0 ? -1 : body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    private HttpTranslator translator(HttpTranslator.Api api, String key) {
        return new HttpTranslator(
                api, URI.create("http://localhost:" + server.getAddress().getPort()), key, pauses::add);
    }

    private static final List<Translator.Request> THREE = List.of(
            new Translator.Request("dog", "en", "fr"),
            new Translator.Request("cat", "en", "pt"),
            new Translator.Request("cow", "en", "fr"));

    @Test
    void speaksLibreTranslate() {
        replies = call ->
                Reply.ok("{\"translatedText\": \"<" + asked.get(call).path("q").asText() + ">\"}");
        assertThat(translator(HttpTranslator.Api.LIBRETRANSLATE, "k1").translate(THREE))
                .containsExactly("<dog>", "<cat>", "<cow>");
        assertThat(paths).containsOnly("/translate");
        assertThat(asked.getFirst().toString())
                .isEqualTo(
                        "{\"q\":\"dog\",\"source\":\"en\",\"target\":\"fr\",\"format\":\"text\",\"api_key\":\"k1\"}");
        assertThat(translator(HttpTranslator.Api.LIBRETRANSLATE, null).translate(THREE.subList(0, 1)))
                .containsExactly("<dog>");
        assertThat(asked.getLast().has("api_key")).isFalse();
    }

    @Test
    void speaksDeepl() {
        replies = call -> Reply.ok("{\"translations\": "
                + Json.compact(asked.get(call)
                        .path("text")
                        .valueStream()
                        .map(text -> Map.of("detected_source_language", "EN", "text", "<" + text.asText() + ">"))
                        .toList())
                + "}");
        assertThat(translator(HttpTranslator.Api.DEEPL, "secret:fx").translate(THREE))
                .containsExactly("<dog>", "<cat>", "<cow>");
        // Both French texts in one call.
        assertThat(asked)
                .extracting(JsonNode::toString)
                .containsExactly(
                        "{\"text\":[\"dog\",\"cow\"],\"source_lang\":\"EN\",\"target_lang\":\"FR\"}",
                        "{\"text\":[\"cat\"],\"source_lang\":\"EN\",\"target_lang\":\"PT-BR\"}");
        assertThat(paths).containsOnly("/v2/translate");
        assertThat(authorizations).containsOnly("DeepL-Auth-Key secret:fx");
    }

    @Test
    void waitsAsLongAsTheServiceAsksFor() {
        replies = call -> switch (call) {
            case 0 -> new Reply(429, "{\"error\": \"slow down\"}", Map.of("Retry-After", "7"));
            case 1 -> new Reply(503, "", Map.of());
            case 2 -> new Reply(500, "<html>", Map.of("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"));
            case 3 -> new Reply(429, "", Map.of("Retry-After", "99999"));
            default -> Reply.ok("{\"translatedText\": \"chien\"}");
        };
        assertThat(translator(HttpTranslator.Api.LIBRETRANSLATE, null).translate(THREE.subList(0, 1)))
                .containsExactly("chien");
        assertThat(pauses)
                .containsExactly(Duration.ofSeconds(7), Duration.ofSeconds(2), Duration.ZERO, Duration.ofMinutes(2));
    }

    @Test
    void givesUpInOneLineAndNeverShowsTheKey() {
        replies = call -> new Reply(503, "{\"message\": \"overloaded\"}", Map.of());
        assertThatThrownBy(() -> translator(HttpTranslator.Api.DEEPL, "secret").translate(THREE))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("503: overloaded")
                .hasMessageContaining("6 attempts")
                .hasMessageNotContaining("secret");
        assertThat(asked).hasSize(6);
        assertThat(pauses).hasSize(5);
        for (int status : new int[] {400, 403, 456}) {
            int before = asked.size();
            replies = call -> new Reply(status, "{\"error\": \"no\\nmore\"}", Map.of());
            assertThatThrownBy(
                            () -> translator(HttpTranslator.Api.DEEPL, "secret").translate(THREE))
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining(status == 403 ? "DEEPL_API_KEY" : status == 456 ? "quota" : "HTTP 400: no")
                    .hasMessageNotContaining("secret")
                    .hasMessageNotContaining("more\n");
            // What is in a batch may be the fault of one text.
            assertThat(asked).hasSize(before + (status == 400 ? 2 : 1));
        }
        replies = call -> Reply.ok("{\"detail\": 1}");
        assertThatThrownBy(() ->
                        translator(HttpTranslator.Api.LIBRETRANSLATE, null).translate(THREE))
                .hasMessageContaining("no translation");
        server.stop(0);
        pauses.clear();
        assertThatThrownBy(() ->
                        translator(HttpTranslator.Api.LIBRETRANSLATE, null).translate(THREE))
                .hasMessageContaining("out of reach");
        assertThat(pauses).hasSize(5);
    }

    @Test
    void whatIsMissingIsWrongUsage() {
        assertThatThrownBy(() -> HttpTranslator.open(HttpTranslator.Api.DEEPL, null, Map.of()))
                .hasMessageContaining("DEEPL_API_KEY");
        assertThatThrownBy(() -> HttpTranslator.open(HttpTranslator.Api.LIBRETRANSLATE, null, Map.of()))
                .hasMessageContaining("translatorUrl");
        assertThatThrownBy(() -> HttpTranslator.open(HttpTranslator.Api.LIBRETRANSLATE, "file:///etc/passwd", Map.of()))
                .isInstanceOf(CalmException.class);
    }

    @Test
    void nothingIsTranslatedTwice() throws IOException {
        replies = call ->
                Reply.ok("{\"translatedText\": \"<" + asked.get(call).path("q").asText() + ">\"}");
        Path cache = folder.resolve("deep/cache.jsonl");
        Translator first = TranslationFile.remembering(cache, translator(HttpTranslator.Api.LIBRETRANSLATE, null));
        assertThat(first.translate(List.of(THREE.get(0), THREE.get(1), THREE.get(0))))
                .containsExactly("<dog>", "<cat>", "<dog>");
        assertThat(asked).hasSize(2);
        // A run that was killed while it wrote leaves a torn line.
        Files.writeString(cache, Files.readString(cache) + "{\"source\":\"en\",\"tar");
        assertThat(TranslationFile.remembering(cache, translator(HttpTranslator.Api.LIBRETRANSLATE, null))
                        .translate(THREE))
                .containsExactly("<dog>", "<cat>", "<cow>");
        assertThat(asked).hasSize(3);
        assertThatThrownBy(() -> TranslationFile.of(cache))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("cache.jsonl:3");
        Files.writeString(cache, Files.readString(cache).replace("{\"source\":\"en\",\"tar\n", ""));
        assertThat(TranslationFile.of(cache)
                        .translate(List.of(THREE.get(2), new Translator.Request("cow", "fr", "en"))))
                .containsExactly("<cow>", null);
        assertThatThrownBy(() -> TranslationFile.of(folder.resolve("none"))).isInstanceOf(CalmException.class);
    }

    private static List<Translator.Request> many(int n, String source, String target) {
        return IntStream.range(0, n)
                .mapToObj(i -> new Translator.Request("t" + i, source, target))
                .toList();
    }

    private Reply translation(int call) {
        JsonNode request = asked.get(call);
        return Reply.ok(Json.compact(
                request.has("q")
                        ? Map.of("translatedText", "<" + request.path("q").asText() + ">")
                        : Map.of(
                                "translations",
                                request.path("text")
                                        .valueStream()
                                        .map(text -> Map.of("text", "<" + text.asText() + ">"))
                                        .toList())));
    }

    /** The service's quota ends in the middle; whatever the interface, what was paid for is in the file and not asked for again. */
    @ParameterizedTest
    @EnumSource(HttpTranslator.Api.class)
    void whatWasTranslatedIsKeptOverAFailure(HttpTranslator.Api api) throws IOException {
        List<Translator.Request> requests = Stream.of(many(20, "en", "fr"), many(20, "en", "it"), many(60, "de", "fr"))
                .flatMap(List::stream)
                .toList();
        Path cache = folder.resolve("cache.jsonl");
        int quota = api == HttpTranslator.Api.DEEPL ? 1 : 25;
        replies = call ->
                call < quota ? translation(call) : new Reply(456, "{\"message\": \"Quota Exceeded\"}", Map.of());
        assertThatThrownBy(() ->
                        TranslationFile.remembering(cache, translator(api, "k")).translate(requests))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("quota")
                .hasMessageContaining("kept in " + cache);
        int kept = Files.readAllLines(cache).size();
        assertThat(kept).isEqualTo(api == HttpTranslator.Api.DEEPL ? 20 : 25);
        asked.clear();
        replies = this::translation;
        assertThat(TranslationFile.remembering(cache, translator(api, "k")).translate(requests))
                .doesNotContainNull()
                .hasSize(100);
        assertThat(asked.stream()
                        .mapToInt(each -> each.has("q") ? 1 : each.path("text").size())
                        .sum())
                .isEqualTo(100 - kept);
    }

    /** As the two services, and the web servers before them, put it. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        413 | {"message": "Request Entity Too Large"}
        413 | <html>413 Request Entity Too Large</html>
        400 | {"error": "Invalid request: request (5001) exceeds text limit (5000)"}
        400 | {"error": "Text is too long"}
        422 | {"message": "maximum number of characters is 3000"}
        400 | {"error": "no idea"}
        500 | {"error": "Cannot translate text: list index out of range"}
        """)
    void aTextThatTheServiceRefusesIsLeftOut(int status, String body) {
        for (HttpTranslator.Api api : HttpTranslator.Api.values()) {
            asked.clear();
            // DeepL's first batch is refused as a whole where the reason is not known.
            int all = api == HttpTranslator.Api.DEEPL ? 55 : 10;
            int bad = status == 500 && api == HttpTranslator.Api.DEEPL ? 52 : 7;
            replies = call -> asked.get(call).toString().contains("\"t" + bad + "\"")
                    ? new Reply(status, body, Map.of())
                    : translation(call);
            HttpTranslator translator = translator(api, "k");
            List<String> translations = translator.translate(many(all, "en", "fr"));
            assertThat(translations).hasSize(all).startsWith("<t0>", "<t1>").endsWith("<t" + (all - 1) + ">");
            assertThat(translations.indexOf(null)).isEqualTo(bad).isEqualTo(translations.lastIndexOf(null));
            assertThat(translator.leftOut()).hasSize(1).containsValue(1);
        }
    }

    /** A service that has stopped working is no reason to leave out all texts. */
    @Test
    void refusalsWithoutAReasonEndIt() {
        replies = call -> call < 3 ? translation(call) : new Reply(400, "{\"error\": \"no idea\"}", Map.of());
        assertThatThrownBy(() ->
                        translator(HttpTranslator.Api.LIBRETRANSLATE, null).translate(many(70, "en", "fr")))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("HTTP 400: no idea");
        assertThat(asked).hasSize(6);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        LIBRETRANSLATE | {"error": "tlh is not supported"}
        LIBRETRANSLATE | {"error": "Klingon (tlh) is not available as a target language from English (en)"}
        DEEPL          | {"message": "Value for 'target_lang' not supported."}
        """)
    void languagesThatAreNotOfferedAreAskedForOnce(HttpTranslator.Api api, String body) {
        replies = call -> asked.get(call).toString().toLowerCase(Locale.ROOT).contains("tlh")
                ? new Reply(400, body, Map.of())
                : translation(call);
        HttpTranslator translator = translator(api, "k");
        List<Translator.Request> requests = Stream.concat(many(60, "en", "tlh").stream(), many(2, "en", "fr").stream())
                .toList();
        assertThat(translator.translate(requests)).filteredOn(Objects::nonNull).containsExactly("<t0>", "<t1>");
        assertThat(translator.leftOut()).containsValue(60).hasSize(1);
        assertThat(translator.leftOut().keySet().iterator().next()).startsWith("from en to tlh is not offered: ");
        assertThat(asked.stream()
                        .filter(each -> each.toString().toLowerCase(Locale.ROOT).contains("tlh")))
                .hasSize(1);
    }
}
