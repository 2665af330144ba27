package org.calm4j.calm.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.calm4j.calm.data.Prediction;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.metric.Comparison;
import org.calm4j.calm.metric.Evaluation;
import org.calm4j.calm.metric.ResponseKind;
import org.calm4j.calm.metric.VoteReliability;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("slow")
class ReportTest {
    private static final String HOSTILE =
            "</script><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7*7 }} {% raw %} \"'& | `<!--";

    @Test
    void hasEverySection() {
        String html = Report.html(SampleExperiment.data());
        for (String section : List.of(
                "headline",
                "results",
                "curve",
                "ways",
                "known",
                "costs",
                "changed",
                "accuracy",
                "consistency",
                "vote",
                "pairs",
                "training",
                "examples",
                "questions",
                "run")) {
            assertThat(html).contains("<section id=\"" + section + "\"");
        }
        assertThat(html)
                .contains(
                        "<h1>Six languages, one small model</h1>",
                        "Held out, 90 questions",
                        "SFT on the voted",
                        "became wrong",
                        "lang=\"ja\"",
                        "Temurin 25.0.1+8",
                        "To keep in mind",
                        "3 min 40 s");
    }

    @Test
    void tellsTheStoryHeldOutFirst() {
        ReportData data = SampleExperiment.data();
        String html = Report.html(data);
        assertThat(html.indexOf("Held out, 90 questions"))
                .isLessThan(html.indexOf("Trained, 200 questions"))
                .isGreaterThan(html.indexOf("On 90 questions about 30 facts that CALM never trained on"));
        assertThat(html)
                .contains(
                        "makes it the habit<small>+61.0 (+57.0 to +65.0)</small>",
                        "After the same training on random votes (Replay only)",
                        "<title>French asks German: 65.1 %</title>",
                        "Only a language that it may ask knows it <small>645 answers, 300 became right, 8 became wrong</small>",
                        "Of 516 held-out answers on facts that the language’s own texts state, 5 were right before and no longer are; "
                                + "3 of these now ask another language.",
                        "240 that before were answered directly now go through German (130 became right, 2 wrong).",
                        "German: answers by itself → asks English",
                        "Which region does Singapore belong to ?",
                        "<span class=\"gloss\">Southeast Asia</span>",
                        "de Singapur = en Singapore .\nSingapore belongs");
        String markdown = Report.markdown(data);
        assertThat(markdown.indexOf("## Held out")).isLessThan(markdown.indexOf("## Trained"));
        assertThat(markdown)
                .contains(
                        "| After CALM | – | 67.0 (63.0 to 70.0) | +61.0 (+57.0 to +65.0) | makes it the habit |",
                        "The control: after the same training on random votes (Replay only), held-out accuracy",
                        "| French | 93.0 → 30.2 | 0.0 → 4.7 | 7.0 → 65.1 |",
                        "| answers by itself → asks German | 240 | 130 | 2 |");
    }

    @Test
    void gradientsOfLanguagesAreToldInWords() {
        String html = Report.html(SampleExperiment.data());
        assertThat(html)
                .contains(
                        "In 38 steps, of some of their pairs: the cosine between two languages’ gradients is 0.17 on average",
                        "a step for one language is on the whole a step for the others too",
                        "From the first quarter to the last it fell: 0.28",
                        "<th scope=\"row\">German and Italian</th><td class=\"num\">25</td>");
        assertThat(Report.markdown(SampleExperiment.data()))
                .contains("gradients, in 38 steps: 0.17 (", "the last it fell: 0.28 → 0.11");
        assertThat(Report.html(SampleExperiment.seeds()))
                .contains("From the first quarter of the steps to the last it did not clearly change.");
        assertThat(Report.markdown(SampleExperiment.seeds()))
                .contains("| 0.22 ± 0.03 (0.16 to 0.29) |", "| −0.11 ± 0.20 (−0.61 to 0.39) |");
        assertThat(Report.html(minimal("title", "en", "system"))).doesNotContain("What alignment changed inside");
    }

    @Test
    void ribbonsAreAsWideAsWhatGoesThere() {
        Map<String, Map<String, Integer>> counts = new LinkedHashMap<>();
        counts.put("en", Map.of("direct", 30));
        counts.put("fr", Map.of("direct", 10, "through English", 20));
        List<String> ways = List.of("direct", "through English");
        FlowChart chart = FlowChart.of(counts, ways);
        assertThat(chart.ribbons()).hasSize(3);
        assertThat(chart.ways().getFirst().height())
                .isCloseTo(2 * chart.ways().getLast().height(), within(1e-9));
        double asking =
                chart.languages().stream().mapToDouble(FlowChart.Node::height).sum();
        assertThat(chart.ways().stream().mapToDouble(FlowChart.Node::height).sum())
                .isCloseTo(asking, within(1e-9));
        // Labels have two lines, however narrow what they name.
        assertThat(middle(chart.ways().getLast()) - middle(chart.ways().getFirst()))
                .isGreaterThan(34);
        assertThat(chart.languages().getLast().y() + chart.languages().getLast().height())
                .isLessThanOrEqualTo(chart.height() + 1e-9);
        assertThat(FlowChart.taken(new ReportData.Flow(null, Map.of(), counts), List.of("other", "direct")))
                .containsExactly("direct");
    }

    private static double middle(FlowChart.Node node) {
        return node.y() + node.height() / 2;
    }

    @Test
    void theMarkdownHasWhatThePageHas() {
        ReportData data = SampleExperiment.data();
        String markdown = Report.markdown(data);
        assertThat(markdown)
                .contains(
                        "## Held out: 90 questions",
                        "## Trained: 200 questions",
                        "## To keep in mind",
                        "## Agreement between languages, %",
                        "## The vote",
                        "| Agreement, % | Questions | Right, % |",
                        "## By number of voting languages",
                        "## Sampled responses",
                        "## Pairs",
                        "## What each does to the habit",
                        "## Who asks whom",
                        "## What is won and what is lost",
                        "## Answers that took another way",
                        "## Perplexity of statements",
                        "## Answers that changed",
                        "## How it was run");
        Comparison.Change sft = data.eval().against().get("SFT on the voted").accuracyMean();
        assertThat(markdown)
                .contains("| SFT on the voted | – | – | " + NumberText.points(sft.difference()) + " ("
                        + NumberText.points(sft.interval().low()) + " to ");
        Evaluation most = data.curve().getLast().eval();
        Evaluation held = data.curve().getLast().heldOut();
        assertThat(markdown)
                .contains("| en, fr, de, it, zh, ja | " + NumberText.percent(held.accuracyMean()) + " (")
                .contains(" | " + NumberText.percent(most.accuracyMean()) + " (");
        assertThat(markdown)
                .contains("| English | 3200 | 3011 | 14 | ", "label line 111")
                .contains("| French | 400 | 300 | 317 | ", "template 67", "all agree 80");
        ReportData.Flip flip = data.flips().getFirst();
        Question.Choice right = flip.choices().stream()
                .filter(choice -> choice.label().equals(flip.truth()))
                .findFirst()
                .orElseThrow();
        assertThat(markdown).contains("| " + flip.question() + " | " + right.label() + " " + right.text() + " | ");
        Evaluation before = data.eval().before();
        assertThat(markdown)
                .contains("Agree, right, %")
                .containsPattern("\\| Before \\| .* \\| " + NumberText.percent(before.consistencyRight()) + " \\|");
        // No blank line is within a table, and every row of it has as many cells as its head.
        assertThat(markdown).doesNotContain("|\n\n|---").doesNotContainPattern("\\|\n\n\\| (en|none)[, |]");
        String[] lines = markdown.split("\n");
        for (int i = 1; i < lines.length; i++) {
            if (lines[i].startsWith("|") && lines[i - 1].startsWith("|")) {
                assertThat(lines[i].replace("\\|", "")
                                .chars()
                                .filter(c -> c == '|')
                                .count())
                        .as(lines[i])
                        .isEqualTo(lines[i - 1]
                                .replace("\\|", "")
                                .chars()
                                .filter(c -> c == '|')
                                .count());
            }
        }
    }

    @Test
    void languagesHaveOneOrder() {
        ReportData data = SampleExperiment.data();
        assertThat(data.languages())
                .isNotEqualTo(data.languages().stream().sorted().toList());
        List<ReportData.Shift> perplexity = data.languages().stream()
                .sorted()
                .map(language -> new ReportData.Shift("statements, " + language, 1, 2, 3))
                .toList();
        ReportData sorted = new ReportData(
                data.title(),
                data.languages(),
                data.seeds(),
                data.eval(),
                null,
                List.of(),
                byName(data.vote()),
                List.of(),
                List.of(),
                perplexity,
                Map.of(),
                Map.of(),
                null,
                Map.of(),
                List.of(),
                List.of(),
                List.of(),
                new TreeMap<>(data.extraction()),
                new TreeMap<>(data.pairs()),
                null,
                false,
                Map.of(),
                null);
        String names = data.languages().stream()
                .map(TextFilter::languageName)
                .collect(Collectors.joining("[^|]*\\|.*\\n\\| "));
        String markdown = Report.markdown(sorted);
        assertThat(markdown.split("## Sampled responses")[1]).containsPattern(names);
        assertThat(markdown.split("## Pairs")[1]).containsPattern(names);
        assertThat(markdown)
                .containsPattern("voting alone: "
                        + data.languages().stream()
                                .map(TextFilter::languageName)
                                .collect(Collectors.joining(" [0-9.]+ %, ")));
        assertThat(markdown)
                .containsPattern("without "
                        + data.languages().stream()
                                .map(TextFilter::languageName)
                                .collect(Collectors.joining(" [0-9.]+ %, without ")));
        assertThat(markdown)
                .containsPattern(data.languages().stream()
                        .map(language -> "statements, " + language)
                        .collect(Collectors.joining(" .*\\n\\| ")));
    }

    private static VoteReliability byName(VoteReliability vote) {
        return new VoteReliability(
                vote.n(),
                vote.accuracy(),
                vote.interval(),
                vote.ties(),
                vote.undecided(),
                new TreeMap<>(vote.alone()),
                new TreeMap<>(vote.without()),
                vote.calibration(),
                vote.byLanguages());
    }

    @Test
    void tellsWhatGuessingWouldGive() {
        ReportData data = SampleExperiment.data();
        assertThat(Report.html(data))
                .contains(
                        "Guessing is right in 25.0 %: one of 4 options.",
                        "; chance 25.0 %)",
                        "where guessing is right in 25.0 %",
                        "\"chance\":{\"share\":0.25,\"options\":4}");
        assertThat(Report.markdown(data))
                .contains("Guessing is right in 25.0 %: one of 4 options.", "Chance is 25.0 %.");
        List<Question.Choice> two =
                data.examples().getFirst().asked().getFirst().choices().subList(0, 2);
        ReportData.Example other = new ReportData.Example(
                "x", null, null, List.of(new ReportData.Asked("en", "?", two, null, null, List.of(), null)));
        assertThat(Chance.of(List.of(data.examples().getFirst(), other))).isEqualTo(new Chance(0.375, null));
        assertThat(Chance.of(List.of())).isNull();
        assertThat(Report.html(minimal("title", "en", "system"))).doesNotContain("Guessing", "chance 2");
    }

    @Test
    void aShareIsDrawnUpToOne() {
        assertThat(Charts.script())
                .contains(
                        "['rewards/accuracies', 'reward accuracy', ['rewards/accuracies'], true]",
                        "yAxis: share ? shareAxis() :",
                        "min: 0, max: 1,");
    }

    @Test
    void severalSeedsHaveAReportOfTheirOwn(@TempDir Path folder) throws Exception {
        SeedReport data = SampleExperiment.seeds();
        Path page = Report.write(data, folder);
        String mean = NumberText.percent(
                data.main().models().get("after").accuracyMean().mean());
        String deviation = " ± "
                + NumberText.percent(
                        data.main().models().get("after").accuracyMean().deviation());
        assertThat(page)
                .content()
                .contains(
                        mean + deviation,
                        "href=\"seed-2/report.html\"",
                        "<section id=\"curve\"",
                        "<td>asks German</td>",
                        "Only a language that it may ask knows it",
                        "8.0 → 70.0")
                .doesNotContain("id=\"held-out\"", "<script");
        assertThat(folder.resolve("report.md"))
                .content()
                .contains(
                        "| After CALM | " + mean + deviation + " (",
                        "| Before | 2 | ",
                        "| region | asks German | 5.0 ± 1.0 (",
                        "| no | yes | 41.0 ± 1.0 (",
                        "seeds [1](<seed-1/report.html>), [2](<seed-2/report.html>), 3.");
    }

    @Test
    void tellsTheEvaluationsOwnNumbers() {
        ReportData data = SampleExperiment.data();
        String before = NumberText.percent(data.eval().before().accuracyMean());
        String after = NumberText.percent(data.eval().after().consistency());
        String held = NumberText.percent(data.heldOut().after().accuracyMean());
        assertThat(Report.html(data)).contains(">" + before + "<", ">" + after + "<", ">" + held + "<");
        assertThat(Report.markdown(data))
                .contains(
                        "| Before | " + before + " (",
                        " " + after + " (",
                        "| After CALM | " + held + " (",
                        NumberText.points(data.eval().change().accuracyMean().difference()) + " points");
    }

    @Test
    void loadsNothingFromElsewhere() {
        // The chart library names its licence and XML namespaces; everything else must name no address at all.
        String html = Report.html(SampleExperiment.data()).replace(Template.resource(Charts.ECHARTS), "");
        assertThat(html).doesNotContain("http:", "https:", "//cdn", "@import", "url(", "<link", "<img", " src=");
        assertThat(html).contains("default-src 'none'");
        assertThat(Template.resource(Charts.ECHARTS)).doesNotContain("</script");
    }

    @Test
    void takesTextAsText() {
        String html = Report.html(hostile());
        String own = Report.html(minimal("title", "en", "system"));
        assertThat(count(html, "(?i)<script")).isEqualTo(count(own, "(?i)<script"));
        assertThat(count(html, "(?i)</script")).isEqualTo(count(own, "(?i)</script"));
        assertThat(count(html, "(?i)<img")).isEqualTo(count(own, "(?i)<img"));
        assertThat(html.replace(Template.resource(Charts.ECHARTS), ""))
                .doesNotContain("<!--")
                .contains("{{ 7*7 }}", "{% raw %}");
    }

    @Test
    void quotesMarkdown() {
        String markdown = Report.markdown(hostile());
        // An indented line is code, where nothing is markup.
        assertThat(markdown.lines().filter(line -> line.contains("alert(1)") && !line.startsWith("    ")))
                .hasSizeGreaterThan(8)
                .allSatisfy(line ->
                        assertThat(line).doesNotContainPattern("(?<!\\\\)<").doesNotContainPattern("& \\|"));
        assertThat(markdown).contains("{{ 7\\*7 }}");
    }

    @Test
    void leavesOutWhatIsNotThere() {
        String html = Report.html(minimal("title", "en", "system"));
        assertThat(html)
                .doesNotContain(
                        "id=\"vote\"",
                        "id=\"training\"",
                        "id=\"examples\"",
                        "id=\"knowledge\"",
                        "Held",
                        "To keep in mind");
        assertThat(html)
                .contains(
                        "id=\"results\"",
                        "id=\"accuracy\"",
                        "1 language<",
                        "mean accuracy went (50.0&nbsp;% → <b>50.0&nbsp;%</b>).");
        assertThat(Report.markdown(minimal("title", "en", "system"))).doesNotContain("Held", "## The vote");
    }

    @Test
    void readsAndThinsTrainingMetrics(@TempDir Path folder) throws Exception {
        List<String> lines = new ArrayList<>();
        for (int step = 1; step <= 1001; step++) {
            lines.add("{\"step\":" + step + ",\"loss\":" + step / 3.0 + ",\"rewards/margins\":0.5,\"note\":\"text\"}");
        }
        Path file = Files.write(folder.resolve("metrics.jsonl"), lines);
        TrainingLog log = TrainingLog.read("dpo", file);
        assertThat(log.rows()).hasSize(1001);
        assertThat(log.rows().get(2)).isEqualTo(Map.of("step", 3.0, "loss", 1.0, "rewards/margins", 0.5));
        TrainingLog thin = log.thinned();
        assertThat(thin.rows()).hasSize(334);
        assertThat(thin.rows().get(0)).isEqualTo(Map.of("step", 3.0, "loss", 0.66667, "rewards/margins", 0.5));
        assertThat(thin.rows().getLast()).containsEntry("step", 1001.0);
        Files.writeString(file, "{\"step\":1}\n{broken\n");
        assertThatThrownBy(() -> TrainingLog.read("dpo", file))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("metrics.jsonl:2");
    }

    @Test
    void tellsWrongTurnsAndCountsWhatItLeavesOut() {
        List<ReportData.Flip> flips = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            flips.add(flip("A", "B", i < 95 ? "A" : "C"));
        }
        flips.add(flip("A", "A", "B"));
        Flips chosen = Flips.of(flips);
        assertThat(chosen.counts()).isEqualTo(Map.of("gained", 95, "other", 5, "lost", 1));
        assertThat(chosen.shown()).hasSize(Flips.MOST_SHOWN + 6);
        assertThat(Flips.of(List.of(flip(null, "A", "B"))).counts()).isEqualTo(Map.of("other", 1));
        assertThat(Flips.of(List.of(flip("A", null, "A"))).counts()).isEqualTo(Map.of("gained", 1));
    }

    @Test
    void writesBothFiles(@TempDir Path folder) throws Exception {
        Path page = Report.write(SampleExperiment.data(), folder.resolve("new"));
        assertThat(page)
                .hasFileName("report.html")
                .content()
                .startsWith("<!DOCTYPE html>")
                .endsWith("</html>\n");
        assertThat(folder.resolve("new/report.md")).content().startsWith("# Six languages");
        String first = Files.readString(page);
        Report.write(SampleExperiment.data(), folder.resolve("new"));
        assertThat(Files.readString(page)).isEqualTo(first);
    }

    @Test
    void writesNumbersForPeople() {
        assertThat(NumberText.points(-0.0003)).isEqualTo("±0.0");
        assertThat(NumberText.points(-0.123)).isEqualTo("−12.3");
        assertThat(NumberText.percent(Double.NaN)).isEqualTo("–");
        assertThat(NumberText.pValue(1e-9)).isEqualTo("<0.001");
        assertThat(NumberText.duration(59.7)).isEqualTo("1 min 00 s");
        assertThat(NumberText.duration(3725)).isEqualTo("1 h 02 min");
        assertThat(TextFilter.languageName("pt")).isEqualTo("Portuguese");
    }

    static ReportData minimal(String title, String language, String name) {
        Evaluation evaluation = Evaluation.of(
                List.of(new Prediction("q", language, "A", "A"), new Prediction("r", language, "A", null)), 1);
        return new ReportData(
                title,
                List.of(language),
                List.of(),
                new ReportData.Outcome(evaluation, evaluation, null, Map.of(name, evaluation), Map.of(), Map.of(), 2),
                null,
                List.of(),
                null,
                List.of(),
                List.of(),
                List.of(),
                Map.of(),
                Map.of(),
                null,
                Map.of(),
                List.of(),
                List.of(),
                List.of(),
                Map.of(),
                Map.of(),
                null,
                false,
                Map.of(),
                null);
    }

    private static ReportData hostile() {
        ReportData plain = minimal(HOSTILE, HOSTILE, HOSTILE);
        Vote vote = new Vote(HOSTILE, HOSTILE, Map.of(HOSTILE, 1), Map.of(HOSTILE, Map.of(HOSTILE, 1)), 1, false);
        ReportData.Flip flip = new ReportData.Flip(
                HOSTILE,
                HOSTILE,
                HOSTILE,
                List.of(new Question.Choice(HOSTILE, HOSTILE)),
                HOSTILE,
                new ReportData.Said(HOSTILE, null),
                new ReportData.Said(HOSTILE, HOSTILE),
                vote);
        ReportData.Example example = new ReportData.Example(
                HOSTILE,
                HOSTILE,
                vote,
                List.of(new ReportData.Asked(
                        HOSTILE,
                        HOSTILE,
                        List.of(new Question.Choice(HOSTILE, HOSTILE)),
                        new ReportData.Said(HOSTILE, HOSTILE),
                        new ReportData.Said(HOSTILE, null),
                        List.of(new ReportData.Sampled(HOSTILE, HOSTILE, 2)),
                        new ReportData.ShownPair(HOSTILE, HOSTILE, HOSTILE))));
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put(HOSTILE, HOSTILE);
        settings.put("nested", Map.of(HOSTILE, List.of(HOSTILE)));
        TrainingLog training = new TrainingLog(HOSTILE, List.of(Map.of("step", 1.0, "loss", 1.0)));
        return new ReportData(
                HOSTILE,
                plain.languages(),
                List.of(1L),
                plain.eval(),
                plain.eval(),
                List.of(
                        training,
                        new TrainingLog(
                                TrainingLog.CALM,
                                List.of(Map.of(
                                        "step",
                                        1.0,
                                        "inspect/gradient_cosine/" + HOSTILE,
                                        0.5,
                                        "inspect/margins/" + HOSTILE,
                                        0.5)))),
                null,
                List.of(flip),
                List.of(new ReportData.Shift(HOSTILE, 1, 0, 1)),
                List.of(new ReportData.Shift(HOSTILE, null, 1, 2)),
                settings,
                Map.of(HOSTILE, 1.0),
                HOSTILE,
                Map.of(HOSTILE, HOSTILE),
                List.of(HOSTILE),
                List.of(new ReportData.CurvePoint(
                        1, List.of(HOSTILE), plain.eval().before(), null)),
                List.of(example),
                Map.of(HOSTILE, new ReportData.Extracted(1, 1, Map.of(HOSTILE, 1), 0)),
                Map.of(
                        HOSTILE,
                        new ReportData.Paired(
                                1, 1, 1, Map.of(HOSTILE, 1), Map.of(HOSTILE, 1), 1, Map.of(HOSTILE, 1), 1)),
                ways(HOSTILE),
                false,
                Map.of(HOSTILE, HOSTILE),
                SampleExperiment.inside(HOSTILE));
    }

    private static ReportData.Ways ways(String name) {
        Map<String, ResponseKind> kinds =
                Map.of(name, new ResponseKind(1, 1, 0.5, 0.5, 0, Map.of(name, 1.0), Map.of(name, 1.0)));
        ReportData.Known known =
                new ReportData.Known(true, false, true, 1, 0, 1, 1, 0, 0, 0, 0, Map.of(name, 1.0), Map.of(name, 1.0));
        ReportData.Said said = new ReportData.Said(name, name);
        return new ReportData.Ways(
                kinds,
                Map.of("before", kinds, name, kinds),
                Map.of("before", kinds),
                List.of(known),
                Map.of("before", new ReportData.Habit(0, null, null), name, new ReportData.Habit(1, null, null)),
                List.of(new ReportData.Flow(name, Map.of(name, Map.of(name, 1)), Map.of(name, Map.of(name, 1)))),
                List.of(new ReportData.Turn(name, name, 1, 1, 0)),
                List.of(new ReportData.Changed(
                        name,
                        name,
                        name,
                        name,
                        List.of(new Question.Choice(name, name)),
                        name,
                        name,
                        said,
                        name,
                        said,
                        name,
                        List.of(new Question.Choice(name, name)))));
    }

    private static ReportData.Flip flip(String truth, String before, String after) {
        return new ReportData.Flip(
                "q",
                "en",
                "?",
                List.of(),
                truth,
                new ReportData.Said("x", before),
                new ReportData.Said("y", after),
                null);
    }

    private static long count(String text, String pattern) {
        return Pattern.compile(pattern).matcher(text).results().count();
    }
}
