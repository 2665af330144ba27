package org.calm4j.calm.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.calm4j.calm.data.Document;
import org.calm4j.calm.data.Pair;
import org.calm4j.calm.data.Prompt;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Questions;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.inspect.InsideStage;
import org.calm4j.calm.option.DpoOptions;
import org.calm4j.calm.option.EvaluateOptions;
import org.calm4j.calm.option.InspectOptions;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.PairOptions;
import org.calm4j.calm.option.PreferenceOptions;
import org.calm4j.calm.option.SampleOptions;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.option.TranslatorOptions;
import org.calm4j.calm.option.VoteOptions;
import org.calm4j.calm.pair.PairCounts;
import org.calm4j.calm.pair.PairsStage;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.calm.report.TrainingLog;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.run.SameOnAll;
import org.calm4j.calm.stage.EvaluateStage;
import org.calm4j.calm.stage.PerplexityStage;
import org.calm4j.calm.stage.RetrieveStage;
import org.calm4j.calm.stage.SampleStage;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.calm.translate.Translator;
import org.calm4j.calm.vote.SampleFiles;
import org.calm4j.calm.vote.VoteStage;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.chat.ChatTemplate;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.OutputFolder;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.train.Checkpoint;

/**
 * The whole of CALM as a list of stages: measure, sample, vote, pair, train, measure again; and the same for every {@link Arm} that it is
 * compared with, which shares the stages that do not differ. Every stage reads and writes files below the output folder, and finished
 * stages are not run again.
 */
public final class Experiment {
    /** What became of all questions, besides the pairs. */
    static final String PAIR_COUNTS = "pair-counts.json";

    /** What alignment changed inside the model. */
    static final String INSIDE = "inside.json";
    /** What the model is asked while it is trained. */
    private static final String ASKED = "generation-prompts.jsonl";

    /** The kinds of stages in which all ranks take part, besides measuring. */
    private static final Set<String> MADE_BY_ALL = Set.of("sample");

    /** What is measured while CALM trains if nothing else is asked for: it takes a small share of the time, and touches no weight. */
    private static final InspectOptions BY_LANGUAGE = Options.make(
            InspectOptions.class,
            Map.of(
                    "statistics",
                    List.of(InspectOptions.GRADIENT_COSINE, InspectOptions.MARGINS),
                    "share",
                    0.375,
                    "outlier_z",
                    0));
    /** Bytes of weights at most: the gradient of each language is kept beside the others. */
    private static final long SMALL = 256L << 20;

    private static final int CHECKPOINTS = 10;
    private static final int GENERATIONS = 10;
    private static final int FEWEST_STEPS = 10;

    private final ExperimentConfig config;
    private final Backend backend;
    private final Progress progress;
    private final Set<String> said = new HashSet<>();
    private final List<Stage> stages = new ArrayList<>();
    /** What a stage does, to its output: arms that need the same share it. */
    private final Map<JsonNode, Path> made = new LinkedHashMap<>();

    /** @param before stages that make what the experiment starts from, such as pretraining */
    Experiment(ExperimentConfig config, Backend backend, Progress progress, List<Stage> before) {
        this.config = config;
        this.backend = backend;
        this.progress = progress;
        stages.addAll(before);
        evaluate("before", config.model());
        Path aligned = arm("", Arm.CALM);
        evaluate("after", aligned);
        config.arms().forEach((name, arm) -> evaluate(name, arm(name, arm)));
        perplexity("before", config.model());
        perplexity("after", aligned);
        inside(aligned);
    }

    public Experiment(ExperimentConfig config, Backend backend, Progress progress) {
        this(config, backend, progress, List.of());
    }

    private Path file(String name) {
        return config.output().resolve(name);
    }

    /** Runs the stages that are not done; returns the data of the report, null on other ranks than 0. */
    public ExperimentResult run() {
        Ranks ranks = Ranks.here();
        if (!ranks.isFirst()) {
            SharedStages.follow(ranks, stages);
            return null;
        }
        check();
        try (OutputFolder output = OutputFolder.open(config.output(), progress::say)) {
            StageLedger ledger = ledger(output, SameOnAll.device(backend));
            check(ledger.plan(stages), output);
            ledger.run(SharedStages.announced(ranks, stages));
            SharedStages.end(ranks);
            return new ExperimentResult(config, ledger.seconds(), ledger.devices()).write(false);
        }
    }

    /** What would run, and why. */
    public List<StageLedger.Planned> plan() {
        return ledger(OutputFolder.look(config.output()), "").plan(stages);
    }

    /**
     * Checks whether everything can run; changes nothing.
     *
     * @throws CalmException bad input: an input is missing, or something else is in the place of an output
     */
    public void check() {
        OutputFolder output = OutputFolder.look(config.output());
        check(ledger(output, "").plan(stages), output);
    }

    private void check(List<StageLedger.Planned> plan, OutputFolder output) {
        config.checkInputs(stages.stream().map(Stage::output).toList());
        for (StageLedger.Planned stage : plan) {
            if (stage.missing() != null) {
                throw CalmException.badInput(stage.missing(), "is missing; stage " + stage.name() + " needs it");
            }
            if (stage.inTheWay() != null) {
                throw CalmException.badInput(
                        stage.inTheWay(),
                        OutputFolder.inTheWay(stage.inTheWay()) + ", and stage " + stage.name()
                                + " would write there; move it away, or choose another output");
            }
        }
        output.refuseForeign(ExperimentResult.files(config.output()));
    }

    private StageLedger ledger(OutputFolder output, String device) {
        StageLedger ledger = new StageLedger(config.output(), output, progress, device);
        ledger.adopt(stages, ExperimentResult.files(config.output()));
        return ledger;
    }

    /** @param output a new name for the output, unless another stage makes the same */
    private Path stage(String name, String kind, Object settings, List<Path> inputs, String output, Stage.Work work) {
        return stage(name, kind, settings, inputs, output, List.of(), work);
    }

    private Path stage(
            String name,
            String kind,
            Object settings,
            List<Path> inputs,
            String output,
            List<Path> besides,
            Stage.Work work) {
        return stage(name, kind, settings, inputs, output, besides, MADE_BY_ALL.contains(kind), work);
    }

    /**
     * @param besides what is written besides the output
     * @param byAll whether all ranks take part
     */
    private Path stage(
            String name,
            String kind,
            Object settings,
            List<Path> inputs,
            String output,
            List<Path> besides,
            boolean byAll,
            Stage.Work work) {
        JsonNode what = Json.mapper().valueToTree(List.of(kind, settings, inputs));
        Path same = made.get(what);
        if (same != null) {
            return same;
        }
        Path file = file(output);
        made.put(what, file);
        add(new Stage(name, settings, inputs, file, besides, byAll, work));
        return file;
    }

    private void add(Stage stage) {
        for (Stage other : stages) {
            if (other.name().equals(stage.name()) || other.output().equals(stage.output())) {
                throw CalmException.usage("two stages are called " + stage.name() + " or make " + stage.output()
                        + "; give an arm another name");
            }
        }
        stages.add(stage);
    }

    /** Adds an arm's stages; returns the model that they make. The nameless one is CALM itself. */
    private Path arm(String name, Arm arm) {
        Path model = config.model();
        for (int round = 1; round <= arm.rounds(); round++) {
            String turn = arm.rounds() == 1 || round == arm.rounds() ? name : name + "-" + round;
            String prefix = turn.isEmpty() ? "" : turn + "-";
            boolean given = !config.samples().isEmpty() && round == 1 && !arm.hasOwnSamples();
            Path samples = given
                    ? givenSamples()
                    : sample(prefix, model, arm.sample(config.sample()), config.seed() + round - 1);
            Path votes = vote(prefix, samples, arm.vote(config.vote()));
            Path pairs = pairs(prefix, model, samples, votes, arm.pairs(config.pairs()));
            Path data = arm.train() == Arm.Train.SFT ? chosen(prefix, pairs) : pairs;
            String folder = turn.isEmpty() ? "calm" : turn;
            DpoOptions dpo = arm.dpo(config.dpo());
            model = train(
                    turn.isEmpty() ? TrainingLog.CALM : turn,
                    arm.train().toString(),
                    model,
                    data,
                    dpo.training(),
                    arm.train() == Arm.Train.DPO ? dpo.preference() : null,
                    folder);
        }
        return model;
    }

    /** The samples that the experiment starts from, in one file. */
    private Path givenSamples() {
        Path output = file("samples.jsonl");
        return stage(
                "samples",
                "samples",
                "",
                config.samples(),
                "samples.jsonl",
                resume -> Jsonl.write(output, SampleFiles.read(config.samples())));
    }

    private Path sample(String prefix, Path model, SampleOptions options, long seed) {
        Path output = file(prefix + "samples.jsonl");
        return stage(
                prefix + "sample",
                "sample",
                List.of(options, promptSettings(), seed),
                inputs(config.questions(), model),
                prefix + "samples.jsonl",
                resume -> {
                    try (ModelFolder folder = open(model)) {
                        new SampleStage(config.questions(), prompts(), output, options.sampling(seed))
                                .run(folder, resume, progress);
                    }
                });
    }

    private Path vote(String prefix, Path samples, VoteOptions options) {
        Path output = file(prefix + "votes.jsonl");
        return stage(
                prefix + "vote", "vote", options, List.of(samples), prefix + "votes.jsonl", resume -> new VoteStage(
                                List.of(samples), output, options)
                        .run());
    }

    /** @param model that sampled, and translates where a model is asked to */
    private Path pairs(String prefix, Path model, Path samples, Path votes, PairOptions options) {
        List<Path> inputs = new ArrayList<>(List.of(samples, votes));
        boolean byModel = options.translation().translator() == TranslatorOptions.Kind.MODEL;
        if (byModel) {
            inputs.addAll(models(model));
        } else if (options.translation().translator() == TranslatorOptions.Kind.FILE) {
            inputs.add(options.translation().translations());
        }
        Path output = file(prefix + "pairs.jsonl");
        return stage(
                prefix + "pairs",
                "pairs",
                List.of(options, config.seed()),
                inputs,
                prefix + "pairs.jsonl",
                List.of(file(prefix + PAIR_COUNTS)),
                resume -> {
                    PairOptions kept = options.keptIn(file(prefix + "translations.jsonl"));
                    try (ModelFolder folder = byModel ? open(model) : null) {
                        Translator translator = kept.translation().open(folder, System.getenv());
                        PairCounts counts = new PairsStage(
                                        List.of(samples), votes, prompts(), output, kept, translator, config.seed())
                                .run();
                        Json.write(file(prefix + PAIR_COUNTS), counts);
                        progress.say(prefix + "pairs: " + counts.pairs() + " " + counts.sources() + ", none for "
                                + counts.skipped()
                                + (counts.left().isEmpty() ? "" : ", " + counts.left())
                                + (translator == null || translator.leftOut().isEmpty()
                                        ? ""
                                        : ", without a translation " + translator.leftOut()));
                        if (counts.warning() != null) {
                            progress.say(prefix + counts.warning());
                        }
                    }
                });
    }

    /** The chosen responses as documents to learn. */
    private Path chosen(String prefix, Path pairs) {
        Path output = file(prefix + "documents.jsonl");
        return stage(
                prefix + "documents",
                "documents",
                "",
                List.of(pairs),
                prefix + "documents.jsonl",
                resume -> Jsonl.write(
                        output,
                        Jsonl.read(pairs, Pair.class).stream().map(Document::of).toList()));
    }

    /** @param preference null where the data are documents */
    private Path train(
            String name,
            String command,
            Path model,
            Path data,
            TrainingOptions training,
            PreferenceOptions preference,
            String folder) {
        List<Path> inputs = new ArrayList<>(List.of(model, data));
        inputs.addAll(training.replay().files());
        inputs.addAll(given(config.inspect() == null ? null : config.inspect().probe()));
        Path output = file(folder);
        List<Object> settings = new ArrayList<>();
        Record options = preference == null ? training : new DpoOptions(training, preference);
        List<Path> besides = List.of(file(ASKED));
        settings.add(options);
        settings.add(config.seed());
        // What was added later, if it is given: without it, what earlier versions did stays done.
        settings.addAll(given(config.saveSteps()));
        settings.addAll(given(config.inspect()));
        // Ranks share the parts of a step; where none are asked for, a run has the bits of one process.
        boolean byAll = training.division().parts() != null;
        Ranks ranks = byAll ? Ranks.here() : Ranks.alone();
        return stage(name, command, settings, inputs, folder, besides, byAll, resume -> {
            int steps = training.steps().steps(ExperimentResult.lines(data));
            boolean adapter = isAdapter(model);
            boolean looks = config.inspect() == null
                    && name.equals(TrainingLog.CALM)
                    && !byAll
                    && isLookedAtByLanguage(model, data, training, preference);
            // The reference of a round is the model that it starts from, as in ScPO and iterative DPO.
            PreferenceOptions against = adapter && preference != null ? preference.against(model) : preference;
            new TrainStage(
                            name,
                            adapter ? config.model() : model,
                            adapter ? model : null,
                            null,
                            List.of(data),
                            output,
                            training,
                            against,
                            SavingOptions.every(
                                    config.saveSteps() != null
                                            ? config.saveSteps()
                                            : Math.max(FEWEST_STEPS, steps / CHECKPOINTS),
                                    resume,
                                    Math.max(1, steps / GENERATIONS),
                                    ranks.isFirst() ? asked() : file(ASKED)),
                            looks ? BY_LANGUAGE : config.inspect(),
                            config.seed())
                    .run(backend, progress, ranks);
            if (config.saveSteps() == null && ranks.isFirst()) {
                deleteCheckpoints(output);
            }
        });
    }

    /** Where looking inside is wanted, there is more than one language, and gradients are small enough to be kept by language. */
    private boolean isLookedAtByLanguage(
            Path model, Path data, TrainingOptions training, PreferenceOptions preference) {
        if (config.inside() == 0 || preference == null || preference.unpaired()) {
            return false;
        }
        boolean small = isAdapter(model) || training.lora().loraRank() > 0 || weightBytes(model) <= SMALL;
        return small
                && Jsonl.read(data, Pair.class).stream()
                                .map(Pair::language)
                                .distinct()
                                .count()
                        > 1;
    }

    private static long weightBytes(Path model) {
        try (Stream<Path> files = Files.list(model)) {
            return files.map(Path::toFile)
                    .filter(file -> file.getName().endsWith(".safetensors"))
                    .mapToLong(File::length)
                    .sum();
        } catch (IOException e) {
            throw CalmException.unreadable(model, e);
        }
    }

    /** A question in each language: what the model says to these is kept while it is trained. None is held out. */
    private Path asked() {
        boolean chat = ChatTemplate.read(config.model()) != null;
        Map<String, Question> first = new LinkedHashMap<>();
        Questions.read(config.questions().isEmpty() ? config.evaluation() : config.questions()).stream()
                .forEach(question -> first.putIfAbsent(question.language(), question));
        List<Map<String, Object>> lines = new ArrayList<>();
        first.forEach((language, question) -> {
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("id", question.id());
            line.put("language", language);
            Prompt prompt = prompts().ask(question, chat);
            if (chat) {
                line.put("messages", prompt.messages());
            } else {
                line.put("prompt", prompt.text());
            }
            lines.add(line);
        });
        Jsonl.write(file(ASKED), lines);
        return file(ASKED);
    }

    private static <T> List<T> given(T value) {
        return value == null ? List.of() : List.of(value);
    }

    // Checkpoints serve stopped runs; the model is complete now, and they may be large.
    private void deleteCheckpoints(Path output) {
        try (OutputFolder folder = OutputFolder.open(output, progress::say)) {
            Checkpoint.all(output).forEach(folder::delete);
        }
    }

    /** Both question sets; {@code eval-NAME} and {@code held-out-NAME}. */
    private void evaluate(String name, Path model) {
        evaluate("eval-" + name, config.evaluation(), model);
        if (!config.heldOut().isEmpty()) {
            evaluate("held-out-" + name, config.heldOut(), model);
        }
    }

    private void evaluate(String name, List<Path> questions, Path model) {
        List<Path> inputs = inputs(questions, model);
        Path contexts = config.evaluate().passages() == null
                ? null
                : retrieve(questions.equals(config.heldOut()) ? "held-out-" : "", questions);
        if (contexts != null) {
            inputs.add(contexts);
        }
        List<Object> settings = List.of(config.evaluate(), promptSettings(), config.seed());
        add(new Stage(name, settings, inputs, file(name), resume -> {
                    try (ModelFolder folder = open(model)) {
                        new EvaluateStage(file(name), config.seed())
                                .ofModel(folder, questions, prompts(), config.evaluate(), contexts, resume, progress);
                    }
                })
                .madeByAll());
    }

    /** The starting model's vectors, if any: all models read the same passages. */
    private Path retrieve(String prefix, List<Path> questions) {
        EvaluateOptions options = config.evaluate();
        List<Path> inputs = new ArrayList<>(questions);
        inputs.add(options.passages());
        if (options.dense()) {
            inputs.add(config.model());
        }
        Path output = file(prefix + "passages.jsonl");
        RetrieveStage retrieve =
                new RetrieveStage(questions, options.passages(), file("passages-index"), output, options.topPassages());
        return stage(
                prefix + "retrieve",
                "retrieve",
                List.of(options.topPassages(), options.dense()),
                inputs,
                prefix + "passages.jsonl",
                List.of(file("passages-index")),
                resume -> {
                    try (ModelFolder model = options.dense() ? open(config.model()) : null) {
                        retrieve.run(model, progress);
                    }
                });
    }

    private PromptTemplates prompts() {
        return PromptTemplates.choose(config.prompts(), config.model());
    }

    private boolean hasPromptFile() {
        return config.prompts() != null && !PromptTemplates.isTask(config.prompts());
    }

    /** A file of prompts is an input; built-in prompts are a setting. */
    private Object promptSettings() {
        return hasPromptFile() ? "" : PromptTemplates.choose(config.prompts(), null);
    }

    private List<Path> inputs(List<Path> files, Path model) {
        List<Path> inputs = new ArrayList<>(files);
        inputs.addAll(models(model));
        if (hasPromptFile()) {
            inputs.add(config.prompts());
        }
        return inputs;
    }

    /** A trained folder may hold an adapter of the first model. */
    private List<Path> models(Path model) {
        return model.equals(config.model()) ? List.of(model) : List.of(model, config.model());
    }

    private static boolean isAdapter(Path model) {
        return Files.exists(model.resolve("adapter_config.json"));
    }

    private ModelFolder open(Path model) {
        ModelFolder opened = isAdapter(model)
                ? ModelFolder.open(backend, config.model(), model)
                : ModelFolder.open(backend, model, null);
        opened.notes().stream().filter(said::add).forEach(note -> progress.say("calm: " + note));
        return opened;
    }

    /** What alignment changed inside, by the questions of the held-out set, or else of the main one. */
    private void inside(Path aligned) {
        if (config.inside() == 0 || config.evaluate().method() != EvaluateOptions.Method.GENERATE) {
            return;
        }
        String set = config.heldOut().isEmpty() ? "eval-" : "held-out-";
        Path before = file(set + "before").resolve("responses.jsonl");
        Path after = file(set + "after").resolve("responses.jsonl");
        List<Path> inputs = new ArrayList<>(List.of(before, after));
        inputs.addAll(models(aligned));
        Object settings = List.of(config.inside(), config.seed());
        add(new Stage(
                "inside",
                settings,
                inputs,
                file(INSIDE),
                resume -> Json.write(
                        file(INSIDE),
                        new InsideStage(
                                        Jsonl.read(before, Samples.class),
                                        Jsonl.read(after, Samples.class),
                                        config.inside(),
                                        config.seed())
                                .run(() -> open(config.model()), () -> open(aligned)))));
    }

    private void perplexity(String name, Path model) {
        if (config.statements() == null) {
            return;
        }
        Path output = file("perplexity-" + name + ".json");
        add(new Stage("perplexity-" + name, "", List.of(config.statements(), model), output, resume -> {
                    try (ModelFolder folder = open(model)) {
                        new PerplexityStage(config.statements(), output).run(folder, progress);
                    }
                })
                .madeByAll());
    }
}
