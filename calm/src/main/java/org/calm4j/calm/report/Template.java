package org.calm4j.calm.report;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.interpret.RenderResult;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Fills one of the report's Jinja templates; values are data, never templates. */
final class Template {
    private Template() {}

    static String render(String resource, Map<String, Object> values) {
        Jinjava jinjava = new Jinjava(JinjavaConfig.newBuilder()
                // By default Jinjava evaluates braces inside values again.
                .withNestedInterpretationEnabled(false)
                .withTrimBlocks(true)
                .withKeepTrailingNewline(true)
                .build());
        TextFilter.ALL.forEach(jinjava::registerFilter);
        RenderResult result = jinjava.renderForResult(resource(resource), values);
        if (result.hasErrors()) {
            throw new IllegalStateException(resource + ": " + result.getErrors());
        }
        return result.getOutput();
    }

    static String resource(String name) {
        try (InputStream in = Template.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException("the class path lacks " + name);
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
