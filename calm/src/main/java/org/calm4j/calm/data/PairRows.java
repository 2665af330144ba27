package org.calm4j.calm.data;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.calm4j.engine.Setting;
import org.calm4j.engine.chat.Conversation;
import org.calm4j.engine.train.Example;

/** Lines that are preference pairs. */
final class PairRows {
    private PairRows() {}

    /** @param language suffix of the names: empty, or _1 or _2 in a line of two languages */
    static Example.Preference pair(RowReader reader, Row row, String language) {
        if (!row.has("chosen" + language)
                && !row.has("chosen" + language + "_input_ids")
                && (row.has("label") || row.has("kto_tag"))) {
            throw row.bad(
                    "is a single completion with a label, not a pair; ",
                    Setting.of("loss_type").at("kto"),
                    " learns from those");
        }
        if (row.names("prompt" + language + "_input_ids")) {
            return new Example.Preference(
                    reader.ids(row, "prompt" + language + "_input_ids"),
                    reader.ids(row, "chosen" + language + "_input_ids"),
                    reader.ids(row, "rejected" + language + "_input_ids"),
                    RowReader.weight(row));
        }
        String chosen = "chosen" + language;
        String rejected = "rejected" + language;
        if (isWhole(row, chosen)
                && isWhole(row, rejected)
                && !row.json().path("prompt" + language).isArray()) {
            return ofCommonMessages(reader, row, language);
        }
        RowReader.Asked asked;
        if (language.isEmpty() && row.names("instruction")) {
            asked = reader.instruction(row);
        } else if (language.isEmpty()
                && !row.names("prompt")
                && (row.names("conversations") || row.names("messages"))) {
            String name = row.names("conversations") ? "conversations" : "messages";
            asked = RowReader.Asked.of(reader.conversation(Turns.withSystem(Turns.of(row, name), row), row));
        } else if (!row.names("prompt" + language)
                && row.json().path(chosen).isTextual()
                && row.json().path(rejected).isTextual()) {
            return ofCommonText(reader, row, language);
        } else {
            asked = reader.asked(row, "prompt" + language, "history" + language);
        }
        if (asked.prompt().length == 0) {
            throw row.bad("prompt" + language + " is empty");
        }
        return new Example.Preference(
                asked.prompt(),
                reader.completion(asked, row, chosen),
                reader.completion(asked, row, rejected),
                RowReader.weight(row));
    }

    /** Whether a list is a conversation from its beginning, not only the end of one. */
    private static boolean isWhole(Row row, String name) {
        JsonNode first = row.json().path(name).path(0);
        return row.json().path(name).isArray()
                && !Set.of("assistant", "gpt")
                        .contains(first.path("role").asText(first.path("from").asText("assistant")));
    }

    /** TRL's implicit prompt. */
    private static Example.Preference ofCommonMessages(RowReader reader, Row row, String language) {
        List<Map<String, Object>> chosen = Turns.withSystem(Turns.of(row, "chosen" + language), row);
        List<Map<String, Object>> rejected = Turns.withSystem(Turns.of(row, "rejected" + language), row);
        int common = Turns.common(chosen, rejected);
        if (common == 0 || common == chosen.size() || common == rejected.size()) {
            throw row.bad(noPrompt(language, common == 0));
        }
        List<Map<String, Object>> prompt = chosen.subList(0, common);
        // Some files repeat it as text.
        if (row.json().path("prompt" + language).isTextual()
                && prompt.stream().anyMatch(turn -> row.text("prompt" + language)
                        .strip()
                        .equals(String.valueOf(turn.get("content")).strip()))) {
            row.get("prompt" + language);
        }
        Conversation asked = reader.conversation(prompt, row);
        return new Example.Preference(
                asked.prompt(),
                asked.completion(chosen.subList(common, chosen.size())),
                asked.completion(rejected.subList(common, rejected.size())),
                RowReader.weight(row));
    }

    private static Example.Preference ofCommonText(RowReader reader, Row row, String language) {
        String chosen = row.text("chosen" + language);
        String rejected = row.text("rejected" + language);
        int common = Turns.common(chosen, rejected);
        if (common == 0 || common == chosen.length() || common == rejected.length()) {
            throw row.bad(noPrompt(language, common == 0));
        }
        RowReader.refuseTurns(row);
        return new Example.Preference(
                reader.requireTokenizer(row).encodePrompt(chosen.substring(0, common)),
                reader.ended(reader.requireTokenizer(row).encode(chosen.substring(common), false), row, true),
                reader.ended(reader.requireTokenizer(row).encode(rejected.substring(common), false), row, true),
                RowReader.weight(row));
    }

    private static String noPrompt(String language, boolean nothing) {
        return "prompt" + language + " is missing, and chosen and rejected "
                + (nothing ? "have no common beginning in its place" : "do not differ after a common beginning");
    }
}
