package org.calm4j.engine.jinja;

import java.time.LocalDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The functions that every template knows: Jinja2's own, and the two of transformers. */
final class Globals {
    private static final int LONGEST_MESSAGE = 500;

    private Globals() {}

    static Map<String, Object> of(Budget budget) {
        Map<String, Object> globals = new HashMap<>();
        add(globals, "range", given -> {
            Object[] values = given.places("range", 1, 3);
            boolean one = values[1] == Arguments.ABSENT;
            return new Range(
                    one ? 0 : number(values[0]),
                    number(one ? values[0] : values[1]),
                    number(Arguments.or(values[2], 1L)));
        });
        add(globals, "dict", given -> Dicts.of(given, budget));
        add(globals, "namespace", given -> {
            Namespace namespace = new Namespace();
            namespace.attributes().putAll(Dicts.of(given, budget));
            return namespace;
        });
        add(globals, "joiner", given -> {
            Object separator = Arguments.or(given.bind("joiner", 0, "sep")[0], ", ");
            boolean[] used = new boolean[1];
            return new Callable("joiner", again -> {
                again.places("joiner", 0, 0);
                Object text = used[0] ? separator : "";
                used[0] = true;
                return text;
            });
        });
        add(globals, "cycler", given -> {
            if (given.positional().isEmpty() || !given.named().isEmpty()) {
                throw new TemplateFailure("has no values to cycle through");
            }
            return new Cycler(given.positional());
        });
        add(globals, "lipsum", _ -> {
            throw new TemplateFailure("asks for random text, which is not supported");
        });
        add(globals, "raise_exception", given -> {
            throw new TemplateFailure(
                    Text.oneLine(Python.string(given.bind("raise_exception", 1, "message")[0]), LONGEST_MESSAGE));
        });
        add(globals, "strftime_now", given -> {
            String format = Python.text(given.bind("strftime_now", 1, "format")[0]);
            if (format == null) {
                throw new TemplateFailure("asks for the time without a format");
            }
            return budget.made(Time.format(LocalDateTime.now(), format));
        });
        return globals;
    }

    private static void add(Map<String, Object> globals, String name, Callable.Body body) {
        globals.put(name, new Callable(name, body));
    }

    private static long number(Object value) {
        if (!Numbers.isInteger(value)) {
            throw new TemplateFailure("gives range " + Python.type(value) + " instead of an integer");
        }
        java.math.BigInteger number = Numbers.big(value);
        return number.bitLength() < 60 ? number.longValue() : number.signum() * (1L << 60);
    }

    /** What {@code cycler} makes. */
    static final class Cycler {
        private final List<Object> items;
        private int at;

        private Cycler(List<Object> items) {
            this.items = items;
        }

        /** {@link Arguments#ABSENT} where it has no such attribute. */
        Object attribute(String name) {
            return switch (name) {
                case "current" -> items.get(at);
                case "next" ->
                    new Callable(name, given -> {
                        given.places(name, 0, 0);
                        Object item = items.get(at);
                        at = (at + 1) % items.size();
                        return item;
                    });
                case "reset" ->
                    new Callable(name, given -> {
                        given.places(name, 0, 0);
                        at = 0;
                        return null;
                    });
                default -> Arguments.ABSENT;
            };
        }
    }
}
