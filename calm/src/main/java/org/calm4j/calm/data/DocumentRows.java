package org.calm4j.calm.data;

import com.fasterxml.jackson.databind.JsonNode;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.chat.AssistantTokens;
import org.calm4j.engine.chat.Conversation;
import org.calm4j.engine.train.Example;

/** Lines that are documents. */
final class DocumentRows {
    private DocumentRows() {}

    static Example.Document document(RowReader reader, Row row) {
        if (row.names("input_ids")) {
            return document(
                    reader.ids(row, "input_ids"), row.get("completion_start").asInt(1), row);
        }
        if (row.names("text")) {
            return document(reader.ended(reader.requireTokenizer(row).encode(row.text("text")), row, false), 1, row);
        }
        if (row.names("segments")) {
            return segments(reader, row);
        }
        if (row.names("messages") || row.names("conversations")) {
            String name = row.names("messages") ? "messages" : "conversations";
            return document(
                    reader.conversation(Turns.withSystem(Turns.of(row, name), row), row)
                            .encode(false),
                    1,
                    row);
        }
        boolean alpaca = row.names("instruction") && row.names("output");
        if (!alpaca && !(row.names("prompt") && row.names("completion"))) {
            throw row.bad(
                    "expected text, segments, messages, conversations, input_ids, instruction and output, or prompt and completion");
        }
        RowReader.Asked asked = alpaca ? reader.instruction(row) : reader.asked(row, "prompt", "history");
        int[] completion = reader.completion(asked, row, alpaca ? "output" : "completion");
        int[] tokens = Arrays.copyOf(asked.prompt(), asked.prompt().length + completion.length);
        System.arraycopy(completion, 0, tokens, asked.prompt().length, completion.length);
        return document(tokens, Math.max(1, asked.prompt().length), row);
    }

    static Example.Document answers(RowReader reader, Row row) {
        Conversation whole = null;
        int from = 0;
        for (String name : List.of("messages", "conversations")) {
            if (whole == null && row.names(name)) {
                whole = reader.conversation(Turns.withSystem(Turns.of(row, name), row), row);
            }
        }
        if (whole == null) {
            boolean alpaca = row.names("instruction") && row.names("output");
            Conversation asked = !alpaca && !(row.names("prompt") && row.names("completion"))
                    ? null
                    : (alpaca ? reader.instruction(row) : reader.asked(row, "prompt", "history")).conversation();
            if (asked == null) {
                throw row.bad("is no conversation, so that nothing in it is said by an assistant; give messages");
            }
            List<Map<String, Object>> all = new ArrayList<>(asked.messages());
            from = all.size();
            all.addAll(Turns.of(row, alpaca ? "output" : "completion"));
            whole = reader.like(asked, all);
        }
        AssistantTokens tokens = AssistantTokens.of(whole, from);
        BitSet said = tokens.said();
        // Nothing predicts the first token.
        said.clear(0);
        if (said.isEmpty()) {
            throw row.bad("has nothing that the assistant says");
        }
        return new Example.Document(tokens.ids(), said.nextSetBit(0), said, RowReader.weight(row));
    }

    /** A text in pieces, tokenised apart, each with {@code loss}: whether it is learned or only read. */
    private static Example.Document segments(RowReader reader, Row row) {
        IntArrayList tokens = new IntArrayList();
        BitSet learnt = new BitSet();
        boolean last = false;
        for (JsonNode segment : row.get("segments")) {
            if (!segment.path("text").isTextual() || !segment.path("loss").isBoolean()) {
                throw row.bad("segments must be a list of {\"text\": \"…\", \"loss\": true or false}");
            }
            int from = tokens.size();
            last = segment.path("loss").asBoolean();
            String text = segment.path("text").asText();
            tokens.addElements(
                    from,
                    tokens.isEmpty()
                            ? reader.requireTokenizer(row).encodePrompt(text)
                            : reader.requireTokenizer(row).encode(text, false));
            learnt.set(from, tokens.size(), last);
        }
        if (last) {
            int[] all = reader.ended(tokens.toIntArray(), row, false);
            learnt.set(tokens.size(), all.length);
            tokens = new IntArrayList(all);
        }
        // Nothing predicts the first token.
        learnt.clear(0);
        if (learnt.isEmpty()) {
            throw row.bad("segments have no token to learn: set \"loss\": true on one that is not the first token");
        }
        return new Example.Document(tokens.toIntArray(), learnt.nextSetBit(0), learnt, RowReader.weight(row));
    }

    private static Example.Document document(int[] tokens, int from, Row row) {
        if (tokens.length < 2 || from < 1 || from >= tokens.length) {
            throw row.bad("a document needs at least two tokens, one of them to learn; it has " + tokens.length
                    + ", learned from " + from);
        }
        return new Example.Document(tokens, from, RowReader.weight(row));
    }
}
