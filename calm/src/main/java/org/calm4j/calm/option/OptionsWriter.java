package org.calm4j.calm.option;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.SerializerProvider;
import java.io.IOException;
import java.util.Map;

/** Writes an {@link OptionRecord} as one flat section. */
final class OptionsWriter extends JsonSerializer<Record> {
    @Override
    public void serialize(Record record, JsonGenerator json, SerializerProvider serializers) throws IOException {
        json.writeStartObject();
        for (Map.Entry<String, Object> each : deciding(record).entrySet()) {
            serializers.defaultSerializeField(each.getKey(), each.getValue(), json);
        }
        json.writeEndObject();
    }

    @SuppressWarnings("unchecked")
    private static <R extends Record> Map<String, Object> deciding(R record) {
        return Options.of((Class<R>) record.getClass()).deciding(record);
    }
}
