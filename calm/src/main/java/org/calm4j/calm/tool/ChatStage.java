package org.calm4j.calm.tool;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.chat.ChatTemplate;
import org.calm4j.engine.chat.Conversation;
import org.calm4j.engine.generate.ChatSession;
import org.calm4j.engine.generate.Completion;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.model.ModelFolder;

/**
 * A conversation with a model: through its chat template, or, without one, as a text that both continue in turns, a line each.
 * What was computed for earlier turns is kept.
 */
public final class ChatStage implements AutoCloseable {
    private final ModelFolder model;
    private final String system;
    private final Sampling sampling;
    private final ChatSession session;
    private final List<Map<String, Object>> messages = new ArrayList<>();
    private final StringBuilder plain = new StringBuilder();
    private int turn;

    /**
     * @param system the system message; null for none
     * @param length limit of the conversation in tokens, at most the model's positions
     */
    public ChatStage(ModelFolder model, String system, int length, Sampling sampling) {
        model.requireTokenizer();
        if (system != null && model.chatTemplate() == null) {
            throw CalmException.badInput(
                    model.path(),
                    "the model has no chat template, so it cannot be given a ",
                    Setting.of("system"),
                    " message");
        }
        this.model = model;
        this.system = system;
        this.sampling = sampling;
        session = new ChatSession(
                model, Math.min(length, model.model().config().positions().limit()));
        reset();
    }

    /** Whether the model has turns. */
    public boolean hasTemplate() {
        return model.chatTemplate() != null;
    }

    /** Starts a new conversation. */
    public void reset() {
        messages.clear();
        plain.setLength(0);
        turn = 0;
        if (system != null) {
            messages.add(ChatTemplate.message("system", system));
        }
    }

    /**
     * One turn.
     *
     * @param listener receives the answer piece by piece; when it returns false, the answer ends there
     * @throws CalmException bad input: the template refuses the message, or the conversation is too long; the message is then dropped
     */
    public Completion answer(String message, Predicate<String> listener) {
        if (!hasTemplate()) {
            Completion completion =
                    session.answer(model.tokenizer().encodePrompt(plain + message), sampling, turn++, listener);
            plain.append(message).append(completion.text()).append('\n');
            return completion;
        }
        messages.add(ChatTemplate.message("user", message));
        try {
            int[] text = new Conversation(model.tokenizer(), model.chatTemplate(), messages).prompt();
            Completion completion = session.answer(text, sampling, turn++, listener);
            messages.add(ChatTemplate.message("assistant", completion.text()));
            return completion;
        } catch (CalmException e) {
            messages.removeLast();
            throw e;
        }
    }

    /** A completion as {@link GenerateStage} writes it. */
    public static ObjectNode json(Completion completion) {
        return GenerateStage.json(completion);
    }

    @Override
    public void close() {
        session.close();
    }
}
