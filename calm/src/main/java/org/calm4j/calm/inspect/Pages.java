package org.calm4j.calm.inspect;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.calm4j.calm.report.HeatPage;
import org.calm4j.calm.report.HeatPage.Cell;
import org.calm4j.calm.report.HeatPage.Heat;
import org.calm4j.calm.report.HeatPage.Row;
import org.calm4j.calm.report.HeatPage.Section;
import org.calm4j.engine.io.Jsonl;

/** The results of a command, read from its file, as a page of heat maps. */
public final class Pages {
    /** More texts or columns would make a page that no browser likes. */
    private static final int MOST_TEXTS = 12;

    private static final int MOST_COLUMNS = 96;
    private static final Pattern LAYER = Pattern.compile("(.*?)\\.?(?:layers|h)\\.(\\d+)\\.(.*)");

    private Pages() {}

    /** The next token's probability at each layer and position, with the most probable token. */
    public static HeatPage lens(Path results) {
        Map<String, Map<Integer, List<JsonNode>>> texts = new LinkedHashMap<>();
        for (JsonNode line : lines(results)) {
            texts.computeIfAbsent(line.path("id").asText(), none -> new TreeMap<>())
                    .computeIfAbsent(line.path("layer").asInt(), none -> new ArrayList<>())
                    .add(line);
        }
        List<Section> sections = new ArrayList<>();
        some(texts).forEach((id, layers) -> {
            int columns =
                    Math.min(MOST_COLUMNS, layers.values().iterator().next().size());
            List<Row> rows = new ArrayList<>();
            layers.forEach((layer, all) -> rows.add(new Row(
                    String.valueOf(layer),
                    all.stream().limit(columns).map(Pages::lensCell).toList())));
            sections.add(new Section(
                    "Text " + id, "", List.of(new Heat("", "layer", numbers("", columns), rows.reversed(), true))));
        });
        return new HeatPage(
                "Logit lens",
                "What the last norm and the head make of the stream: the most probable next token, coloured by the probability of the one that "
                        + "follows in the text. Rows are layers, the last one on top; columns are positions."
                        + left(texts),
                sections);
    }

    private static Cell lensCell(JsonNode line) {
        JsonNode top = line.path("top").path(0);
        String token = top.hasNonNull("token")
                ? shown(top.path("token").asText())
                : top.path("token_id").asText();
        Double next = line.hasNonNull("logprob") ? Math.exp(line.path("logprob").asDouble()) : null;
        return new Cell(token, next, next == null ? null : "next token " + percent(next));
    }

    private static String shown(String token) {
        return token.replace(' ', '␣').replace('\n', '⏎');
    }

    /** How far each patched value brings the answer back. */
    public static HeatPage patch(Path results) {
        Map<String, JsonNode> texts = new LinkedHashMap<>();
        lines(results).forEach(line -> texts.put(line.path("id").asText(), line));
        List<Section> sections = new ArrayList<>();
        some(texts).forEach((id, line) -> {
            List<Heat> heats = new ArrayList<>();
            for (String kind : List.of("effect", "attribution")) {
                if (line.path(kind).isArray() && !line.path(kind).isEmpty()) {
                    heats.add(effects(kind, line));
                }
            }
            sections.add(new Section(
                    "Texts " + id,
                    "Answer less wrong: " + number(line.path("clean").asDouble()) + " in the clean run, "
                            + number(line.path("corrupted").asDouble()) + " in the corrupted one.",
                    heats));
        });
        return new HeatPage(
                "Activation patching",
                "The share of the way from the corrupted run's answer to the clean run's that a value of the clean run brings, in percent. Rows are "
                        + "layers, columns positions (or heads, of z)." + left(texts),
                sections);
    }

    private static Heat effects(String kind, JsonNode line) {
        double from = line.path("corrupted").asDouble();
        double way = line.path("clean").asDouble() - from;
        JsonNode effects = line.path(kind);
        int columns = Math.min(MOST_COLUMNS, effects.path(0).size());
        List<Row> rows = new ArrayList<>();
        for (int layer = 0; layer < effects.size(); layer++) {
            JsonNode own = effects.path(layer);
            rows.add(new Row(
                    String.valueOf(layer),
                    IntStream.range(0, columns)
                            .mapToObj(i -> {
                                double share = way == 0 ? 0 : (own.path(i).asDouble() - from) / way;
                                return new Cell(Math.round(100 * share) + "", share, null);
                            })
                            .toList()));
        }
        return new Heat(kind.equals("effect") ? "" : "By attribution", "layer", numbers("", columns), rows, false);
    }

    /** What each head and feed-forward layer adds. */
    public static HeatPage attribution(Path results) {
        Map<String, JsonNode> texts = new LinkedHashMap<>();
        lines(results).forEach(line -> texts.put(line.path("id").asText(), line));
        List<Section> sections = new ArrayList<>();
        some(texts).forEach((id, line) -> {
            JsonNode heads = line.path("heads");
            double most = 1e-12;
            for (int layer = 0; layer < heads.size(); layer++) {
                most = Math.max(most, Math.abs(line.path("mlp").path(layer).asDouble()));
                for (JsonNode head : heads.path(layer)) {
                    most = Math.max(most, Math.abs(head.asDouble()));
                }
            }
            List<Row> rows = new ArrayList<>();
            for (int layer = 0; layer < heads.size(); layer++) {
                List<Cell> cells = new ArrayList<>();
                for (JsonNode head : heads.path(layer)) {
                    cells.add(cell(head.asDouble(), most));
                }
                cells.add(cell(line.path("mlp").path(layer).asDouble(), most));
                rows.add(new Row(String.valueOf(layer), cells));
            }
            List<String> columns =
                    new ArrayList<>(numbers("head ", heads.path(0).size()));
            columns.add("MLP");
            sections.add(new Section(
                    "Text " + id,
                    "Logit difference " + number(line.path("logit_difference").asDouble()) + ", of it "
                            + number(line.path("embed").asDouble()) + " by the embedding.",
                    List.of(new Heat("", "layer", columns, rows, false))));
        });
        return new HeatPage(
                "Direct logit attribution",
                "What each head and feed-forward layer adds to the answer's logit over that of the wrong one, at the last position."
                        + left(texts),
                sections);
    }

    /** How alike languages are, by layer and pair. */
    public static HeatPage similarity(Path results) {
        Set<String> pairs = new LinkedHashSet<>();
        Map<Integer, Map<String, JsonNode>> layers = new TreeMap<>();
        for (JsonNode line : lines(results)) {
            String pair = line.path("languages").path(0).asText() + " "
                    + line.path("languages").path(1).asText();
            pairs.add(pair);
            layers.computeIfAbsent(line.path("layer").asInt(), none -> new LinkedHashMap<>())
                    .put(pair, line);
        }
        List<Section> sections = new ArrayList<>();
        Map<String, String> figures = new LinkedHashMap<>();
        figures.put("retrieval", "Texts nearest to their translation, in percent.");
        figures.put("cka", "Linear centred kernel alignment, times 100.");
        figures.put("cosine", "Cosine of a text and its translation, times 100.");
        figures.forEach((figure, text) -> {
            List<Row> rows = new ArrayList<>();
            layers.forEach((layer, all) -> rows.add(new Row(
                    String.valueOf(layer),
                    pairs.stream()
                            .map(pair -> share(all.get(pair).path(figure)))
                            .toList())));
            sections.add(new Section(
                    figure.equals("cka")
                            ? "CKA"
                            : figure.substring(0, 1).toUpperCase(Locale.ROOT) + figure.substring(1),
                    text,
                    List.of(new Heat("", "layer", List.copyOf(pairs), rows, true))));
        });
        return new HeatPage(
                "Similarity of languages",
                "By layer and pair of languages; layer 0 is the stream before the first block.",
                sections);
    }

    /** How much each tensor changed. */
    public static HeatPage diff(Path results) {
        Map<String, Map<String, JsonNode>> layers = new LinkedHashMap<>();
        Set<String> kinds = new LinkedHashSet<>();
        List<JsonNode> others = new ArrayList<>();
        for (JsonNode line : lines(results)) {
            Matcher layer = LAYER.matcher(line.path("name").asText());
            if (layer.matches()) {
                kinds.add(layer.group(3));
                layers.computeIfAbsent(layer.group(2), none -> new LinkedHashMap<>())
                        .put(layer.group(3), line);
            } else {
                others.add(line);
            }
        }
        List<Section> sections = new ArrayList<>();
        for (String figure : List.of("relative", "effective_rank")) {
            boolean relative = figure.equals("relative");
            double most = lines(results).stream()
                    .mapToDouble(line -> line.path(figure).asDouble())
                    .max()
                    .orElse(1);
            Function<JsonNode, Cell> cell = line -> line == null || !line.hasNonNull(figure)
                    ? new Cell("–", null, null)
                    : new Cell(
                            relative
                                    ? percent(line.path(figure).asDouble())
                                    : number(line.path(figure).asDouble()),
                            most > 0 ? line.path(figure).asDouble() / most : 0,
                            line.path("name").asText());
            List<Heat> heats = new ArrayList<>();
            List<Row> rows = new ArrayList<>();
            kinds.forEach(kind -> rows.add(new Row(
                    kind,
                    layers.values().stream().map(all -> all.get(kind)).map(cell).toList())));
            if (!rows.isEmpty()) {
                List<String> columns =
                        layers.keySet().stream().map(layer -> "layer " + layer).toList();
                heats.add(new Heat("Blocks", "tensor", columns, rows, true));
            }
            if (!others.isEmpty()) {
                heats.add(new Heat(
                        "Others",
                        "tensor",
                        List.of(relative ? "change" : "rank"),
                        others.stream()
                                .map(line -> new Row(line.path("name").asText(), List.of(cell.apply(line))))
                                .toList(),
                        true));
            }
            sections.add(new Section(
                    relative ? "Relative change" : "Effective rank of the change",
                    relative
                            ? "The change's norm over that of the tensor before."
                            : "Exponential of the entropy of the normalised singular values.",
                    heats));
        }
        return new HeatPage("What training changed", "Tensor by tensor.", sections);
    }

    /** Which languages pull together in a step, by layer. */
    public static HeatPage step(Path results) {
        Set<String> languages = new TreeSet<>();
        Map<String, Map<String, Double>> layers = new LinkedHashMap<>();
        List<Row> norms = new ArrayList<>();
        double most = 1e-300;
        List<JsonNode> all = lines(results);
        for (JsonNode line : all) {
            if (line.path("kind").asText().equals("layer") && line.hasNonNull("update_to_weight")) {
                most = Math.max(most, line.path("update_to_weight").asDouble());
            }
        }
        for (JsonNode line : all) {
            if (line.path("kind").asText().equals("layer")) {
                Double ratio = line.hasNonNull("update_to_weight")
                        ? line.path("update_to_weight").asDouble()
                        : null;
                norms.add(new Row(
                        line.path("name").asText(),
                        List.of(
                                new Cell(number(line.path("gradient_norm").asDouble()), null, null),
                                new Cell(number(line.path("update_norm").asDouble()), null, null),
                                new Cell(
                                        ratio == null ? "–" : number(ratio),
                                        ratio == null ? null : ratio / most,
                                        null))));
            } else if (line.path("kind").asText().equals("cosine")) {
                String a = line.path("languages").path(0).asText();
                String b = line.path("languages").path(1).asText();
                languages.addAll(List.of(a, b));
                String layer = line.hasNonNull("layer") ? line.path("layer").asText() : "all";
                Double cosine = line.hasNonNull("cosine") ? line.path("cosine").asDouble() : null;
                layers.computeIfAbsent(layer, none -> new LinkedHashMap<>()).put(a + " " + b, cosine);
                layers.get(layer).put(b + " " + a, cosine);
            }
        }
        List<Section> sections = new ArrayList<>();
        sections.add(new Section(
                "Layers",
                "",
                List.of(new Heat(
                        "", "layer", List.of("gradient norm", "update norm", "update to weight"), norms, true))));
        layers.forEach((layer, cosines) -> sections.add(new Section(
                layer.equals("all") ? "Cosines between the languages' gradients" : "Cosines, " + layer,
                "",
                List.of(new Heat(
                        "",
                        "language",
                        List.copyOf(languages),
                        languages.stream()
                                .map(a -> new Row(
                                        a,
                                        languages.stream()
                                                .map(b -> a.equals(b)
                                                        ? new Cell("·", null, null)
                                                        : signed(cosines.get(a + " " + b)))
                                                .toList()))
                                .toList(),
                        true)))));
        return new HeatPage(
                "One training step",
                "How far each layer moves, and which languages pull together: a cosine above 0 means that a step for one is a step for the other.",
                sections);
    }

    /** What silencing a language's neurons does to each language's loss. */
    public static HeatPage neurons(Path results) {
        List<JsonNode> losses = lines(results).stream()
                .filter(line -> line.path("kind").asText().equals("loss") && line.hasNonNull("silenced"))
                .toList();
        Set<String> languages = new LinkedHashSet<>();
        double most = 1e-300;
        for (JsonNode line : losses) {
            for (Map.Entry<String, JsonNode> change : line.path("changes").properties()) {
                languages.add(change.getKey());
                most = Math.max(most, Math.abs(change.getValue().asDouble()));
            }
        }
        double strongest = most;
        List<Row> rows = losses.stream()
                .map(line -> new Row(
                        line.path("silenced").asText() + (line.path("random").asBoolean() ? ", as many at random" : "")
                                + " (" + line.path("neurons").asInt() + ")",
                        languages.stream()
                                .map(language ->
                                        cell(line.path("changes").path(language).asDouble(), strongest))
                                .toList()))
                .toList();
        return new HeatPage(
                "Language-specific neurons",
                "What silencing a language's neurons adds to each language's loss, in nats a token.",
                List.of(new Section(
                        "Losses", "", List.of(new Heat("", "silenced", List.copyOf(languages), rows, true)))));
    }

    // ---- cells

    private static Cell share(JsonNode value) {
        return value.isNumber()
                ? new Cell(Math.round(100 * value.asDouble()) + "", value.asDouble(), null)
                : new Cell("–", null, null);
    }

    private static Cell signed(Double cosine) {
        return cosine == null
                ? new Cell("–", null, null)
                : new Cell(String.format(Locale.ROOT, "%.2f", cosine), cosine, null);
    }

    private static Cell cell(double value, double most) {
        return new Cell(number(value), value / most, null);
    }

    private static String number(double value) {
        double size = Math.abs(value);
        return value == 0
                ? "0"
                : String.format(
                        Locale.ROOT, size >= 1000 || size < 0.001 ? "%.1e" : size >= 10 ? "%.1f" : "%.3f", value);
    }

    private static String percent(double share) {
        return String.format(Locale.ROOT, share < 0.001 ? "%.4f %%" : "%.1f %%", 100 * share);
    }

    private static List<String> numbers(String before, int count) {
        return IntStream.range(0, count).mapToObj(i -> before + i).toList();
    }

    private static <V> Map<String, V> some(Map<String, V> texts) {
        Map<String, V> some = new LinkedHashMap<>();
        texts.entrySet().stream().limit(MOST_TEXTS).forEach(each -> some.put(each.getKey(), each.getValue()));
        return some;
    }

    private static String left(Map<String, ?> texts) {
        return texts.size() <= MOST_TEXTS ? "" : " The first " + MOST_TEXTS + " of " + texts.size() + " are shown.";
    }

    private static List<JsonNode> lines(Path results) {
        return Jsonl.read(results, JsonNode.class);
    }
}
