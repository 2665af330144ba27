package org.calm4j.calm.data;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.train.Example;

/** Lines that are single completions, desirable or not. */
final class CompletionRows {
    private CompletionRows() {}

    static Example.Unpaired unpaired(RowReader reader, Row row) {
        String name = row.names("kto_tag") ? "kto_tag" : "label";
        JsonNode label = row.get(name);
        if (!label.isBoolean()) {
            throw row.bad(name + " must be true (desirable) or false");
        }
        if (row.names("prompt_input_ids")) {
            return Example.Unpaired.of(
                    reader.ids(row, "prompt_input_ids"),
                    reader.ids(row, "completion_input_ids"),
                    label.asBoolean(),
                    RowReader.weight(row));
        }
        if (!row.names("prompt") && (row.names("messages") || row.names("conversations"))) {
            return lastTurn(reader, row, row.names("messages") ? "messages" : "conversations", label.asBoolean());
        }
        boolean alpaca = row.names("instruction") && row.names("output");
        if (!alpaca && !(row.names("prompt") && row.names("completion"))) {
            throw row.bad(
                    "expected prompt, completion and label, messages and label, or prompt_input_ids, completion_input_ids and label");
        }
        RowReader.Asked asked = alpaca ? reader.instruction(row) : reader.asked(row, "prompt", "history");
        if (asked.prompt().length == 0) {
            throw row.bad((alpaca ? "instruction" : "prompt") + " is empty");
        }
        return Example.Unpaired.of(
                asked.prompt(),
                reader.completion(asked, row, alpaca ? "output" : "completion"),
                label.asBoolean(),
                RowReader.weight(row));
    }

    /** The last message is the completion. */
    private static Example.Unpaired lastTurn(RowReader reader, Row row, String name, boolean label) {
        List<Map<String, Object>> all = Turns.withSystem(Turns.of(row, name), row);
        if (all.size() < 2 || !"assistant".equals(all.getLast().get("role"))) {
            throw row.bad(name + " must end with what the assistant says, after something that it answers");
        }
        RowReader.Asked asked = RowReader.Asked.of(reader.conversation(all.subList(0, all.size() - 1), row));
        return Example.Unpaired.of(
                asked.prompt(), asked.conversation().completion(List.of(all.getLast())), label, RowReader.weight(row));
    }
}
