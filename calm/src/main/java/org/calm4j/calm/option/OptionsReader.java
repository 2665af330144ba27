package org.calm4j.calm.option;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.BeanProperty;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.deser.ContextualDeserializer;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.exc.ValueInstantiationException;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.JsonProblem;

/** Reads an {@link OptionRecord} from one flat section, by any of its options' names. */
final class OptionsReader extends JsonDeserializer<Record> implements ContextualDeserializer {
    private final Class<? extends Record> type;

    OptionsReader() {
        this(null);
    }

    private OptionsReader(Class<? extends Record> type) {
        this.type = type;
    }

    @Override
    public JsonDeserializer<?> createContextual(DeserializationContext context, BeanProperty property) {
        return new OptionsReader(context.getContextualType().getRawClass().asSubclass(Record.class));
    }

    @Override
    public Record deserialize(JsonParser parser, DeserializationContext context) throws IOException {
        if (parser.hasToken(JsonToken.VALUE_STRING) && parser.getText().isBlank()) {
            return null;
        }
        if (!parser.isExpectedStartObjectToken()) {
            return (Record) context.handleUnexpectedToken(type, parser);
        }
        Options<?> options = Options.of(type);
        Map<String, Object> values = new LinkedHashMap<>();
        for (String key = parser.nextFieldName(); key != null; key = parser.nextFieldName()) {
            Options.Defined option = options.named(key);
            if (option == null) {
                if (context.isEnabled(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)) {
                    throw UnrecognizedPropertyException.from(parser, type, key, List.copyOf(options.names()));
                }
                parser.nextToken();
                parser.skipChildren();
                continue;
            }
            parser.nextToken();
            try {
                if (values.containsKey(option.name())) {
                    throw CalmException.usage(
                            Setting.of(option.name()), " is given twice, by two of its names; give it once");
                }
                Object value = value(parser, context, option);
                values.put(option.name(), value == null ? null : JsonProblem.required(value, option.name()));
            } catch (JsonMappingException e) {
                e.prependPath(type, key);
                throw e;
            } catch (CalmException e) {
                throw problem(parser, context, e);
            }
        }
        try {
            return options.record(values);
        } catch (CalmException e) {
            throw problem(parser, context, e);
        }
    }

    /** One value is a list of one. */
    private static Object value(JsonParser parser, DeserializationContext context, Options.Defined option)
            throws IOException {
        if (parser.hasToken(JsonToken.VALUE_NULL)) {
            return null;
        }
        if (option.option().auto()
                && parser.hasToken(JsonToken.VALUE_STRING)
                && parser.getText().equals("auto")) {
            return Option.AUTO;
        }
        if (option.type() == List.class && !parser.isExpectedStartArrayToken()) {
            return List.of(context.readValue(parser, option.parts()[0]));
        }
        JavaType wanted = context.getTypeFactory().constructType(option.generic());
        return context.readValue(parser, wanted);
    }

    private IOException problem(JsonParser parser, DeserializationContext context, CalmException e) {
        return ValueInstantiationException.from(parser, e.getMessage(), context.constructType(type), e);
    }
}
