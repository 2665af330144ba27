package org.calm4j.calm.experiment;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.calm.metric.ResponsePatterns;
import org.calm4j.calm.option.DpoOptions;
import org.calm4j.calm.option.EvaluateOptions;
import org.calm4j.calm.option.InspectOptions;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.PairOptions;
import org.calm4j.calm.option.SampleOptions;
import org.calm4j.calm.option.TranslatorOptions;
import org.calm4j.calm.option.VoteOptions;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.model.ModelFolder;

/**
 * One CALM experiment, as a YAML file describes it; only model, questions (or samples) and output must be given.
 *
 * @param title of the report
 * @param model a model folder
 * @param questions that CALM trains on, in all languages; their answers are never looked at; may be empty with {@code samples}
 * @param samples existing responses of this model, such as another experiment's {@code samples.jsonl}; without them the model is asked
 * @param evaluation questions to measure with; without them the training questions
 * @param heldOut questions about something CALM did not train on
 * @param prompts prompt templates by language; without them those of the model folder or the built-in ones
 * @param sample how responses are sampled
 * @param vote options of the vote, named as on the command line with underscores; of pairs and dpo alike
 * @param evaluate how the models are measured; by default with greedy responses
 * @param baselines names of known arms: {@code sft}, {@code truth}, {@code self-consistency}, {@code english-pivot}, {@code scpo},
 *     {@code dco}, {@code iterative}, {@code random}, {@code sft-term}
 * @param arms of the experiment's own, by name; with the baselines after reading
 * @param languageCurve languages in an order: arms {@code languages-1}, {@code languages-2} … in which only the first ones vote
 * @param statements lines with {@code language}, {@code prompt} and {@code completion} whose perplexity is compared
 * @param knowledge lines with {@code id}, {@code language} and {@code known}, for tables by what the pretraining texts state; the id is a
 *     question's group, or where it has none its own id up to the last hyphen
 * @param hubs languages that the others may ask, for the same table; null for all
 * @param patterns kinds of responses to count before and after: names with a regular expression each, or with one for each language; null for
 *     none
 * @param saveSteps steps between checkpoints of each training, which are then kept; null to keep none
 * @param inspect what is measured in each training; null for the gradients and margins by language of CALM's own alone
 * @param inside questions of each language by which it is looked into the model before and after; 0 for none, and for no measurements
 *     unless {@code inspect} asks for them
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record ExperimentConfig(
        String title,
        Path model,
        List<Path> questions,
        List<Path> samples,
        List<Path> evaluation,
        List<Path> heldOut,
        Path prompts,
        Path output,
        long seed,
        SampleOptions sample,
        VoteOptions vote,
        PairOptions pairs,
        DpoOptions dpo,
        EvaluateOptions evaluate,
        List<String> baselines,
        Map<String, Arm> arms,
        List<String> languageCurve,
        Path statements,
        Path knowledge,
        List<String> hubs,
        ResponsePatterns patterns,
        @JsonInclude(JsonInclude.Include.NON_NULL) Integer saveSteps,
        @JsonInclude(JsonInclude.Include.NON_NULL) InspectOptions inspect,
        Integer inside) {
    /** Before the number of languages in the name of an arm of the curve. */
    static final String CURVE = "languages-";

    private static final int INSIDE = 24;

    public ExperimentConfig {
        questions = questions == null ? List.of() : questions;
        samples = samples == null ? List.of() : samples;
        if (model == null || questions.isEmpty() && samples.isEmpty() || output == null) {
            throw CalmException.usage("an experiment needs model, questions (or samples) and output");
        }
        if (questions.isEmpty() && (evaluation == null || evaluation.isEmpty())) {
            throw CalmException.usage(
                    "an experiment without questions needs evaluation: the questions to measure with");
        }
        title = title == null ? "CALM" : title;
        evaluation = evaluation == null || evaluation.isEmpty() ? questions : evaluation;
        heldOut = heldOut == null ? List.of() : heldOut;
        sample = sample == null ? Options.standard(SampleOptions.class) : sample;
        vote = vote == null ? Options.standard(VoteOptions.class) : vote;
        pairs = pairs == null ? Options.standard(PairOptions.class) : pairs;
        evaluate = evaluate == null ? EvaluateOptions.greedy(sample.end().maxNewTokens()) : evaluate;
        dpo = dpo == null ? Options.standard(DpoOptions.class) : dpo;
        baselines = baselines == null ? List.of() : baselines;
        inside = inside == null ? INSIDE : inside;
        if (inside < 0) {
            throw CalmException.usage("inside must be at least 0");
        }
        languageCurve = languageCurve == null ? List.of() : languageCurve;
        arms = all(baselines, arms == null ? Map.of() : arms, languageCurve);
        Setting.of("save_steps").check(saveSteps == null || saveSteps > 0, "must be at least 1");
        if (output.toAbsolutePath().normalize().equals(model.toAbsolutePath().normalize())) {
            throw CalmException.usage("output is the model's own folder; give the experiment its own");
        }
        Path own = output.resolve("samples.jsonl").toAbsolutePath().normalize();
        if (samples.stream().anyMatch(file -> file.toAbsolutePath().normalize().equals(own))) {
            throw CalmException.usage("samples are in the output folder; give the experiment its own folder");
        }
        VoteOptions votes = vote;
        PairOptions pairing = pairs;
        DpoOptions training = dpo;
        SampleOptions sampling = sample;
        boolean asks = !questions.isEmpty();
        arms.forEach((name, arm) -> {
            try {
                if (!asks && (arm.hasOwnSamples() || arm.rounds() > 1)) {
                    throw CalmException.usage("it samples from the model, which needs questions");
                }
                arm.check(name, sampling, votes, pairing, training);
            } catch (CalmException e) {
                throw e.within("arm " + name + ": ");
            }
        });
    }

    /**
     * Checks that the model and the data are there before anything runs.
     *
     * @param made outputs of stages, which may be missing
     * @throws CalmException bad input: something is missing or of the wrong kind
     */
    void checkInputs(List<Path> made) {
        if (made.stream().noneMatch(model::startsWith)) {
            ModelFolder.check(model);
        }
        Stream.of(
                        questions,
                        evaluation,
                        heldOut,
                        one(prompts == null || PromptTemplates.isTask(prompts) ? null : prompts),
                        one(statements),
                        one(knowledge),
                        dpo.training().replay().files(),
                        one(evaluate.passages()),
                        one(inspect == null ? null : inspect.probe()),
                        one(translations()))
                .flatMap(List::stream)
                .filter(file -> made.stream().noneMatch(file::startsWith))
                .forEach(file -> {
                    if (!Files.exists(file)) {
                        throw CalmException.badInput(file, "no such file");
                    }
                    if (Files.isDirectory(file)) {
                        throw CalmException.badInput(file, "is a folder; expected a file");
                    }
                });
    }

    /** The file that translates; null for others. */
    private Path translations() {
        TranslatorOptions translation = pairs.translation();
        return translation.translator() == TranslatorOptions.Kind.FILE ? translation.translations() : null;
    }

    private static List<Path> one(Path file) {
        return file == null ? List.of() : List.of(file);
    }

    /** The same with another seed, in another folder. */
    public ExperimentConfig with(long other, Path folder) {
        return new ExperimentConfig(
                title,
                model,
                questions,
                samples,
                evaluation,
                heldOut,
                prompts,
                folder,
                other,
                sample,
                vote,
                pairs,
                dpo,
                evaluate,
                baselines,
                arms,
                languageCurve,
                statements,
                knowledge,
                hubs,
                patterns,
                saveSteps,
                inspect,
                inside);
    }

    private static Map<String, Arm> all(List<String> baselines, Map<String, Arm> own, List<String> languages) {
        Map<String, Arm> known = Arm.builtIn();
        Map<String, Arm> arms = new LinkedHashMap<>();
        for (String baseline : baselines) {
            if (!known.containsKey(baseline)) {
                throw CalmException.usage(
                        "unknown baseline \"" + baseline + "\"; known: " + String.join(", ", known.keySet()));
            }
            arms.put(baseline, known.get(baseline));
        }
        arms.putAll(own);
        for (int n = 1; n < languages.size(); n++) {
            arms.put(CURVE + n, Arm.voting(languages.subList(0, n)));
        }
        return Collections.unmodifiableMap(arms);
    }
}
