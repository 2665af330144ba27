package org.calm4j.calm.inspect;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.apache.commons.math3.stat.inference.AlternativeHypothesis;
import org.apache.commons.math3.stat.inference.BinomialTest;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.metric.SeedSummary;
import org.calm4j.calm.report.Inside;
import org.calm4j.engine.inspect.Edit;
import org.calm4j.engine.inspect.Inspector;
import org.calm4j.engine.inspect.Selection;
import org.calm4j.engine.inspect.Trace;
import org.calm4j.engine.model.ModelFolder;

/**
 * What alignment changed inside: how alike the languages are by layer, at which layer a right answer appears (logit lens), and at which layer the
 * stream of a language that knows an answer brings it to one that does not (activation patching).
 *
 * @param before responses of the model before, one a question, in all languages
 * @param after those of the aligned model to the same questions
 * @param questions of each language at most
 */
public record InsideStage(List<Samples> before, List<Samples> after, int questions, long seed) {
    private static final String BEFORE = "before";
    private static final String AFTER = "after";

    /** A question's place in all lists. */
    private record Key(String id, String language) {
        static Key of(Samples line) {
            return new Key(line.id(), line.language());
        }
    }

    /**
     * A text that ends where an option is about to be stated.
     *
     * @param options the token of each option that comes next
     * @param right index of the right option
     */
    private record Case(Key key, int[] tokens, int[] options, int right) {}

    /** What one model shows. */
    private record Look(List<Inside.Alike> similarity, Map<String, List<double[]>> recall, Inside.Rescue rescue) {}

    /** One model is closed before the other is opened. */
    public Inside run(Supplier<ModelFolder> modelBefore, Supplier<ModelFolder> modelAfter) {
        Look first;
        Look second;
        try (ModelFolder model = modelBefore.get()) {
            first = look(model, before);
        }
        try (ModelFolder model = modelAfter.get()) {
            second = look(model, after);
        }
        List<Inside.Recall> recall = new ArrayList<>();
        first.recall.forEach((kind, was) -> recall.add(recall(kind, was, second.recall.get(kind))));
        Map<String, Inside.Rescue> rescue = new LinkedHashMap<>();
        put(rescue, BEFORE, first.rescue);
        put(rescue, AFTER, second.rescue);
        Map<String, List<Inside.Alike>> similarity = new LinkedHashMap<>();
        similarity.put(BEFORE, first.similarity);
        similarity.put(AFTER, second.similarity);
        return new Inside(questions, similarity, recall, rescue);
    }

    private static Inside.Recall recall(String kind, List<double[]> was, List<double[]> is) {
        int last = was.getFirst().length - 1;
        SeedSummary.Spread change = SeedSummary.Spread.of(IntStream.range(0, was.size())
                .mapToObj(i -> is.get(i)[last] - was.get(i)[last])
                .toList());
        return new Inside.Recall(kind, was.size(), means(was), means(is), change.mean(), change.interval());
    }

    private static void put(Map<String, Inside.Rescue> rescue, String model, Inside.Rescue found) {
        if (found != null) {
            rescue.put(model, found);
        }
    }

    private Look look(ModelFolder model, List<Samples> own) {
        return new Look(similarity(model), recall(model), rescue(model, own));
    }

    // ---- similarity

    private List<Inside.Alike> similarity(ModelFolder model) {
        Map<String, Map<String, int[]>> texts = new LinkedHashMap<>();
        for (Samples line : before) {
            texts.computeIfAbsent(line.language(), none -> new LinkedHashMap<>())
                    .put(line.id(), prompt(model, line));
        }
        List<String> ids = texts.values().iterator().next().keySet().stream()
                .filter(id -> texts.values().stream().allMatch(each -> each.containsKey(id)))
                .limit(questions)
                .toList();
        if (ids.size() < 2 || texts.size() < 2) {
            return List.of();
        }
        texts.values().forEach(each -> each.keySet().retainAll(ids));
        Map<Integer, List<SimilarityStage.Similarity>> byLayer = new TreeMap<>();
        SimilarityStage.of(model.model(), texts)
                .forEach(each -> byLayer.computeIfAbsent(each.layer(), none -> new ArrayList<>())
                        .add(each));
        List<Inside.Alike> alike = new ArrayList<>();
        byLayer.forEach((layer, pairs) -> alike.add(new Inside.Alike(
                layer,
                pairs.stream().anyMatch(pair -> pair.cka() == null)
                        ? null
                        : pairs.stream()
                                .mapToDouble(SimilarityStage.Similarity::cka)
                                .average()
                                .orElseThrow(),
                pairs.stream()
                        .mapToDouble(SimilarityStage.Similarity::cosine)
                        .average()
                        .orElseThrow(),
                pairs.stream()
                        .mapToDouble(SimilarityStage.Similarity::retrieval)
                        .average()
                        .orElseThrow())));
        return alike;
    }

    private static int[] prompt(ModelFolder model, Samples line) {
        return model.promptIds(line.fullPrompt().text(), line.fullPrompt().history());
    }

    // ---- texts up to an answer

    private static String said(Samples line) {
        return line.responses().getFirst().answer();
    }

    private static boolean isRight(Samples line) {
        return line.answer() != null && line.answer().equals(said(line));
    }

    /** Null where the response does not state the text of an option, or where the right one cannot be told from the others by one token. */
    private static Case upToAnswer(ModelFolder model, Samples line) {
        List<Question.Choice> choices = line.choices();
        int stated = index(choices, said(line));
        int right = index(choices, line.answer());
        if (stated < 0 || right < 0) {
            return null;
        }
        String response = line.responses().getFirst().text();
        int place = response.lastIndexOf(choices.get(stated).text());
        if (place < 0) {
            return null;
        }
        List<int[]> endings = choices.stream()
                .map(choice -> model.requireTokenizer().encode(response.substring(0, place) + choice.text(), false))
                .toList();
        int common = endings.stream()
                .mapToInt(each -> common(each, endings.getFirst()))
                .min()
                .orElseThrow();
        if (endings.stream().anyMatch(each -> each.length == common)) {
            return null;
        }
        int[] options = endings.stream().mapToInt(each -> each[common]).toArray();
        int[] prompt = prompt(model, line);
        int[] tokens = Arrays.copyOf(prompt, prompt.length + common);
        System.arraycopy(endings.getFirst(), 0, tokens, prompt.length, common);
        boolean clear = IntStream.range(0, options.length).noneMatch(i -> i != right && options[i] == options[right]);
        return clear
                        && tokens.length > 0
                        && tokens.length <= model.model().config().positions().limit()
                ? new Case(Key.of(line), tokens, options, right)
                : null;
    }

    private static int index(List<Question.Choice> choices, String label) {
        return IntStream.range(0, choices.size())
                .filter(i -> choices.get(i).label().equals(label))
                .findFirst()
                .orElse(-1);
    }

    private static int common(int[] a, int[] b) {
        int mismatch = Arrays.mismatch(a, b);
        return mismatch < 0 ? a.length : mismatch;
    }

    private static String stream(int layer) {
        return layer == 0 ? "blocks.0.hook_resid_pre" : "blocks." + (layer - 1) + ".hook_resid_post";
    }

    /** The last position's streams, at all layers or at one. */
    private static Trace run(Inspector inspector, Case each, int... layers) {
        String[] names = IntStream.of(layers).mapToObj(InsideStage::stream).toArray(String[]::new);
        return inspector.run(
                each.tokens, Selection.of(inspector.config(), names).positions(each.tokens.length - 1));
    }

    private static int[] layers(Inspector inspector) {
        return IntStream.rangeClosed(0, inspector.config().layers()).toArray();
    }

    /** The right option's probability among the options. */
    private static double share(double[] logits, Case each) {
        double most = Arrays.stream(each.options)
                .mapToDouble(token -> logits[token])
                .max()
                .orElseThrow();
        double all = Arrays.stream(each.options)
                .distinct()
                .mapToDouble(token -> Math.exp(logits[token] - most))
                .sum();
        return Math.exp(logits[each.options[each.right]] - most) / all;
    }

    // ---- recall

    /** Texts of the aligned model's responses, so that both models read the same. */
    private Map<String, List<double[]>> recall(ModelFolder model) {
        Map<Key, Samples> was = new LinkedHashMap<>();
        before.forEach(line -> was.put(Key.of(line), line));
        Map<String, List<Case>> kinds = new LinkedHashMap<>();
        for (Samples line : shuffled(after)) {
            Samples old = was.get(Key.of(line));
            Case text = old == null ? null : upToAnswer(model, line);
            String kind =
                    isRight(line) ? old != null && isRight(old) ? "stayed right" : "became right" : "stayed wrong";
            if (text != null && !(old != null && isRight(old) && !isRight(line))) {
                List<Case> all = kinds.computeIfAbsent(kind, none -> new ArrayList<>());
                if (all.size() < questions) {
                    all.add(text);
                }
            }
        }
        Map<String, List<double[]>> recall = new TreeMap<>();
        kinds.forEach((kind, cases) -> {
            try (Inspector inspector = new Inspector(model.model(), longest(cases))) {
                recall.put(
                        kind, cases.stream().map(each -> lens(inspector, each)).toList());
            }
        });
        return recall;
    }

    private static int longest(List<Case> cases) {
        return cases.stream().mapToInt(each -> each.tokens.length).max().orElse(1);
    }

    private static double[] lens(Inspector inspector, Case each) {
        try (Trace trace = run(inspector, each, layers(inspector))) {
            return IntStream.of(layers(inspector))
                    .mapToDouble(layer -> share(inspector.unembed(trace.value(stream(layer))), each))
                    .toArray();
        }
    }

    private List<Samples> shuffled(List<Samples> lines) {
        List<Samples> shuffled = new ArrayList<>(lines);
        Collections.shuffle(shuffled, new Random(seed));
        return shuffled;
    }

    private static List<Double> means(List<double[]> rows) {
        return IntStream.range(0, rows.getFirst().length)
                .mapToObj(
                        i -> rows.stream().mapToDouble(row -> row[i]).average().orElseThrow())
                .toList();
    }

    // ---- rescue

    /** Null without questions that the source answers and others do not. */
    private Inside.Rescue rescue(ModelFolder model, List<Samples> own) {
        String source = mostRight(before);
        Map<String, Case> knowing = new LinkedHashMap<>();
        Map<String, Samples> answered = new LinkedHashMap<>();
        for (Samples line : shuffled(own)) {
            if (line.language().equals(source) && isRight(line)) {
                Case text = upToAnswer(model, line);
                if (text != null) {
                    knowing.put(line.id(), text);
                    answered.put(line.id(), line);
                }
            }
        }
        Map<String, Integer> taken = new LinkedHashMap<>();
        List<Case> lacking = new ArrayList<>();
        for (Samples line : shuffled(own)) {
            if (line.language().equals(source) || isRight(line) || !knowing.containsKey(line.id())) {
                continue;
            }
            Case text = upToAnswer(model, line);
            if (text != null && taken.merge(line.language(), 1, Integer::sum) <= questions) {
                lacking.add(text);
            }
        }
        if (lacking.isEmpty() || knowing.size() < 2) {
            return null;
        }
        List<Case> all = new ArrayList<>(lacking);
        all.addAll(knowing.values());
        try (Inspector inspector = new Inspector(model.model(), longest(all))) {
            return rescue(inspector, source, lacking, knowing, answered);
        }
    }

    private Inside.Rescue rescue(
            Inspector inspector,
            String source,
            List<Case> lacking,
            Map<String, Case> knowing,
            Map<String, Samples> answered) {
        Map<String, double[][]> streams = new LinkedHashMap<>();
        knowing.forEach((id, each) -> {
            try (Trace trace = run(inspector, each, layers(inspector))) {
                streams.put(
                        id,
                        IntStream.of(layers(inspector))
                                .mapToObj(layer -> trace.values(stream(layer)))
                                .toArray(double[][]::new));
            }
        });
        List<String> ids = List.copyOf(knowing.keySet());
        int layers = inspector.config().layers();
        double[] right = new double[layers + 1];
        double[] control = new double[layers + 1];
        int[] gained = new int[layers + 1];
        int[] lost = new int[layers + 1];
        double unpatched = 0;
        for (Case each : lacking) {
            unpatched += isAhead(inspector, each) ? 1 : 0;
            String other = other(ids, each.key.id(), answered);
            for (int layer = 0; layer <= layers; layer++) {
                boolean own = isAhead(inspector, each, layer, streams.get(each.key.id())[layer]);
                boolean others = isAhead(inspector, each, layer, streams.get(other)[layer]);
                right[layer] += own ? 1 : 0;
                control[layer] += others ? 1 : 0;
                gained[layer] += own && !others ? 1 : 0;
                lost[layer] += others && !own ? 1 : 0;
            }
        }
        int n = lacking.size();
        return new Inside.Rescue(
                source,
                n,
                unpatched / n,
                shares(right, n),
                shares(control, n),
                IntStream.rangeClosed(0, layers)
                        .mapToObj(layer -> signTest(gained[layer], lost[layer]))
                        .toList());
    }

    private static double signTest(int gained, int lost) {
        int all = gained + lost;
        // Where both are equal the library counts the middle twice.
        return all == 0
                ? 1
                : Math.min(1, new BinomialTest().binomialTest(all, gained, 0.5, AlternativeHypothesis.TWO_SIDED));
    }

    /** The next question in the source with another right answer; where there is none, the next one. */
    private static String other(List<String> ids, String id, Map<String, Samples> answered) {
        int own = ids.indexOf(id);
        String text = rightText(answered.get(id));
        return IntStream.range(1, ids.size())
                .mapToObj(i -> ids.get((own + i) % ids.size()))
                .filter(each -> !Objects.equals(rightText(answered.get(each)), text))
                .findFirst()
                .orElse(ids.get((own + 1) % ids.size()));
    }

    private static String rightText(Samples line) {
        return line.choices().get(index(line.choices(), line.answer())).text();
    }

    private static List<Double> shares(double[] counts, int n) {
        return Arrays.stream(counts).mapToObj(count -> count / n).toList();
    }

    private static boolean isAhead(Inspector inspector, Case each) {
        int last = inspector.config().layers();
        try (Trace trace = run(inspector, each, last)) {
            double[] logits = inspector.unembed(trace.value(stream(last)));
            return Arrays.stream(each.options).allMatch(token -> logits[token] <= logits[each.options[each.right]]);
        }
    }

    private static boolean isAhead(Inspector inspector, Case each, int layer, double[] values) {
        Edit put = Edit.replace(values, Edit.Where.row(each.tokens.length - 1));
        try (Inspector.Handle _ = inspector.edit(stream(layer), put)) {
            return isAhead(inspector, each);
        }
    }

    private static String mostRight(List<Samples> lines) {
        Map<String, Integer> right = new LinkedHashMap<>();
        lines.forEach(line -> right.merge(line.language(), isRight(line) ? 1 : 0, Integer::sum));
        return Collections.max(right.entrySet(), Map.Entry.comparingByValue()).getKey();
    }
}
