package org.calm4j.calm.world;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLGenerator;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.ibm.icu.util.LocaleData;
import com.ibm.icu.util.VersionInfo;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;

/** The world as files: what the stages of the pipeline and the report read. The same world gives the same bytes. */
public final class WorldFiles {
    /** Questions that CALM trains on. */
    public static final String TRAINING_QUESTIONS = "questions-train.jsonl";
    /** Questions about the training facts with other options. */
    public static final String EVALUATION_QUESTIONS = "questions-eval.jsonl";
    /** Questions about facts that CALM never trains on. */
    public static final String HELD_OUT_QUESTIONS = "questions-heldout.jsonl";
    /** The known statements of each language, to score: first word as {@code prompt}, the others as {@code completion}. */
    public static final String STATEMENTS = "statements.jsonl";
    /** The facts that pretraining states and asks in each language. */
    public static final String KNOWLEDGE = "knowledge.jsonl";
    /** How questions are put, see {@link PromptTemplates}. */
    public static final String PROMPTS = PromptTemplates.FILE;
    /** Folder of the tokenizer that knows every word of the world. */
    public static final String TOKENIZER = "tokenizer";
    /** The settings in force, as {@code demo --world} reads them. */
    public static final String SETTINGS = "world.yaml";
    /** Seed, languages and counts. */
    public static final String SUMMARY = "world.json";

    private static final YAMLMapper YAML = YAMLMapper.builder(YAMLFactory.builder()
                    .disable(YAMLGenerator.Feature.WRITE_DOC_START_MARKER)
                    .build())
            .disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET)
            .build();

    private WorldFiles() {}

    /** A statement to score, unique in the file by its id. */
    private record Statement(String id, String language, String prompt, String completion) {}

    /** One fact in one language. */
    private record Knowledge(
            String id,
            String language,
            boolean known,
            boolean asked,
            @JsonProperty("held_out") boolean heldOut) {}

    /** Writes all files into {@code folder}, which is made if it is not there. */
    public static void write(World world, Curriculum curriculum, Path folder) {
        List<Statement> statements = new ArrayList<>();
        List<Knowledge> knowledge = new ArrayList<>();
        for (String language : world.config().languages()) {
            for (Fact fact : world.facts()) {
                boolean known = world.isKnown(language, fact);
                knowledge.add(new Knowledge(
                        fact.id(), language, known, curriculum.isAsked(language, fact), world.isHeldOut(fact)));
                if (known) {
                    String[] parts = world.statement(language, fact).split(" ", 2);
                    statements.add(new Statement(fact.id() + "-" + language, language, parts[0], parts[1]));
                }
            }
        }
        AtomicFile.directories(folder);
        Jsonl.write(folder.resolve(TRAINING_QUESTIONS), world.trainingQuestions());
        Jsonl.write(folder.resolve(EVALUATION_QUESTIONS), world.evaluationQuestions());
        Jsonl.write(folder.resolve(HELD_OUT_QUESTIONS), world.heldOutQuestions());
        Jsonl.write(folder.resolve(STATEMENTS), statements);
        Jsonl.write(folder.resolve(KNOWLEDGE), knowledge);
        world.promptTemplates().write(folder.resolve(PROMPTS));
        curriculum.tokenizer().save(folder.resolve(TOKENIZER));
        AtomicFile.write(folder.resolve(SETTINGS), out -> YAML.writeValue(out, world.config()));
        Json.write(folder.resolve(SUMMARY), summary(world, curriculum));
    }

    private static Map<String, Object> summary(World world, Curriculum curriculum) {
        WorldConfig config = world.config();
        Map<String, Map<String, Double>> coverage = new LinkedHashMap<>();
        for (Relation relation : Relation.values()) {
            List<Fact> facts = world.facts().stream()
                    .filter(fact -> fact.relation() == relation)
                    .toList();
            Map<String, Double> shares = new LinkedHashMap<>();
            for (String language : config.languages()) {
                shares.put(
                        language,
                        (double) facts.stream()
                                        .filter(fact -> world.isKnown(language, fact))
                                        .count()
                                / facts.size());
            }
            coverage.put(relation.id(), shares);
        }
        Map<String, Object> summary = new LinkedHashMap<>();
        summary.put(
                "source",
                "Unicode CLDR " + LocaleData.getCLDRVersion().getMajor() + " in ICU4J "
                        + VersionInfo.ICU_VERSION.getMajor());
        summary.put("seed", world.seed());
        summary.put("languages", config.languages());
        summary.put("hubs", config.hubs());
        summary.put("territories", config.territories());
        summary.put("facts", world.facts().size());
        summary.put(
                "held_out_facts",
                world.facts().stream().filter(world::isHeldOut).map(Fact::id).toList());
        summary.put("options", config.options());
        summary.put("training_questions", world.trainingQuestions().size());
        summary.put("evaluation_questions", world.evaluationQuestions().size());
        summary.put("held_out_questions", world.heldOutQuestions().size());
        summary.put("vocabulary", curriculum.vocabulary().size());
        summary.put("coverage", coverage);
        return summary;
    }
}
