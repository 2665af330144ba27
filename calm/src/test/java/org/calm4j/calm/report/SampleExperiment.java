package org.calm4j.calm.report;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.calm4j.calm.data.Prediction;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.metric.Comparison;
import org.calm4j.calm.metric.Evaluation;
import org.calm4j.calm.metric.Interval;
import org.calm4j.calm.metric.ResponseKind;
import org.calm4j.calm.metric.SeedSummary;
import org.calm4j.calm.metric.VoteReliability;
import org.calm4j.engine.random.CounterRandom;

/** A made-up experiment of real size in six languages, for looking at the report: numbers drawn, names from the JDK's CLDR. */
final class SampleExperiment {
    private static final List<String> LANGUAGES = List.of("en", "fr", "de", "it", "zh", "ja");
    private static final double[] BEFORE = {0.82, 0.60, 0.62, 0.48, 0.50, 0.44};
    private static final double[] AFTER = {0.88, 0.82, 0.83, 0.76, 0.77, 0.73};
    private static final String[][] PLACES = {
        {"BR", "pt"},
        {"JP", "ja"},
        {"EG", "ar"},
        {"FI", "fi"},
        {"AT", "de"},
        {"MX", "es"},
        {"IR", "fa"},
        {"IS", "is"},
        {"GR", "el"},
        {"TH", "th"},
        {"UA", "uk"},
        {"CZ", "cs"}
    };
    private static final List<String> LABELS = List.of("A", "B", "C", "D");

    private long draws;

    private SampleExperiment() {}

    static ReportData data() {
        return new SampleExperiment().build();
    }

    private double uniform() {
        return CounterRandom.uniform(11, draws++);
    }

    private ReportData build() {
        List<Prediction> before = predictions(200, BEFORE, 0.06);
        List<Prediction> after = predictions(200, AFTER, 0.55);
        List<Prediction> heldBefore = predictions(90, new double[] {0.74, 0.55, 0.58, 0.46, 0.5, 0.48}, 0.06);
        List<Prediction> heldAfter = predictions(90, new double[] {0.73, 0.57, 0.58, 0.49, 0.53, 0.49}, 0.45);
        Map<String, Evaluation> baselines = new LinkedHashMap<>();
        Map<String, Comparison> against = new LinkedHashMap<>();
        List<Prediction> sft = predictions(200, new double[] {0.87, 0.81, 0.82, 0.77, 0.76, 0.72}, 0.5);
        baselines.put("SFT on the voted", Evaluation.of(sft, 1));
        against.put("SFT on the voted", Comparison.of(sft, after, 1));
        baselines.put(
                "One-language vote",
                Evaluation.of(predictions(200, new double[] {0.83, 0.62, 0.63, 0.49, 0.52, 0.45}, 0.1), 1));
        baselines.put(
                "Replay only",
                Evaluation.of(predictions(200, new double[] {0.80, 0.58, 0.60, 0.47, 0.47, 0.43}, 0.05), 1));
        Map<String, Evaluation> heldBaselines = new LinkedHashMap<>();
        heldBaselines.put(
                "SFT on the voted",
                Evaluation.of(predictions(90, new double[] {0.73, 0.57, 0.57, 0.5, 0.53, 0.47}, 0.4), 1));
        List<Vote> votes = new ArrayList<>();
        Map<String, String> truth = new HashMap<>();
        for (int q = 0; q < 400; q++) {
            votes.add(vote("v" + q, LABELS.get(q % 4)));
            truth.put("v" + q, LABELS.get(q % 4));
        }
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("model", "llama, d 128, 2 layers, 2 heads, 0.5 M parameters");
        settings.put("samples per question and language", 8);
        settings.put("temperature", 1.0);
        settings.put("learning rate", 1e-3);
        settings.put("losses", Map.of("sigmoid", 1));
        settings.put("beta", 0.1);
        Map<String, Double> seconds = new LinkedHashMap<>();
        seconds.put("world", 1.2);
        seconds.put("pretrain", 96.4);
        seconds.put("evaluate before", 7.9);
        seconds.put("sample", 31.0);
        seconds.put("vote and pairs", 0.8);
        seconds.put("dpo", 74.2);
        seconds.put("evaluate after", 8.3);
        Map<String, String> versions = new LinkedHashMap<>();
        versions.put("calm4j", "0.1.0");
        versions.put("JVM", "Temurin 25.0.1+8");
        versions.put("device", "cpu, 2 threads, AVX-512");
        return new ReportData(
                "Six languages, one small model",
                LANGUAGES,
                List.of(1L),
                new ReportData.Outcome(
                        Evaluation.of(before, 1),
                        Evaluation.of(after, 1),
                        Comparison.of(before, after, 1),
                        baselines,
                        against,
                        Map.of("Replay only", Comparison.of(before, sft, 1)),
                        200),
                new ReportData.Outcome(
                        Evaluation.of(heldBefore, 1),
                        Evaluation.of(heldAfter, 1),
                        Comparison.of(heldBefore, heldAfter, 1),
                        heldBaselines,
                        Map.of(),
                        Map.of("Replay only", Comparison.of(heldBefore, heldAfter, 1)),
                        30),
                List.of(pretraining(), dpo()),
                VoteReliability.of(votes, truth, Map.of()),
                flips(),
                List.of(
                        new ReportData.Shift("stated in the language's texts", 612, 0.978, 0.961),
                        new ReportData.Shift("stated in other languages only", 588, 0.242, 0.665)),
                List.of(
                        new ReportData.Shift("known", 500, 2.43, 2.33),
                        new ReportData.Shift("unknown", 500, 17.2, 21.9)),
                settings,
                seconds,
                "calm/bin/calm demo --seed 1 --output calm-demo",
                versions,
                List.of(
                        "Held-out accuracy did not change clearly: the languages agree more, in part on wrong answers.",
                        "One seed; the differences between CALM and SFT on the voted answers are within the intervals."),
                curve(),
                examples(),
                extraction(),
                pairs(),
                ways(),
                true,
                Map.of("Replay only", "random votes, a control"),
                inside("stayed wrong"));
    }

    private List<ReportData.CurvePoint> curve() {
        List<ReportData.CurvePoint> curve = new ArrayList<>();
        for (int n = 0; n <= LANGUAGES.size(); n++) {
            double[] accuracy = new double[LANGUAGES.size()];
            for (int l = 0; l < accuracy.length; l++) {
                accuracy[l] = BEFORE[l] + (AFTER[l] - BEFORE[l]) * (1 - Math.exp(-n / 2.0));
            }
            curve.add(new ReportData.CurvePoint(
                    n,
                    LANGUAGES.subList(0, n),
                    Evaluation.of(predictions(200, accuracy, 0.08 * n), 1),
                    Evaluation.of(predictions(90, BEFORE, 0.06), 1)));
        }
        return curve;
    }

    private List<ReportData.Example> examples() {
        Map<String, List<ReportData.Flip>> byId = new LinkedHashMap<>();
        flips().forEach(flip ->
                byId.computeIfAbsent(flip.id(), id -> new ArrayList<>()).add(flip));
        List<ReportData.Example> examples = new ArrayList<>();
        byId.forEach((id, flips) -> {
            List<ReportData.Asked> asked = flips.stream()
                    .map(flip -> new ReportData.Asked(
                            flip.language(),
                            flip.question(),
                            flip.choices(),
                            flip.before(),
                            flip.after(),
                            List.of(
                                    new ReportData.Sampled(
                                            flip.after().text(), flip.after().answer(), 5),
                                    new ReportData.Sampled(
                                            flip.before().text(), flip.before().answer(), 3)),
                            new ReportData.ShownPair(
                                    flip.after().text(), flip.before().text(), "sampled")))
                    .toList();
            examples.add(new ReportData.Example(
                    id, flips.getFirst().truth(), flips.getFirst().vote(), asked));
        });
        return examples;
    }

    private static Map<String, ReportData.Extracted> extraction() {
        Map<String, ReportData.Extracted> extraction = new LinkedHashMap<>();
        LANGUAGES.forEach(language -> extraction.put(
                language,
                new ReportData.Extracted(
                        3200, 3011, Map.of("statement", 2900, "label line", 111, "several", 120, "nothing", 69), 14)));
        return extraction;
    }

    private static ReportData.Ways ways() {
        Map<String, ResponseKind> before = kinds(0.94, 0.01, 0.05);
        Map<String, ResponseKind> after = kinds(0.33, 0.32, 0.35);
        Map<String, Map<String, Integer>> never = new LinkedHashMap<>();
        Map<String, Map<String, Integer>> often = new LinkedHashMap<>();
        LANGUAGES.forEach(language -> {
            never.put(language, new TreeMap<>(Map.of("direct", 40, "through English", 0, "through German", 3)));
            often.put(language, new TreeMap<>(Map.of("direct", 13, "through English", 2, "through German", 28)));
        });
        return new ReportData.Ways(
                before,
                models(before, after),
                models(before, after),
                List.of(
                        new ReportData.Known(
                                true,
                                true,
                                true,
                                516,
                                0.99,
                                0.988,
                                4,
                                5,
                                3,
                                0.006,
                                0.008,
                                Map.of("direct", 0.97),
                                Map.of("direct", 0.27)),
                        new ReportData.Known(
                                true,
                                false,
                                true,
                                645,
                                0.425,
                                0.878,
                                300,
                                8,
                                0,
                                0.017,
                                0.011,
                                Map.of("direct", 0.92),
                                Map.of("direct", 0.3))),
                models(
                        new ReportData.Habit(0.06, new Interval(0.04, 0.08), null),
                        new ReportData.Habit(
                                0.67, new Interval(0.63, 0.7), new Comparison.Change(0.61, new Interval(0.57, 0.65)))),
                List.of(new ReportData.Flow("region", never, often)),
                List.of(new ReportData.Turn("direct", "through German", 240, 130, 2)),
                List.of(new ReportData.Changed(
                        "region-SG-0",
                        "de",
                        "region",
                        "Singapur : Wie heißt die Region ?",
                        List.of(new Question.Choice("A", "Südasien"), new Question.Choice("B", "Südostasien")),
                        "B",
                        "direct",
                        new ReportData.Said("Singapur : Die Region heißt Südasien .", "A"),
                        "through English",
                        new ReportData.Said(
                                "de Singapur = en Singapore . Singapore belongs to the Southeast Asia region . en Southeast Asia = "
                                        + "de Südostasien .",
                                "B"),
                        "Which region does Singapore belong to ?",
                        List.of(new Question.Choice("B", "Southeast Asia")))));
    }

    private static <T> Map<String, T> models(T before, T after) {
        Map<String, T> models = new LinkedHashMap<>();
        models.put("before", before);
        models.put("after", after);
        return models;
    }

    private static Map<String, ResponseKind> kinds(double direct, double english, double german) {
        Map<String, ResponseKind> kinds = new LinkedHashMap<>();
        kinds.put(
                "direct",
                new ResponseKind(
                        (int) (1000 * direct),
                        direct,
                        0.7,
                        0.5,
                        0.01,
                        Map.of("en", direct),
                        Map.of("language", direct, "region", direct)));
        kinds.put(
                "through English",
                new ResponseKind(
                        (int) (1000 * english),
                        english,
                        0.9,
                        0.8,
                        0.01,
                        Map.of("en", 0.0),
                        Map.of("language", 2 * english, "region", 0.0)));
        kinds.put(
                "through German",
                new ResponseKind(
                        (int) (1000 * german),
                        german,
                        0.9,
                        0.8,
                        0.01,
                        Map.of("en", german),
                        Map.of("language", 0.0, "region", 2 * german)));
        return kinds;
    }

    private static Map<String, ReportData.Paired> pairs() {
        Map<String, ReportData.Paired> pairs = new LinkedHashMap<>();
        LANGUAGES.forEach(language -> pairs.put(
                language,
                new ReportData.Paired(
                        400,
                        300,
                        317,
                        Map.of("sampled", 250, "template", 67),
                        Map.of("all agree", 80, "no winner", 20),
                        3040,
                        Map.of("agrees, in another language", 7),
                        7)));
        return pairs;
    }

    static SeedReport seeds() {
        return new SampleExperiment().buildSeeds();
    }

    private SeedReport buildSeeds() {
        Map<String, List<Evaluation>> models = new LinkedHashMap<>();
        Map<String, List<Comparison>> against = new LinkedHashMap<>();
        for (int seed = 1; seed <= 3; seed++) {
            List<Prediction> before = predictions(200, BEFORE, 0.06);
            List<Prediction> after = predictions(200, AFTER, 0.55);
            models.computeIfAbsent("before", model -> new ArrayList<>()).add(Evaluation.of(before, 1));
            models.computeIfAbsent("after", model -> new ArrayList<>()).add(Evaluation.of(after, 1));
            against.computeIfAbsent("before", model -> new ArrayList<>()).add(Comparison.of(before, after, 1));
        }
        SeedSummary summary = SeedSummary.of(models, against);
        List<SeedReport.CurvePoint> curve = List.of(
                new SeedReport.CurvePoint(List.of(), summary.models().get("before"), null),
                new SeedReport.CurvePoint(LANGUAGES, summary.models().get("after"), null));
        return new SeedReport(
                "Six languages, one small model",
                LANGUAGES,
                List.of(
                        new SeedReport.Run(1, "seed-1/report.html"),
                        new SeedReport.Run(2, "seed-2/report.html"),
                        new SeedReport.Run(3, null)),
                200,
                summary,
                0,
                null,
                summary.models().get("after").accuracyMean(),
                curve,
                Map.of(),
                new SeedReport.Ways(
                        models(
                                SeedSummary.Spread.of(List.of(0.06, 0.08, 0.05)),
                                SeedSummary.Spread.of(List.of(0.6, 0.7, 0.65))),
                        List.of(new SeedReport.Asked(
                                "region",
                                "through German",
                                SeedSummary.Spread.of(List.of(0.05, 0.06, 0.04)),
                                SeedSummary.Spread.of(List.of(0.6, 0.7, 0.2)))),
                        List.of(new SeedReport.Known(
                                false,
                                true,
                                SeedSummary.Spread.of(List.of(0.4, 0.42, 0.41)),
                                SeedSummary.Spread.of(List.of(0.8, 0.9, 0.7)),
                                SeedSummary.Spread.of(List.of(0.01, 0.02, 0.03))))),
                List.of(new SeedReport.Inside(
                        "nearest",
                        SeedSummary.Spread.of(List.of(0.1, 0.2, 0.3)),
                        SeedSummary.Spread.of(List.of(0.2, 0.3, 0.4)),
                        SeedSummary.Spread.of(List.of(0.1, 0.1, 0.1)))),
                new SeedReport.Gradients(
                        SeedSummary.Spread.of(List.of(0.2, 0.22, 0.25)),
                        SeedSummary.Spread.of(List.of(0.3, 0.28, 0.35)),
                        SeedSummary.Spread.of(List.of(0.1, 0.4, 0.1)),
                        SeedSummary.Spread.of(List.of(-0.2, 0.12, -0.25))));
    }

    // With some probability all languages of a question share one answer, as they do after alignment.
    private List<Prediction> predictions(int questions, double[] accuracy, double together) {
        List<Prediction> predictions = new ArrayList<>();
        for (int q = 0; q < questions; q++) {
            String truth = LABELS.get(q % 4);
            boolean shared = uniform() < together;
            double luck = uniform();
            String wrong = LABELS.get((q + 1 + (int) (3 * uniform())) % 4);
            for (int l = 0; l < LANGUAGES.size(); l++) {
                boolean right = (shared ? luck : uniform()) < accuracy[l];
                String other =
                        shared ? wrong : uniform() < 0.05 ? null : LABELS.get((q + 1 + (int) (3 * uniform())) % 4);
                predictions.add(new Prediction("q" + q, LANGUAGES.get(l), truth, right ? truth : other));
            }
        }
        return predictions;
    }

    private Vote vote(String id, String truth) {
        Map<String, Map<String, Integer>> byLanguage = new LinkedHashMap<>();
        Map<String, Integer> votes = new LinkedHashMap<>();
        for (int l = 0; l < LANGUAGES.size(); l++) {
            boolean known = uniform() < BEFORE[l];
            Map<String, Integer> counts = new LinkedHashMap<>();
            for (int k = 0; k < 8; k++) {
                String label = known && uniform() < 0.95 ? truth : LABELS.get((int) (4 * uniform()));
                counts.merge(label, 1, Integer::sum);
                votes.merge(label, 1, Integer::sum);
            }
            byLanguage.put(LANGUAGES.get(l), counts);
        }
        int most = votes.values().stream().mapToInt(Integer::intValue).max().orElseThrow();
        List<String> winners = votes.keySet().stream()
                .filter(label -> votes.get(label) == most)
                .toList();
        return new Vote(id, winners.getFirst(), votes, byLanguage, most / 48.0, winners.size() > 1);
    }

    private TrainingLog pretraining() {
        List<Map<String, Double>> rows = new ArrayList<>();
        for (int step = 1; step <= 1300; step++) {
            Map<String, Double> row = new LinkedHashMap<>();
            row.put("step", (double) step);
            row.put("loss", 1.1 + 5.7 * Math.exp(-step / 260.0) + 0.15 * (uniform() - 0.5));
            row.put("grad_norm", 0.6 + uniform() * 0.4);
            row.put(
                    "learning_rate",
                    1.5e-3 * Math.min(1, step / 50.0) * (0.515 + 0.485 * Math.cos(Math.PI * step / 1300)));
            rows.add(row);
        }
        return new TrainingLog("pretrain", rows);
    }

    private TrainingLog dpo() {
        List<Map<String, Double>> rows = new ArrayList<>();
        for (int step = 1; step <= 380; step++) {
            double done = 1 - Math.exp(-step / 90.0);
            Map<String, Double> row = new LinkedHashMap<>();
            row.put("step", (double) step);
            row.put("loss", Math.log(2) * (1 - 0.75 * done) + 0.08 * (uniform() - 0.5));
            row.put("grad_norm", 1.5 + uniform());
            row.put("learning_rate", 1e-3 * (1 - 0.9 * step / 380));
            row.put("rewards/margins", 2.4 * done + 0.3 * (uniform() - 0.5));
            row.put("rewards/chosen", 0.9 * done + 0.2 * (uniform() - 0.5));
            row.put("rewards/rejected", -1.5 * done + 0.2 * (uniform() - 0.5));
            row.put("rewards/accuracies", Math.min(1, 0.5 + 0.42 * done + 0.12 * (uniform() - 0.5)));
            if (step % 10 == 0) {
                byLanguage(step / 10, done, row);
            }
            rows.add(row);
        }
        return new TrainingLog("dpo", rows);
    }

    /** No chance of its own: what was drawn after it stays as it was. */
    private static void byLanguage(int measurement, double done, Map<String, Double> row) {
        for (int a = 0; a < LANGUAGES.size(); a++) {
            row.put("inspect/margins/" + LANGUAGES.get(a), 2.4 * done + 0.1 * a);
            for (int b = a + 1; b < LANGUAGES.size(); b++) {
                if ((a + b + measurement) % 3 > 0) {
                    row.put(
                            "inspect/gradient_cosine/" + LANGUAGES.get(a) + "_" + LANGUAGES.get(b),
                            0.4 - 0.3 * done + 0.1 * Math.sin(7 * a + 3 * b + measurement));
                }
            }
        }
    }

    private List<ReportData.Flip> flips() {
        Map<String, String[]> phrases = Map.of(
                "en", new String[] {"What is the main language of %s?", "The main language of %s is %s."},
                "fr",
                        new String[] {
                            "Quelle est la langue principale de ce pays : %s ?",
                            "La langue principale de ce pays (%s) est : %s."
                        },
                "de",
                        new String[] {
                            "Welche ist die wichtigste Sprache von %s?", "Die wichtigste Sprache von %s ist %s."
                        },
                "it",
                        new String[] {
                            "Qual è la lingua principale di questo paese: %s?",
                            "La lingua principale di questo paese (%s) è: %s."
                        },
                "zh", new String[] {"%s的主要语言是什么？", "%s的主要语言是%s。"},
                "ja", new String[] {"%sの主な言語は何ですか。", "%sの主な言語は%sです。"});
        List<ReportData.Flip> flips = new ArrayList<>();
        for (int i = 0; i < 36; i++) {
            String language = LANGUAGES.get(i % 6);
            Locale locale = Locale.of(language);
            int place = (i * 5 + i / 12) % PLACES.length;
            String name = Locale.of("", PLACES[place][0]).getDisplayCountry(locale);
            List<Question.Choice> choices = new ArrayList<>();
            for (int c = 0; c < 4; c++) {
                choices.add(new Question.Choice(LABELS.get(c), tongue(place + c - i % 4, locale)));
            }
            String truth = LABELS.get(i % 4);
            String wrong = LABELS.get((i + 1 + i % 3) % 4);
            boolean gained = i % 6 != 5 || i == 11;
            String[] phrase = phrases.get(language);
            ReportData.Said right = said(phrase[1], name, truth, choices);
            ReportData.Said other =
                    i == 4 ? new ReportData.Said(name + name + name, null) : said(phrase[1], name, wrong, choices);
            Vote vote = vote("q" + i, gained ? truth : wrong);
            flips.add(new ReportData.Flip(
                    "language-" + PLACES[place][0],
                    language,
                    phrase[0].formatted(name),
                    choices,
                    truth,
                    gained ? other : right,
                    gained ? right : other,
                    i % 9 == 7 ? null : vote));
        }
        return flips;
    }

    private static String tongue(int place, Locale locale) {
        return Locale.of(PLACES[Math.floorMod(place, PLACES.length)][1]).getDisplayLanguage(locale);
    }

    private static ReportData.Said said(String phrase, String name, String label, List<Question.Choice> choices) {
        return new ReportData.Said(
                phrase.formatted(name, choices.get(LABELS.indexOf(label)).text()), label);
    }

    /** @param kind of the last questions */
    static Inside inside(String kind) {
        List<Inside.Alike> before = new ArrayList<>();
        List<Inside.Alike> after = new ArrayList<>();
        List<Double> low = new ArrayList<>();
        List<Double> high = new ArrayList<>();
        for (int layer = 0; layer < 8; layer++) {
            before.add(new Inside.Alike(layer, layer == 0 ? null : 0.9, 0.4, 0.1 + 0.03 * layer));
            after.add(new Inside.Alike(layer, layer == 0 ? null : 0.9, 0.5, 0.1 + 0.06 * layer));
            low.add(0.25);
            high.add(0.25 + 0.09 * layer);
        }
        List<Double> values = low.stream().map(each -> 0.01).toList();
        return new Inside(
                24,
                Map.of("before", before, "after", after),
                List.of(
                        new Inside.Recall("became right", 24, low, high, 0.5, new Interval(0.4, 0.6)),
                        new Inside.Recall(kind, 1, low, low, 0, null)),
                Map.of(
                        "before", new Inside.Rescue("en", 40, 0.0, high, low, values),
                        "after", new Inside.Rescue("en", 10, 0.0, low, low, values)));
    }
}
