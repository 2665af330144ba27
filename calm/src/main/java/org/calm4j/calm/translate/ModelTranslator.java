package org.calm4j.calm.translate;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.ibm.icu.util.ULocale;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.calm4j.engine.generate.Completion;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.model.ModelFolder;

/**
 * The model itself as translator, asked in the target language (the prompts are those of {@code translate.yaml}, English for others), greedily. A
 * translation that does not come to its end has none.
 */
public final class ModelTranslator implements Translator {
    private static final Map<String, String> PROMPTS = load();

    private final ModelFolder model;
    private final int maxNewTokens;
    private final Map<String, Integer> leftOut = new TreeMap<>();

    /** @param model with a tokenizer; it stays open for as long as this is used */
    public ModelTranslator(ModelFolder model, int maxNewTokens) {
        this.model = model;
        this.maxNewTokens = maxNewTokens;
    }

    @Override
    public List<String> translate(List<Request> requests) {
        List<int[]> prompts = requests.stream()
                .map(request -> model.promptIds(prompt(request)))
                .toList();
        int longest = model.model().config().positions().limit() - maxNewTokens;
        List<int[]> fitting =
                prompts.stream().filter(prompt -> prompt.length <= longest).toList();
        Iterator<List<Completion>> completions = new Generator(model)
                .generate(fitting, Sampling.greedy(maxNewTokens), done -> {})
                .iterator();
        List<String> translations = new ArrayList<>();
        for (int[] prompt : prompts) {
            Completion completion =
                    prompt.length <= longest ? completions.next().getFirst() : null;
            String text =
                    completion != null && completion.ended() ? completion.text().strip() : "";
            if (completion == null || !completion.ended()) {
                leftOut.merge(
                        completion == null
                                ? "longer than the model's positions allow"
                                : "cut off at the most new tokens that it may have",
                        1,
                        Integer::sum);
            }
            translations.add(text.isEmpty() ? null : text);
        }
        return translations;
    }

    @Override
    public Map<String, Integer> leftOut() {
        return leftOut;
    }

    static String prompt(Request request) {
        String language = PROMPTS.containsKey(request.target()) ? request.target() : "en";
        return PROMPTS.get(language)
                .replace("{source}", name(request.source(), language))
                .replace("{target}", name(request.target(), language))
                .replace("{text}", request.text());
    }

    private static String name(String of, String in) {
        return new ULocale(of).getDisplayLanguage(new ULocale(in));
    }

    private static Map<String, String> load() {
        try (InputStream in = ModelTranslator.class.getResourceAsStream("translate.yaml")) {
            return new YAMLMapper().readValue(in, new TypeReference<Map<String, String>>() {});
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
