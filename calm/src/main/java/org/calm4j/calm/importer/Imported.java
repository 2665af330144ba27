package org.calm4j.calm.importer;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.calm4j.calm.data.DataFile;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.importer.ImportReport.Kind;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;

/** The items of some files of one layout and language, read and checked. */
public final class Imported {
    private final ImportReport report = new ImportReport();
    private final String language;
    private final Map<String, Object> byId = new LinkedHashMap<>();
    private final Map<String, String> places = new HashMap<>();
    private final Map<List<Object>, Question> contents = new HashMap<>();
    private Layout layout;
    private boolean positions = true;
    private String spoken;
    private AnswerNumbers numbers;

    /** @param language in any usual form; null if the items name it themselves */
    private Imported(String language) {
        this.language = language == null ? null : LanguageCode.of(language);
        if (language != null && this.language == null) {
            throw CalmException.usage(
                    Setting.of("language"), " '" + language + "' is not an ISO 639-1 code such as en, zh, fr");
        }
    }

    /**
     * @param answersFrom what numbers mean as answers: {@code 0}, {@code 1} or {@code text}; null to infer it from the items
     * @throws CalmException wrong usage: not a language; bad input: an unknown layout, items of two layouts, or none that can be read
     */
    public static Imported read(List<Path> files, String language, String answersFrom) {
        Imported imported = new Imported(language);
        List<DataFile.Item> items = new ArrayList<>();
        files.forEach(file -> items.addAll(DataFile.read(file)));
        imported.numbers = AnswerNumbers.of(
                items.stream()
                        .map(DataFile.Item::json)
                        .filter(json -> {
                            Layout layout = Layout.of(json);
                            return layout != null && layout.countsAnswers();
                        })
                        .map(FieldLayout::numbered)
                        .filter(Objects::nonNull)
                        .toList(),
                answersFrom,
                files.getFirst());
        for (int i = 0; i < items.size(); i++) {
            imported.add(items.get(i), String.valueOf(i));
        }
        if (imported.byId.isEmpty()) {
            List<ImportReport.Problem> problems = imported.report.examples();
            throw CalmException.badInput(
                    files.getFirst(),
                    problems.isEmpty()
                            ? "has no items"
                            : "no item can be read; the first problem: "
                                    + problems.getFirst().text());
        }
        return imported;
    }

    private void add(DataFile.Item item, String position) {
        Layout found = Layout.of(item.json());
        // A CALM question with garbled options looks like Alpaca.
        found = found == Layout.ALPACA && layout == Layout.CALM_QUESTIONS ? layout : found;
        if (found == null) {
            throw CalmException.badInput(
                    item.where(),
                    "has none of the known layouts, such as question, choices, answer; see the help of import");
        }
        if (layout != null && layout != found) {
            throw CalmException.badInput(
                    item.where(),
                    "looks like " + found.text() + ", but the items before it like " + layout.text()
                            + "; import one kind of file at a time");
        }
        layout = found;
        String own = layout.id(item.json());
        positions &= own == null;
        String id = own == null ? position : own;
        try {
            Object line = layout.read(new Source(item.json(), id, language(item), numbers));
            for (int same = 2;
                    layout == Layout.BELEBELE
                            && byId.containsKey(id)
                            && !byId.get(id).equals(line);
                    same++) {
                // Another passage of the same page: numbered, in the order that all languages share.
                id = own + "#" + same;
                line = layout.read(new Source(item.json(), id, language(item), numbers));
            }
            if (byId.containsKey(id)) {
                boolean same = byId.get(id).equals(line);
                report.add(
                        same ? Kind.DUPLICATE : Kind.CONTRADICTION,
                        item.where(),
                        id,
                        (same ? "the same as " : "not the same as ") + places.get(id));
                return;
            }
            byId.put(id, line);
            places.put(id, item.where());
            check(line, item.where());
            if (layout.countsAnswers() && FieldLayout.hasGap(item.json())) {
                report.add(
                        Kind.EMPTY_OPTION,
                        item.where(),
                        id,
                        "an option before others has no text; the others keep their labels");
            }
        } catch (Unreadable e) {
            report.add(Kind.UNREADABLE, item.where(), id, e.getMessage());
        }
    }

    private String language(DataFile.Item item) throws Unreadable {
        String said = layout.language(item.json());
        String code = said == null ? null : LanguageCode.of(said);
        if (language == null && code == null) {
            throw CalmException.usage(
                    Setting.of("language"),
                    " is needed, such as ",
                    Setting.of("language").at("en"),
                    ": the items do not name their language");
        }
        if (language != null && code != null && !code.equals(language)) {
            throw new Unreadable("its language is " + said + ", not " + language);
        }
        String here = language == null ? code : language;
        if (spoken != null && !spoken.equals(here)) {
            throw new Unreadable("its language is " + here + ", but that of the items before it " + spoken);
        }
        spoken = here;
        return here;
    }

    private void check(Object line, String where) {
        if (line instanceof Samples samples
                && samples.responses().stream()
                        .allMatch(response -> response.text().isBlank())) {
            report.add(Kind.NO_RESPONSES, where, samples.id(), "pred has no text");
        }
        Question question = question(line);
        if (question == null) {
            return;
        }
        Set<String> texts = new HashSet<>();
        for (Question.Choice choice : question.choices()) {
            if (!texts.add(choice.text())) {
                report.add(
                        Kind.SAME_OPTIONS,
                        where,
                        question.id(),
                        "two options have the text '" + choice.text() + "', which therefore does not identify one");
                break;
            }
        }
        Question before = contents.putIfAbsent(List.of(question.question(), question.choices()), question);
        if (before != null) {
            boolean agree = before.answer() == null
                    || question.answer() == null
                    || before.answer().equals(question.answer());
            report.add(
                    agree ? Kind.REPEATED : Kind.REPEATED_WITH_ANOTHER_ANSWER,
                    where,
                    question.id(),
                    "the same question as id "
                            + before.id()
                            + (agree ? "" : ", whose answer is " + before.answer() + ", not " + question.answer()));
        }
    }

    /** Null if a line is not a question. */
    static Question question(Object line) {
        return line instanceof Question question ? question : line instanceof Samples samples ? samples.asked() : null;
    }

    public Layout layout() {
        return layout;
    }

    /** ISO 639-1. */
    public String language() {
        return spoken;
    }

    /** Readable notes, one line each: how answers were read if that is not obvious, and whether there are any. */
    public List<String> notes() {
        List<String> notes = new ArrayList<>();
        if (numbers.note() != null) {
            notes.add(numbers.note());
        }
        List<Question> questions = byId.values().stream()
                .map(Imported::question)
                .filter(Objects::nonNull)
                .toList();
        if (!questions.isEmpty() && questions.stream().allMatch(question -> question.answer() == null)) {
            notes.add("no item has an answer");
        }
        return notes;
    }

    public ImportReport report() {
        return report;
    }

    /** Whether ids are positions, because no item has its own. */
    boolean hasPositions() {
        return positions;
    }

    /** File and line of an item. */
    String place(String id) {
        return places.getOrDefault(id, "?");
    }

    /** Questions, samples or JSON objects, in order. */
    public List<Object> lines() {
        return new ArrayList<>(byId.values());
    }

    /** Gives all items other ids, in order. */
    void rename(List<String> ids) {
        List<Object> lines = lines();
        List<String> old = new ArrayList<>(byId.keySet());
        byId.clear();
        for (int i = 0; i < ids.size(); i++) {
            String id = ids.get(i);
            byId.put(
                    id,
                    switch (lines.get(i)) {
                        case Question question -> question.withId(id);
                        case Samples samples ->
                            new Samples(samples.asked().withId(id), samples.fullPrompt(), samples.responses());
                        case Object other -> other;
                    });
            places.put("new:" + id, places.get(old.get(i)));
        }
        ids.forEach(id -> places.put(id, places.get("new:" + id)));
    }

    static boolean isText(Object line) {
        return line instanceof JsonNode;
    }
}
