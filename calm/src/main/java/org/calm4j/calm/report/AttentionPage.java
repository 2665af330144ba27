package org.calm4j.calm.report;

import com.fasterxml.jackson.core.type.TypeReference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;

/**
 * What heads attend to, as one HTML file that needs no network.
 *
 * @param scores kinds of scores, each a table of [layer][head] with shares
 */
public record AttentionPage(String model, List<Score> scores, List<Text> texts) {
    /** @param values [layer][head] */
    public record Score(String name, String meaning, double[][] values) {}

    public record Text(String id, List<String> tokens, List<Head> heads) {}

    /** @param rows [query][key], keys up to the query */
    public record Head(int layer, int head, double[][] rows) {}

    public void write(Path file) {
        Map<String, Object> values =
                Json.mapper().convertValue(this, new TypeReference<LinkedHashMap<String, Object>>() {});
        values.put("style", Charts.style());
        String html = Template.render("attention.html.jinja", values);
        AtomicFile.write(file, out -> out.write(html.getBytes(StandardCharsets.UTF_8)));
    }
}
