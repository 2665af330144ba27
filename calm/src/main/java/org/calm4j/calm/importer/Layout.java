package org.calm4j.calm.importer;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Locale;
import java.util.function.Predicate;

/** Layouts of published files, recognised by the fields of an item; the first that matches reads it. */
public enum Layout {
    CALM_SAMPLES(CalmLayout::isSamples, CalmLayout::samples),
    CALM_QUESTIONS(CalmLayout::isQuestion, CalmLayout::question),
    COMMONSENSE_QA(QuestionLayouts::isCommonsense, QuestionLayouts::commonsense),
    MEDQA(
            item -> item.path("question").isTextual()
                    && (item.path("options").isObject()
                            || item.path("options").path(0).has("key")),
            QuestionLayouts::medqa),
    BELEBELE(item -> item.has("flores_passage") && item.has("mc_answer1"), QuestionLayouts::belebele),
    BMLAMA(item -> item.has("Prompt") && item.has("Ans") && item.has("Candidate Ans"), QuestionLayouts::bmlama),
    CALM4J(
            item -> item.path("question").isTextual()
                    && item.path("choices").path(0).has("label"),
            QuestionLayouts::own),
    TRUTHFUL_QA(
            item -> item.path("question").isTextual()
                    && item.path("mc1_targets").path("choices").isArray(),
            QuestionLayouts::truthful),
    MMLU_PRO(item -> item.path("options").path(0).isTextual() && item.has("answer_index"), FieldLayout::read),
    MEDMCQA(item -> item.has("opa") && item.has("opb"), FieldLayout::read),
    MMLU(FieldLayout::isTable, FieldLayout::read),
    MULTIPLE_CHOICE(FieldLayout::isQuestion, FieldLayout::read),
    SHAREGPT(item -> item.path("conversations").isArray(), ConversationLayouts::shareGpt),
    ALPACA(
            item -> item.path("instruction").isTextual() && item.path("output").isTextual(),
            ConversationLayouts::alpaca);

    private interface Reader {
        Object read(Source item) throws Unreadable;
    }

    private final Predicate<JsonNode> knows;
    private final Reader reader;

    Layout(Predicate<JsonNode> knows, Reader reader) {
        this.knows = knows;
        this.reader = reader;
    }

    /** Null if none matches. */
    public static Layout of(JsonNode item) {
        for (Layout layout : values()) {
            if (layout.knows.test(item)) {
                return layout;
            }
        }
        return null;
    }

    /** A {@code Question}, {@code Samples}, or a JSON object with a text to train on. */
    public Object read(Source item) throws Unreadable {
        return reader.read(item);
    }

    /** Whether answers may be numbers, as positions of options. */
    boolean countsAnswers() {
        return this == MMLU_PRO || this == MEDMCQA || this == MMLU || this == MULTIPLE_CHOICE;
    }

    /** The item's own id; null if it has none. */
    public String id(JsonNode item) {
        if (this == BELEBELE) {
            return QuestionLayouts.belebeleId(item);
        }
        for (String field : new String[] {"id", "sample_id", "qid", "question_id", "story_id"}) {
            if (item.path(field).isValueNode() && !item.path(field).asText().isBlank()) {
                return item.path(field).asText();
            }
        }
        return null;
    }

    /** The item's language, as written; null if it names none. */
    public String language(JsonNode item) {
        for (String field : new String[] {"language", "lang", "dialect"}) {
            if (item.path(field).isTextual() && !item.path(field).asText().isBlank()) {
                return item.path(field).asText();
            }
        }
        return null;
    }

    /** A readable name. */
    public String text() {
        return name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
}
