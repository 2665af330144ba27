package org.calm4j.engine.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;

/**
 * A template in the language of Jinja2, as transformers sets it up for chat templates: {@code trim_blocks} and {@code lstrip_blocks}, an
 * immutable sandbox, {@code break}, {@code continue} and {@code generation}, {@code tojson} as transformers has it, and the functions
 * {@code raise_exception} and {@code strftime_now}. What is undefined or of the wrong type fails where Jinja2 fails. A template comes from
 * strangers: it reads nothing but the values it is given, changes none of them, and its steps, texts and depth are bounded. Parsed once,
 * rendered by many threads.
 */
public final class Template {
    private static final int LONGEST = 1_000_000;
    private static final int DEEPEST = 300;

    private final List<Statement> body;
    private final Object where;

    private Template(List<Statement> body, Object where) {
        this.body = body;
        this.where = where;
    }

    /**
     * @param where the file, for messages
     * @throws CalmException bad input: not a valid template; with the line
     */
    public static Template parse(String source, Object where) {
        if (source.length() > LONGEST) {
            throw CalmException.badInput(
                    where, "the chat template has " + source.length() + " characters, which is more than " + LONGEST);
        }
        try {
            return new Template(Parser.parse(source), where);
        } catch (TemplateFailure failure) {
            throw failure(where, failure, 1);
        } catch (StackOverflowError e) {
            throw CalmException.badInput(where, "the chat template nests too deeply", e);
        }
    }

    /**
     * The text that the template makes of values.
     *
     * @param values texts, numbers, truth values, null, and lists and maps of them
     * @throws CalmException bad input: the template refuses the values, or takes or makes too much
     */
    public String render(Map<String, Object> values) {
        return rendered(values).text();
    }

    /**
     * A template's text.
     *
     * @param generated the texts of its {@code generation} blocks, in order
     */
    public record Rendered(String text, List<Span> generated) {}

    /**
     * A part of a text.
     *
     * @param start its first character; -1 if it was put there by a macro or a filter, and its place is not known
     * @param end the character after its last one
     */
    public record Span(int start, int end) {}

    /** The same, with what the template marks as said by the model. */
    public Rendered rendered(Map<String, Object> values) {
        Renderer renderer = new Renderer();
        try {
            Map<String, Object> known = new HashMap<>();
            values.forEach((name, value) -> known.put(name, known(value, 0)));
            return ScopedValue.where(Budget.CURRENT, renderer.budget()).call(() -> renderer.render(body, known));
        } catch (TemplateFailure failure) {
            throw failure(where, failure, renderer.line());
        } catch (StackOverflowError e) {
            throw CalmException.badInput(
                    where, "line " + renderer.line() + " of the chat template nests too deeply", e);
        }
    }

    private static CalmException failure(Object where, TemplateFailure failure, int line) {
        return CalmException.badInput(
                where, "line " + failure.line(line) + " of the chat template: " + failure.getMessage(), failure);
    }

    /** A copy in the types that the interpreter knows. */
    private static Object known(Object value, int depth) {
        if (depth > DEEPEST) {
            throw new TemplateFailure("has a value that nests deeper than " + DEEPEST + " levels");
        }
        return switch (value) {
            case null -> null;
            case String text -> text;
            case Boolean bool -> bool;
            case Double number -> number;
            case Float number -> Double.valueOf(number.toString());
            case BigDecimal number -> number.doubleValue();
            case BigInteger number -> Numbers.of(number);
            case Number number -> number.longValue();
            case Map<?, ?> map -> {
                Map<Object, Object> copy = LinkedHashMap.newLinkedHashMap(map.size());
                map.forEach((key, each) -> copy.put(known(key, depth + 1), known(each, depth + 1)));
                yield copy;
            }
            case Iterable<?> list -> {
                List<Object> copy = new ArrayList<>();
                list.forEach(each -> copy.add(known(each, depth + 1)));
                yield copy;
            }
            default -> throw new IllegalArgumentException("a template has no type for " + value.getClass());
        };
    }
}
