package org.calm4j.calm.importer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.calm4j.calm.data.Prediction;
import org.calm4j.calm.data.Question;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Jsonl;

/**
 * Predictions from elsewhere, with the languages and labels of the questions. A value that is not a label is no answer; a label in another
 * way of writing is that label; both are reported.
 *
 * @param notLabels values of predictions that are not labels, with their counts
 * @param warnings readable, one line each
 */
public record PredictionFiles(List<Prediction> predictions, Map<String, Integer> notLabels, List<String> warnings) {
    private static final int EXAMPLES = 5;
    private static final int LONGEST = 40;

    private record Line(Prediction prediction, String where) {}

    private record Place(String id, String language) {}

    /**
     * @param questions the questions, which give labels and true answers; empty if unknown
     * @throws CalmException bad input: a broken line, two lines for one question in one language, or a line for an unknown question
     */
    public static PredictionFiles read(List<Path> files, List<Question> questions) {
        List<String> warnings = new ArrayList<>();
        List<Line> lines = new ArrayList<>();
        for (Path file : files) {
            lines.addAll(Jsonl.read(file, Prediction.class, (line, where) -> {
                if (line.id() == null || line.language() == null) {
                    throw CalmException.badInput(where, "a prediction needs id and language");
                }
                return new Line(line, where);
            }));
        }
        if (lines.isEmpty()) {
            throw CalmException.badInput(files.getFirst(), "has no predictions");
        }
        lines = inOneCode(lines, warnings);
        Map<Place, Question> asked = new LinkedHashMap<>();
        questions.forEach(question -> asked.put(new Place(question.id(), question.language()), question));
        List<LabelSet> labels = labels(lines, asked);
        List<Prediction> read =
                new ArrayList<>(lines.stream().map(Line::prediction).toList());
        Map<String, Integer> notLabels = new LinkedHashMap<>();
        Set<String> languages = lines.stream()
                .map(line -> line.prediction.language())
                .collect(Collectors.toCollection(LinkedHashSet::new));
        for (String language : languages) {
            List<Integer> own = new ArrayList<>();
            for (int i = 0; i < read.size(); i++) {
                if (read.get(i).language().equals(language)) {
                    own.add(i);
                }
            }
            List<LabelSet> sets = own.stream().map(labels::get).toList();
            List<String> truths =
                    column("answers", own, read, Prediction::answer, sets, language, warnings, new HashMap<>());
            List<String> said =
                    column("predictions", own, read, Prediction::prediction, sets, language, warnings, notLabels);
            for (int k = 0; k < own.size(); k++) {
                Prediction old = read.get(own.get(k));
                read.set(
                        own.get(k),
                        new Prediction(
                                old.id(),
                                language,
                                truth(
                                        truths.get(k),
                                        asked.get(new Place(old.id(), language)),
                                        lines.get(own.get(k)).where),
                                said.get(k),
                                group(old, asked.get(new Place(old.id(), language))),
                                said.get(k) == null ? null : old.confidence()));
            }
        }
        if (!notLabels.isEmpty()) {
            warnings.add(notLabels.values().stream().mapToInt(Integer::intValue).sum() + " of " + read.size()
                    + " predictions are not labels and count as unanswered: " + counted(notLabels));
        }
        overlap(read, languages, warnings);
        return new PredictionFiles(read, notLabels, warnings);
    }

    private static String group(Prediction line, Question asked) {
        return line.group() == null && asked != null ? asked.group() : line.group();
    }

    /** A code such as {@code cn} means its language; variants such as {@code pt-BR} and {@code pt-PT} remain distinct. */
    private static List<Line> inOneCode(List<Line> lines, List<String> warnings) {
        Map<Place, String> seen = new HashMap<>();
        Map<String, String> codes = new LinkedHashMap<>();
        List<Line> read = new ArrayList<>();
        for (Line line : lines) {
            String written = line.prediction.language();
            String code = codes.computeIfAbsent(
                    written,
                    each -> each.matches("\\s*[A-Za-z]{2,3}\\s*") && LanguageCode.of(each) != null
                            ? LanguageCode.of(each)
                            : each);
            Prediction old = line.prediction;
            String before = seen.putIfAbsent(new Place(old.id(), code), written);
            if (before != null) {
                throw CalmException.badInput(
                        line.where,
                        "a second line for id " + old.id() + " in language " + code
                                + (before.equals(written)
                                        ? ""
                                        : ", which is written '" + before + "' and '" + written + "'")
                                + "; keep one line for each id and language");
            }
            read.add(new Line(
                    new Prediction(old.id(), code, old.answer(), old.prediction(), old.group(), old.confidence()),
                    line.where));
        }
        codes.forEach((written, code) -> {
            if (!written.equals(code)) {
                warnings.add("language '" + written + "' is read as " + code);
            }
        });
        return read;
    }

    private static List<LabelSet> labels(List<Line> lines, Map<Place, Question> asked) {
        if (asked.isEmpty()) {
            LabelSet one = LabelSet.guess(
                    lines.stream().map(line -> line.prediction.answer()).toList(),
                    lines.stream().map(line -> line.prediction.prediction()).toList());
            return lines.stream().map(line -> one).toList();
        }
        return lines.stream()
                .map(line -> {
                    Question question = asked.get(new Place(line.prediction.id(), line.prediction.language()));
                    if (question == null) {
                        throw CalmException.badInput(
                                line.where,
                                "the questions of ",
                                Setting.of("data"),
                                " have no id " + line.prediction.id() + " in " + line.prediction.language());
                    }
                    return LabelSet.of(question.choices().stream()
                            .map(Question.Choice::label)
                            .toList());
                })
                .toList();
    }

    private static List<String> column(
            String name,
            List<Integer> own,
            List<Prediction> all,
            Function<Prediction, String> value,
            List<LabelSet> labels,
            String language,
            List<String> warnings,
            Map<String, Integer> strange) {
        LabelColumn column =
                new LabelColumn(own.stream().map(i -> value.apply(all.get(i))).toList(), labels);
        if (column.changes() > 0) {
            warnings.add(language + ": " + column.changes() + " " + name + " are read as labels: "
                    + column.changed().entrySet().stream()
                            .limit(EXAMPLES)
                            .map(each -> quoted(each.getKey()) + " as " + each.getValue())
                            .collect(Collectors.joining(", ")));
        }
        if (column.isUndecided()) {
            warnings.add(
                    language + ": " + name + " are numbers from " + column.least() + " to " + column.greatest()
                            + ", labels are "
                            + labels.getFirst().all().getFirst() + ", "
                            + labels.getFirst().all().get(1)
                            + ", …; it is not clear whether numbers count from 0 or from 1, so they are not used; write labels");
        }
        column.strange().forEach((each, n) -> strange.merge(each, n, Integer::sum));
        Map<String, Integer> unread = new LinkedHashMap<>(column.strange());
        unread.keySet().removeIf(LabelSet::isNothing);
        if (name.equals("answers") && !unread.isEmpty()) {
            warnings.add(language + ": true answers that are not labels are not used: " + counted(unread));
        }
        return column.labels();
    }

    private static String truth(String here, Question question, String where) {
        if (question == null || question.answer() == null) {
            return here;
        }
        if (here != null && !here.equals(question.answer())) {
            throw CalmException.badInput(
                    where, "the answer is " + here + ", but in ", Setting.of("data"), " " + question.answer());
        }
        return question.answer();
    }

    /** With the questions that have no prediction, as unanswered. */
    public PredictionFiles andUnanswered(List<Question> questions) {
        Set<Place> there = predictions.stream()
                .map(each -> new Place(each.id(), each.language()))
                .collect(Collectors.toSet());
        List<Prediction> all = new ArrayList<>(predictions);
        questions.stream()
                .filter(question -> !there.contains(new Place(question.id(), question.language())))
                .forEach(question -> all.add(new Prediction(
                        question.id(), question.language(), question.answer(), null, question.group(), null)));
        if (all.size() > predictions.size()) {
            warnings.add(all.size() - predictions.size() + " of " + questions.size()
                    + " questions have no prediction and count as unanswered");
        }
        return new PredictionFiles(all, notLabels, warnings);
    }

    private static void overlap(List<Prediction> read, Set<String> languages, List<String> warnings) {
        Map<String, Set<String>> byId = new LinkedHashMap<>();
        read.forEach(
                each -> byId.computeIfAbsent(each.id(), id -> new TreeSet<>()).add(each.language()));
        Map<String, Integer> lacking = new LinkedHashMap<>();
        byId.values().forEach(own -> languages.stream()
                .filter(language -> !own.contains(language))
                .forEach(language -> lacking.merge(language, 1, Integer::sum)));
        if (languages.size() > 1 && byId.values().stream().allMatch(own -> own.size() == 1)) {
            Map<String, String> firsts = new LinkedHashMap<>();
            read.forEach(each -> firsts.putIfAbsent(each.language(), each.id()));
            long shared = read.stream()
                    .map(each -> each.id()
                            .toLowerCase(Locale.ROOT)
                            .replaceFirst(
                                    "(?:^|[-_./])" + each.language().toLowerCase(Locale.ROOT) + "(?:$|[-_./])", ""))
                    .distinct()
                    .count();
            warnings.add("no two languages have an id in common, so no answers can agree: "
                    + firsts.entrySet().stream()
                            .limit(EXAMPLES)
                            .map(each -> each.getKey() + " begins with " + quoted(each.getValue()))
                            .collect(Collectors.joining(", "))
                    + "; a question needs the same id in all languages"
                    + (shared < byId.size() ? "; leave the language out of it" : ""));
        } else if (!lacking.isEmpty()) {
            warnings.add(byId.values().stream()
                            .filter(own -> own.size() < languages.size())
                            .count() + " of " + byId.size()
                    + " ids are not in all languages (missing: "
                    + lacking.entrySet().stream()
                            .map(each -> each.getKey() + " " + each.getValue())
                            .collect(Collectors.joining(", "))
                    + "); a missing answer counts as not equal");
        }
    }

    private static String counted(Map<String, Integer> values) {
        return values.entrySet().stream()
                        .sorted(Map.Entry.<String, Integer>comparingByValue(Comparator.reverseOrder()))
                        .limit(EXAMPLES)
                        .map(each -> quoted(each.getKey()) + " " + each.getValue())
                        .collect(Collectors.joining(", "))
                + (values.size() > EXAMPLES ? ", …" : "");
    }

    private static String quoted(String value) {
        String plain = value.replaceAll("[\\p{Cntrl}\\p{Cf}]", "\uFFFD");
        return '"' + (plain.length() > LONGEST ? plain.substring(0, LONGEST) + "…" : plain) + '"';
    }
}
