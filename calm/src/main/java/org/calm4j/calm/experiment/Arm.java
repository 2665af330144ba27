package org.calm4j.calm.experiment;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.ibm.icu.util.ULocale;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.calm4j.calm.option.DpoOptions;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.PairOptions;
import org.calm4j.calm.option.SampleOptions;
import org.calm4j.calm.option.VoteOptions;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.JsonProblem;

/**
 * One way to align the model: its differences from the experiment. Options are named as on the command line, with underscores.
 *
 * @param sample some of {@link SampleOptions}
 * @param vote some of {@link VoteOptions}
 * @param pairs some of {@link PairOptions}
 * @param dpo some of {@link DpoOptions}; sft takes those that it shares
 * @param train the training method
 * @param rounds of sampling, voting and training, each from the model of the last
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Arm(JsonNode sample, JsonNode vote, JsonNode pairs, JsonNode dpo, Train train, int rounds) {
    private static final ObjectMapper STRICT = Json.mapper()
            .copy()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_IGNORED_PROPERTIES);
    static final Arm CALM = new Arm(null, null, null, null, Train.DPO, 1);

    /** The command that trains. */
    public enum Train {
        DPO,
        SFT;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    public Arm {
        train = train == null ? Train.DPO : train;
        rounds = rounds == 0 ? 1 : rounds;
    }

    /** The known arms, by name: {@code arms.yaml}. */
    static Map<String, Arm> builtIn() {
        try (InputStream in = Arm.class.getResourceAsStream("arms.yaml")) {
            return new YAMLMapper().readValue(in, new TypeReference<LinkedHashMap<String, Arm>>() {});
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Only these languages vote. */
    static Arm voting(List<String> languages) {
        return new Arm(null, Json.mapper().valueToTree(Map.of("languages", languages)), null, null, Train.DPO, 1);
    }

    SampleOptions sample(SampleOptions base) {
        return over(base, sample, SampleOptions.class, "sample");
    }

    /** Whether its first round has its own way of sampling. */
    boolean hasOwnSamples() {
        return sample != null && !sample.isNull();
    }

    VoteOptions vote(VoteOptions base) {
        return over(base, vote, VoteOptions.class, "vote");
    }

    PairOptions pairs(PairOptions base) {
        return over(base, pairs, PairOptions.class, "pairs");
    }

    DpoOptions dpo(DpoOptions base) {
        return over(base, dpo, DpoOptions.class, "dpo");
    }

    /** @throws CalmException wrong usage: options that are not known, or out of their range */
    void check(String name, SampleOptions sample, VoteOptions vote, PairOptions pairs, DpoOptions dpo) {
        Setting.of("rounds").check(rounds > 0, "must be at least 1");
        if (!name.matches("[\\w.-]+") || name.startsWith(".")) {
            throw CalmException.usage("the arm '" + name + "' names files; use letters, digits, . _ and -");
        }
        sample(sample);
        vote(vote);
        pairs(pairs);
        dpo(dpo);
    }

    /** Its differences from the experiment, in words: {@code SFT on the chosen responses, learning rate 0.001}. */
    String words() {
        List<String> words = new ArrayList<>();
        if (train == Train.SFT) {
            words.add("SFT on the chosen responses");
        }
        if (rounds > 1) {
            words.add(rounds == 2 ? "a second round" : rounds + " rounds");
        }
        for (JsonNode changes : Arrays.asList(sample, vote, pairs, dpo)) {
            if (changes != null) {
                changes.properties().forEach(option -> words.add(words(option.getKey(), option.getValue())));
            }
        }
        words.removeIf(String::isEmpty);
        return String.join(", ", words);
    }

    private static String words(String option, JsonNode value) {
        String text = value.isArray() ? String.join(", ", texts(value)) : value.asText();
        return switch (option + " " + text) {
            case "vote_by language" -> "each language's own vote";
            case "vote_by random" -> "random votes, a control";
            case "vote_by truth" -> "the true answers in place of votes";
            case "two_languages true" -> "pairs in two languages";
            case "margin_weights true" -> "pairs weighted by the vote's margin";
            default ->
                switch (option) {
                    case "languages" -> "the vote of " + names(value) + " alone";
                    case "replay" -> "texts replayed beside the pairs";
                    case "loss_type" -> "loss " + text.replace(", ", " + ");
                    default -> text.isEmpty() ? "" : option.replace('_', ' ') + " " + text;
                };
        };
    }

    private static String names(JsonNode languages) {
        return texts(languages).stream()
                .map(code -> ULocale.getDisplayName(code, "en"))
                .collect(Collectors.joining(", "));
    }

    private static List<String> texts(JsonNode list) {
        List<String> texts = new ArrayList<>();
        list.forEach(each -> texts.add(each.asText()));
        return texts;
    }

    private static <R extends Record> R over(R base, JsonNode changes, Class<R> type, String section) {
        if (changes == null || changes.isNull()) {
            return base;
        }
        if (!(changes instanceof ObjectNode given)) {
            throw CalmException.usage(section + ": expected a section with keys and values");
        }
        try {
            return STRICT.treeToValue(Options.of(type).changed(base, given), type);
        } catch (JsonMappingException e) {
            if (e.getCause() instanceof CalmException problem) {
                throw problem.in(section);
            }
            String key = JsonProblem.path(e);
            throw CalmException.usage(section + (key.isEmpty() ? "" : "." + key) + ": " + JsonProblem.what(e));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
