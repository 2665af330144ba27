package org.calm4j.calm.report;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.type.TypeReference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;

/** Tables whose cells are coloured by their values, as one HTML file that needs no network and is read by keyboard and on paper. */
public record HeatPage(String title, String lede, List<Section> sections) {
    /** @param text of one sentence or two; may be empty */
    public record Section(String title, String text, List<Heat> heats) {}

    /**
     * @param caption may be empty
     * @param corner what rows are
     * @param wide whether columns are as wide as their text
     */
    public record Heat(String caption, String corner, List<String> columns, List<Row> rows, boolean wide) {}

    public record Row(String name, List<Cell> cells) {}

    /**
     * @param share of the strongest colour, from −1 to 1; null for none
     * @param title what is shown on pointing; null for none
     */
    @JsonInclude(JsonInclude.Include.ALWAYS)
    public record Cell(String text, Double share, String title) {
        /** How strong the colour is, at most 1. */
        @JsonProperty
        public double strength() {
            return share == null ? 0 : Math.min(1, Math.abs(share));
        }

        @JsonProperty
        public boolean negative() {
            return share != null && share < 0;
        }
    }

    public void write(Path file) {
        Map<String, Object> values =
                Json.mapper().convertValue(this, new TypeReference<LinkedHashMap<String, Object>>() {});
        values.put("style", Charts.style());
        String html = Template.render("heat.html.jinja", values);
        AtomicFile.write(file, out -> out.write(html.getBytes(StandardCharsets.UTF_8)));
    }
}
