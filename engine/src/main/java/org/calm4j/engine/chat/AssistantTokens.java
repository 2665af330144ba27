package org.calm4j.engine.chat;

import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.jinja.Template;
import org.calm4j.engine.text.Tokenizer;

/**
 * A conversation's tokens, and which of them the assistant says: those of the template's {@code generation} blocks, as in transformers; in a
 * template without them, what it writes after the start of an answer, up to and including the token that ends the turn.
 *
 * @param ids as {@link Conversation#encode} without the beginning of an answer
 * @param said by index
 */
public record AssistantTokens(int[] ids, BitSet said) {
    private static final String ASSISTANT = "assistant";

    /**
     * @param from the first message that counts
     * @throws CalmException bad input: the template writes the messages before an answer differently once there is more
     */
    public static AssistantTokens of(Conversation conversation, int from) {
        Template.Rendered whole = conversation.rendered();
        int[] ids = conversation.tokenizer().encode(whole.text(), false);
        var text = new Tokenized(conversation.tokenizer(), whole.text(), ids);
        BitSet said = new BitSet();
        if (!whole.generated().isEmpty()) {
            int start = from == 0 ? 0 : before(conversation, from, false, whole.text());
            for (Template.Span span : whole.generated()) {
                if (span.start() < 0) {
                    throw CalmException.badInput(
                            "messages",
                            "the chat template has generation blocks in a macro, in a filter or in a block that is assigned;"
                                    + " they count in the text itself only");
                }
                if (span.start() >= start && span.end() > span.start()) {
                    said.set(text.first(span.start()), text.after(span.end()));
                }
            }
        } else {
            for (int i = from; i < conversation.messages().size(); i++) {
                if (ASSISTANT.equals(conversation.messages().get(i).get("role"))) {
                    turn(conversation, i, text, said);
                }
            }
        }
        return new AssistantTokens(ids, said);
    }

    private static void turn(Conversation conversation, int message, Tokenized text, BitSet said) {
        List<Map<String, Object>> all = conversation.messages();
        int start = before(conversation, message, true, text.text);
        // The turn ends at the latest where the text of the messages up to it does, if it goes on like that.
        int count = message + 1;
        while (count < all.size() && !text.text.startsWith(conversation.render(all.subList(0, count), false))) {
            count++;
        }
        int bound = count == all.size()
                ? text.text.length()
                : conversation.render(all.subList(0, count), false).length();
        int end = Math.clamp(conversation.said(all, message, text.text), start, bound);
        int first = text.first(start);
        int[] ids = Arrays.copyOfRange(text.ids, first, text.after(bound));
        int[] own = Arrays.copyOfRange(text.ids, first, text.after(end));
        // What ends a turn is asked where one may follow.
        Conversation asked = message == 0
                ? conversation
                : new Conversation(
                        conversation.tokenizer(),
                        conversation.template(),
                        all.subList(0, message),
                        conversation.options());
        int length = asked.lengthWithEnd(ids, own);
        said.set(first, length > 0 ? first + length : text.after(count == message + 1 ? bound : end));
    }

    /** The length of the messages before one, as the template writes them. */
    private static int before(Conversation conversation, int message, boolean answering, String whole) {
        String before = conversation.render(conversation.messages().subList(0, message), answering);
        if (!whole.startsWith(before)) {
            throw CalmException.badInput(
                    "messages[" + message + "]",
                    "the chat template writes what comes before it differently once there is more, so that the assistant's"
                            + " tokens cannot be told; mark them with {% generation %} in the template");
        }
        return before.length();
    }

    /** A text and its tokens, which may reach over a boundary of the text. */
    private record Tokenized(Tokenizer tokenizer, String text, int[] ids) {
        /** The token that has a character, or the next one. */
        int first(int character) {
            int common = Arrays.mismatch(tokenizer.encode(text.substring(0, character), false), ids);
            return common < 0 ? ids.length : common;
        }

        /** The token after the one that has the character before this one. */
        int after(int character) {
            int[] before = tokenizer.encode(text.substring(0, character), false);
            int common = Arrays.mismatch(before, ids);
            return common < 0 ? ids.length : common == before.length ? common : common + 1;
        }
    }
}
