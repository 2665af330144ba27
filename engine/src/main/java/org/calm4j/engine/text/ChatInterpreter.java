package org.calm4j.engine.text;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.interpret.TemplateError;
import java.util.Collection;

/** Stops at the first error instead of going on, counts steps, and reads expressions as Jinja2 does. */
final class ChatInterpreter extends JinjavaInterpreter {
    private static final int MOST_STEPS = 200_000;

    private int steps;
    private String failure;

    ChatInterpreter(Jinjava jinjava, Context context, JinjavaConfig config) {
        super(jinjava, context, config);
    }

    /** What went wrong first; null when nothing did. */
    String failure() {
        return failure;
    }

    @Override
    public Object resolveELExpression(String expression, int line) {
        count(1);
        Object value = super.resolveELExpression(ChatExpression.of(expression), line);
        boolean large = value instanceof CharSequence text && text.length() > ChatJinja.MOST_CHARACTERS
                || value instanceof Collection<?> list && list.size() > ChatJinja.MOST_ITEMS;
        if (large) {
            fail("makes too large a value");
        }
        return value;
    }

    /** Counts steps: evaluated expressions and items of loops. */
    void count(int more) {
        steps += more;
        if (steps > MOST_STEPS) {
            fail("takes more than " + MOST_STEPS + " steps");
        }
    }

    @Override
    public void addError(TemplateError error) {
        String what = error.getException() == null ? String.valueOf(error.getMessage()) : ChatFailure.describe(error.getException());
        boolean raised = false;
        for (Throwable each = error.getException(); each != null; each = each.getCause()) {
            raised |= each instanceof ChatFailure;
        }
        fail(raised ? what : "line " + Math.max(1, error.getLineno()) + ": " + what);
    }

    private void fail(String what) {
        if (failure == null) {
            failure = ChatFailure.oneLine(what);
        }
        throw new ChatFailure(failure);
    }
}
