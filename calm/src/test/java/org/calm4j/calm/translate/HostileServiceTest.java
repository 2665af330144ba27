package org.calm4j.calm.translate;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.calm4j.engine.fuzz.Fuzz;
import org.calm4j.engine.fuzz.Mutator.Kind;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Answers of a translation service that are broken in many ways. */
final class HostileServiceTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @EnumSource
    void answersOfATranslator(HttpTranslator.Api api) throws Exception {
        Path answer = Files.writeString(
                folder.resolve("answer.json"),
                api == HttpTranslator.Api.DEEPL
                        ? "{\"translations\":[{\"detected_source_language\":\"EN\",\"text\":\"le chien\"}]}"
                        : "{\"translatedText\":\"le chien\"}");
        HttpServer server = serve(answer);
        try {
            URI endpoint = URI.create("http://127.0.0.1:" + server.getAddress().getPort());
            new Fuzz("answers of " + api, answer, Kind.JSON, Fuzz.ofService(() -> new HttpTranslator(
                                    api, endpoint, "k", pause -> {})
                            .translate(List.of(new Translator.Request("dog", "en", "fr")))))
                    .run(Fuzz.files(60));
        } finally {
            server.stop(0);
        }
    }

    private static HttpServer serve(Path answer) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            try (exchange) {
                exchange.getRequestBody().readAllBytes();
                byte[] body = Files.isRegularFile(answer) ? Files.readAllBytes(answer) : new byte[0];
                exchange.sendResponseHeaders(200, body.length == 0 ? -1 : body.length);
                exchange.getResponseBody().write(body);
            }
        });
        server.start();
        return server;
    }
}
