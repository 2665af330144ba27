package org.calm4j.calm.option;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.train.Packing;
import org.calm4j.engine.train.Truncation;
import org.calm4j.engine.train.optim.Schedule;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OptionsTest {
    private static final List<Class<? extends Record>> SECTIONS = List.of(
            SampleOptions.class,
            GenerateOptions.class,
            ChatOptions.class,
            VoteOptions.class,
            PairOptions.class,
            DpoOptions.class,
            TrainingOptions.class,
            SavingOptions.class,
            EvaluateOptions.class);

    private static final Pattern FLAG = Pattern.compile("`--([a-z0-9-]+)`");

    private static <R extends Record> R read(Class<R> type, String yaml) throws JsonProcessingException {
        return new YAMLMapper().readValue(yaml, type);
    }

    /** The ledger of an experiment compares sections as JSON: with other keys or values finished stages would run again. */
    @Test
    void aFolderOfAnEarlierVersionStaysDone() throws IOException {
        Map<String, Object> sections = new LinkedHashMap<>();
        sections.put("sample", Options.standard(SampleOptions.class));
        sections.put("vote", Options.standard(VoteOptions.class));
        sections.put("pairs", Options.standard(PairOptions.class));
        sections.put("dpo", Options.standard(DpoOptions.class));
        sections.put("sft", Options.standard(TrainingOptions.class));
        sections.put("evaluate", EvaluateOptions.greedy(Sampling.FITTING));
        try (InputStream earlier = OptionsTest.class.getResourceAsStream("standard.json")) {
            JsonNode recorded = Json.mapper().readTree(earlier);
            assertThat(Json.mapper().readTree(Json.compact(sections))).isEqualTo(recorded);
        }
    }

    @Test
    void aDefaultIsInForceUnlessAnotherValueIsGiven() throws IOException {
        DpoOptions dpo = read(DpoOptions.class, "{learning_rate: 1e-3, beta: , lr_scheduler: cosine, loss_type: ipo}");
        assertThat(dpo.training().rate().learningRate()).isEqualTo(1e-3);
        assertThat(dpo.training().rate().lrScheduler()).isEqualTo(Schedule.Kind.COSINE);
        assertThat(dpo.training().steps().batchSize()).isEqualTo(8);
        assertThat(dpo.preference().lossType()).containsExactly("ipo");
        assertThat(dpo.preference().strength()).isEqualTo(0.1);
        assertThat(Options.make(DpoOptions.class, Map.of("loss_type", List.of("dco")))
                        .preference()
                        .strength())
                .isEqualTo(1);
        assertThat(Options.standard(GenerateOptions.class).sampling(0)).isEqualTo(Sampling.greedy(Sampling.FITTING));
        assertThat(Options.standard(ChatOptions.class).filter()).hasAllNullFieldsOrProperties();
    }

    /** What belongs to a loss is wrong usage without it. */
    @Test
    void optionsOfALossNeedTheLoss() {
        for (Map<String, Object> wrong : List.<Map<String, Object>>of(
                Map.of("discopop_tau", 0.1),
                Map.of("discopop_tau", 0, "loss_type", List.of("discopop")),
                Map.of("simpo_gamma", 0.1, "loss_type", List.of("cpo")),
                Map.of("cpo_alpha", 0.1, "loss_type", List.of("orpo")),
                Map.of("loss_type", List.of("exo_pair")),
                Map.of("ld_alpha", 1.5),
                Map.of("loss_type", List.of("dco", "aot")),
                Map.of("ld_alpha", 0.5, "loss_type", List.of("sigmoid", "simpo")),
                Map.of("ld_alpha", 0.5, "loss_type", List.of("dco")),
                Map.of("f_divergence_type", "forward_kl", "loss_type", List.of("apo_zero")),
                Map.of("f_alpha_divergence_coef", 0.7, "f_divergence_type", "forward_kl"),
                Map.of("reference_model", "elsewhere", "loss_type", List.of("orpo")))) {
            assertThatThrownBy(() -> Options.make(DpoOptions.class, wrong))
                    .as("%s", wrong)
                    .isInstanceOf(CalmException.class);
        }
        for (Map<String, Object> right : List.<Map<String, Object>>of(
                Map.of("discopop_tau", 0.1, "loss_type", List.of("sft", "discopop")),
                Map.of("simpo_gamma", 0, "cpo_alpha", 0.5, "loss_type", List.of("simpo")),
                Map.of("ld_alpha", 0, "loss_type", List.of("sigmoid", "sft")),
                Map.of("label_smoothing", 1e-3, "loss_type", List.of("exo_pair")),
                Map.of("f_alpha_divergence_coef", 0.7, "f_divergence_type", "alpha_divergence"))) {
            Options.make(DpoOptions.class, right);
        }
    }

    @Test
    void whatIsWrittenIsReadAgain() throws IOException {
        SampleOptions sample = Options.make(
                SampleOptions.class, Map.of("stop", List.of("a,b"), "repetition_penalty", 1.2, "responses", 3));
        assertThat(Json.mapper().readValue(Json.compact(sample), SampleOptions.class))
                .isEqualTo(sample);
        for (Class<? extends Record> type : SECTIONS) {
            Record standard = Options.standard(type);
            assertThat(Json.mapper().readValue(Json.compact(standard), type)).isEqualTo(standard);
        }
    }

    /** One name one meaning: no two options of a section share one, and each has a help. */
    @Test
    void namesAreNotShared() {
        for (Class<? extends Record> type : SECTIONS) {
            List<String> names = names(type);
            assertThat(names).as(type.getSimpleName()).doesNotHaveDuplicates();
            Options.of(type).all().forEach(option -> assertThat(option.option().value())
                    .as(option.name())
                    .isNotBlank());
        }
    }

    private static List<String> names(Class<? extends Record> type) {
        List<String> names = new ArrayList<>();
        Options.of(type).all().forEach(option -> names.addAll(option.names()));
        return names;
    }

    /** What is fingerprinted cannot be changed afterwards. */
    @Test
    void recordsDoNotChange() {
        VoteOptions vote = Options.make(
                VoteOptions.class, Map.of("languages", List.of("en"), "language_weights", Map.of("en", 2.0)));
        assertThatThrownBy(() -> vote.languages().add("fr")).isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> vote.languageWeights().put("fr", 1.0))
                .isInstanceOf(UnsupportedOperationException.class);
        PairOptions pairs = Options.make(PairOptions.class, Map.of("translator", "model"));
        assertThat(pairs.keptIn(Path.of("kept.jsonl")).translation().translations())
                .hasToString("kept.jsonl");
        assertThat(pairs.translation().translations()).isNull();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        num_train_epochs: 2                       | epochs: 2
        lr_scheduler_type: cosine                 | lr_scheduler: cosine
        lora_r: 4                                 | lora_rank: 4
        lora_target_modules: [q_proj, v_proj]     | lora_targets: [q_proj, v_proj]
        per_device_train_batch_size: 2            | {batch_size: 2, micro_batch_size: 2}
        gradient_accumulation_steps: 4            | {batch_size: 32, micro_batch_size: 8}
        {per_device_train_batch_size: 2, gradient_accumulation_steps: 4} | {batch_size: 8, micro_batch_size: 2}
        """)
    void namesAsInTrl(String theirs, String ours) throws IOException {
        assertThat(read(TrainingOptions.class, theirs)).isEqualTo(read(TrainingOptions.class, ours));
        assertThat(Json.compact(read(TrainingOptions.class, theirs)))
                .isEqualTo(Json.compact(read(TrainingOptions.class, ours)));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        {lora_r: 4, lora_rank: 4}                 | dpo.lora_rank is given twice, by two of its names
        {batch_size: 4, gradient_accumulation_steps: 4} | dpo.batch_size is 4, and dpo.per_device_train_batch_size times
        warmup_ratio: 2                           | dpo.warmup_ratio must be from 0 to 1
        loss_type: quadratic                      | dpo.loss_type "quadratic" is not known; known: sigmoid, sft
        loss_weights: [1, 2]                      | dpo.loss_weights has 2 values for 1 of dpo.loss_type
        lora_targets: [q_proj, null]              | dpo: lora_targets has a null in it
        replay_shares: [1]                        | dpo.replay_shares must be one number above 0 for each file of dpo.replay
        """)
    void whatIsWrongIsNamedAsItsReaderKnowsIt(String yaml, String problem) {
        assertThatThrownBy(() -> read(DpoOptions.class, yaml))
                .cause()
                .isInstanceOfSatisfying(
                        CalmException.class,
                        e -> assertThat(e.in("dpo").message(Setting::key)).startsWith(problem));
    }

    @Test
    void javaHasTheSameNames() {
        assertThatThrownBy(() -> Options.make(TrainingOptions.class, Map.of("learning_rte", 1)))
                .hasMessageContaining("learning_rte")
                .hasMessageContaining("learning_rate");
        assertThatThrownBy(() -> Options.make(SampleOptions.class, Map.of("top_p", 2)))
                .hasMessage("topP must be above 0 and at most 1");
    }

    /** What is not given is as before, and is not written; what makes no sense is wrong usage. */
    @Test
    void lengthsAndPasses() {
        TrainingOptions standard = Options.standard(TrainingOptions.class);
        assertThat(standard.data().truncation()).isEqualTo(Truncation.NONE);
        assertThat(standard.settings(1, null, 0).packing()).isEqualTo(Packing.STANDARD);
        DpoOptions dpo = Options.make(
                DpoOptions.class,
                Map.of("max_length", 9, "truncation_mode", "keep_end", "max_tokens", 50, "share_prompts", true));
        TrainingOptions given = dpo.training();
        assertThat(given.data().truncation()).isEqualTo(new Truncation(9, Truncation.Mode.KEEP_END, 0, 0));
        assertThat(given.settings(1, dpo.preference(), 0).packing()).isEqualTo(new Packing(50, true, false));
        JsonNode written = Json.mapper().valueToTree(dpo);
        assertThat(written.path("truncation_mode").asText()).isEqualTo("keep_end");
        assertThat(written.has("max_prompt_length") || written.has("group_by_prompt"))
                .isFalse();
        for (Map<String, Object> wrong : List.<Map<String, Object>>of(
                Map.of("max_length", 1),
                Map.of("truncation_mode", "keep_start"),
                Map.of("max_prompt_length", 0),
                Map.of("max_completion_length", 0),
                Map.of("max_tokens", 0))) {
            assertThatThrownBy(() -> Options.make(TrainingOptions.class, wrong))
                    .as("%s", wrong)
                    .isInstanceOf(CalmException.class)
                    .extracting(e -> ((CalmException) e).kind())
                    .isEqualTo(CalmException.Kind.USAGE);
        }
    }

    /** Every option of training, under each of its names, stands in the document for those who come from TRL, and no other does. */
    @Test
    void theDocumentForThoseFromTrlNamesEveryOption() throws IOException {
        String text = Files.readString(Path.of("../docs/from-trl.md"));
        Set<String> named = new TreeSet<>();
        // The first column; in the others the names are not ours.
        text.lines().filter(line -> line.startsWith("| `--")).forEach(line -> FLAG.matcher(line.split("\\|")[1])
                .results()
                .forEach(flag ->
                        assertThat(named.add(flag.group(1))).as(flag.group()).isTrue()));
        Set<String> known = new TreeSet<>();
        for (Class<? extends Record> type : List.of(DpoOptions.class, TrainingOptions.class, SavingOptions.class)) {
            names(type).forEach(name -> known.add(Setting.of(name).flag().substring(2)));
        }
        assertThat(named)
                .as("an option of training has its row in docs/from-trl.md")
                .containsAll(known);
        named.removeAll(known);
        assertThat(named)
                .containsExactlyInAnyOrderElementsOf(Set.of(
                        "model",
                        "model-name-or-path",
                        "adapter",
                        "data",
                        "output",
                        "output-dir",
                        "config",
                        "seed",
                        "device",
                        "threads",
                        "precision",
                        "bf16",
                        "inspect"));
    }
}
