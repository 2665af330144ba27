package org.calm4j.engine.io;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.core.io.JsonEOFException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.exc.InvalidFormatException;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.PropertyBindingException;
import com.fasterxml.jackson.databind.exc.ValueInstantiationException;
import com.fasterxml.jackson.databind.util.ClassUtil;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Excerpt;

/** What is wrong with a JSON or YAML text, in our words: which field, what is expected, and what was found. */
public final class JsonProblem {
    private static final Pattern MISSING = Pattern.compile("Missing required creator property '(.+?)'");
    private static final Pattern TWICE = Pattern.compile("Duplicate field '(.*)'", Pattern.DOTALL);

    private JsonProblem() {}

    /** One line. */
    public static String of(JsonProcessingException e) {
        for (Throwable cause = e.getCause(); cause != null; cause = cause.getCause()) {
            if (cause instanceof CalmException known) {
                return known.getMessage();
            }
            // The message of one of our records, not of a library.
            if (cause instanceof IllegalArgumentException
                    && cause.getMessage() != null
                    && cause.getStackTrace().length > 0
                    && cause.getStackTrace()[0].getClassName().startsWith("org.calm4j.")) {
                return Excerpt.message(cause.getMessage());
            }
        }
        String message = String.valueOf(e.getOriginalMessage());
        Matcher twice = TWICE.matcher(message);
        if (twice.find()) {
            return "Duplicate field \"" + Excerpt.of(twice.group(1)) + "\"";
        }
        if (e instanceof JsonMappingException mapping) {
            String place = path(mapping);
            String what = what(mapping);
            return (place.isEmpty() || what.startsWith(place + " is missing") ? "" : place + ": ") + what;
        }
        if (e instanceof StreamConstraintsException) {
            return "nested too deeply, or a number or text in it is too long";
        }
        if (e instanceof JsonEOFException) {
            return "not valid JSON: it ends in the middle of a value";
        }
        return "not valid JSON"
                + (e.getLocation() == null || e.getLocation().getColumnNr() < 1
                        ? ""
                        : ", at column " + e.getLocation().getColumnNr());
    }

    /** The same without where it stands. */
    public static String what(JsonMappingException e) {
        String message = String.valueOf(e.getOriginalMessage());
        Matcher missing = MISSING.matcher(message);
        if (missing.find()) {
            return Excerpt.of(missing.group(1)) + " is missing";
        }
        if (message.startsWith("Trailing token")) {
            return "more text follows the value";
        }
        if (e instanceof PropertyBindingException unknown) {
            return "unknown field \"" + Excerpt.of(unknown.getPropertyName()) + "\"";
        }
        if (e instanceof ValueInstantiationException) {
            return "a value that is not allowed here";
        }
        if (e instanceof MismatchedInputException wrong && wrong.getTargetType() != null) {
            return "expected " + expected(wrong.getTargetType()) + ", found " + found(wrong);
        }
        return e.getCause() instanceof JsonProcessingException inner ? of(inner) : "not what is expected here";
    }

    /** A type in the words of a user who reads the text. */
    public static String expected(Class<?> type) {
        Class<?> wanted = type.isPrimitive() ? ClassUtil.wrapperType(type) : type;
        if (wanted.isEnum()) {
            return "one of "
                    + Stream.of(wanted.getEnumConstants()).map(Object::toString).collect(Collectors.joining(", "));
        }
        return wanted == Integer.class || wanted == Long.class
                ? "a whole number"
                : Number.class.isAssignableFrom(wanted)
                        ? "a number"
                        : wanted == Boolean.class
                                ? "true or false"
                                : Collection.class.isAssignableFrom(wanted) || wanted.isArray()
                                        ? "a list"
                                        : wanted == String.class || wanted == Path.class ? "a text" : "an object";
    }

    private static String found(MismatchedInputException e) {
        if (e instanceof InvalidFormatException wrong && wrong.getValue() != null) {
            return wrong.getValue() instanceof CharSequence
                    ? "\"" + Excerpt.of(wrong.getValue()) + "\""
                    : Excerpt.of(wrong.getValue());
        }
        if (!(e.getProcessor() instanceof JsonParser parser)) {
            return "something else";
        }
        JsonToken token = parser.currentToken();
        try {
            return switch (token) {
                case null -> "nothing";
                case START_OBJECT, END_OBJECT, FIELD_NAME -> "an object";
                case START_ARRAY, END_ARRAY -> "a list";
                case VALUE_STRING -> "\"" + Excerpt.of(parser.getText()) + "\"";
                case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> Excerpt.of(parser.getText());
                case VALUE_TRUE -> "true";
                case VALUE_FALSE -> "false";
                case VALUE_NULL -> "null";
                default -> "something else";
            };
        } catch (IOException broken) {
            return "something else";
        }
    }

    /** The path of the field, such as {@code choices[2].text}; empty at the top. */
    public static String path(JsonMappingException e) {
        return e.getPath().stream()
                .map(step ->
                        step.getFieldName() == null ? "[" + step.getIndex() + "]" : Excerpt.of(step.getFieldName()))
                .collect(Collectors.joining("."))
                .replace(".[", "[");
    }

    /**
     * Checks a value that a record requires.
     *
     * @throws CalmException bad input; the reader adds the line
     */
    public static <T> T required(T value, String name) {
        Collection<?> within =
                value instanceof Map<?, ?> map ? map.values() : value instanceof Collection<?> all ? all : List.of();
        if (value == null || within.stream().anyMatch(Objects::isNull)) {
            throw new CalmException(
                    CalmException.Kind.BAD_INPUT, name + (value == null ? " is missing" : " has a null in it"), null);
        }
        return value;
    }
}
