package org.calm4j.calm.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Prediction;
import org.calm4j.calm.metric.Evaluation;
import org.calm4j.calm.option.SampleOptions;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExperimentTest {
    @TempDir
    Path folder;

    private ExperimentConfig config(String more) throws Exception {
        Path file = Files.writeString(
                folder.resolve("run.yaml"), "model: base\nquestions: [en.jsonl]\noutput: out\n" + more);
        return ExperimentFile.read(file, Map.of());
    }

    /** Without the last one, which looks inside. */
    private List<String> stages(String more) throws Exception {
        List<String> all = new Experiment(config(more), null, Progress.NONE)
                .plan().stream().map(StageLedger.Planned::name).toList();
        assertThat(all).endsWith("inside");
        return all.subList(0, all.size() - 1);
    }

    @Test
    void armsShareTheStagesThatDoNotDiffer() throws Exception {
        assertThat(stages("")).containsExactly("eval-before", "sample", "vote", "pairs", "dpo", "eval-after");
        // SFT learns from CALM's pairs, the truth votes anew; nobody but a second round samples again.
        assertThat(stages("baselines: [sft, truth, iterative]\n"))
                .containsExactly(
                        "eval-before",
                        "sample",
                        "vote",
                        "pairs",
                        "dpo",
                        "eval-after",
                        "sft-documents",
                        "sft",
                        "eval-sft",
                        "truth-vote",
                        "truth-pairs",
                        "truth",
                        "eval-truth",
                        "iterative-sample",
                        "iterative-vote",
                        "iterative-pairs",
                        "iterative",
                        "eval-iterative");
        // The first of the curve is what English decides alone.
        assertThat(stages("baselines: [english-pivot]\nlanguage_curve: [en, fr, de]\n"))
                .endsWith(
                        "english-pivot-vote",
                        "english-pivot-pairs",
                        "english-pivot",
                        "eval-english-pivot",
                        "eval-languages-1",
                        "languages-2-vote",
                        "languages-2-pairs",
                        "languages-2",
                        "eval-languages-2");
        assertThat(stages("arms: {mine: {dpo: {beta: 0.5}, rounds: 1}}\n")).endsWith("mine", "eval-mine");
    }

    @Test
    void anArmChangesWhatItNames() throws Exception {
        ExperimentConfig config = config(
                "dpo: {learning_rate: 1e-3, lora_rank: 4}\nbaselines: [scpo, sft]\narms: {mine: {dpo: {beta: 0.5}}}\n");
        Arm mine = config.arms().get("mine");
        assertThat(mine.dpo(config.dpo()).preference().beta()).isEqualTo(0.5);
        assertThat(mine.dpo(config.dpo()).training().rate().learningRate()).isEqualTo(1e-3);
        assertThat(config.dpo().preference().beta()).isNull();
        assertThat(config.arms().get("scpo").pairs(config.pairs()).marginWeights())
                .isTrue();
        assertThat(config.arms().get("sft").dpo(config.dpo()).training().lora().loraRank())
                .isEqualTo(4);
        // It comes back from the copy beside the results.
        Json.write(folder.resolve("copy.json"), config);
        ExperimentConfig copy = Json.read(folder.resolve("copy.json"), ExperimentConfig.class);
        assertThat(Json.compact(copy)).isEqualTo(Json.compact(config));
    }

    @Test
    void anArmSaysInWordsWhatItDoes() throws Exception {
        Map<String, Arm> arms = config(
                        "baselines: [sft, self-consistency, english-pivot, random, iterative, truth, scpo, dco, sft-term]\n"
                                + "arms: {mine: {dpo: {learning_rate: 0.001, epochs: 2}, train: sft}}\n")
                .arms();
        assertThat(arms.get("sft").words()).isEqualTo("SFT on the chosen responses");
        assertThat(arms.get("self-consistency").words()).isEqualTo("each language's own vote");
        assertThat(arms.get("english-pivot").words()).isEqualTo("the vote of English alone");
        assertThat(arms.get("random").words()).isEqualTo("random votes, a control");
        assertThat(arms.get("iterative").words()).isEqualTo("a second round");
        assertThat(arms.get("truth").words()).isEqualTo("the true answers in place of votes");
        assertThat(arms.get("dco").words()).startsWith("pairs in two languages, loss dco");
        assertThat(arms.get("sft-term").words()).isEqualTo("loss sigmoid + sft");
        assertThat(arms.get("mine").words()).isEqualTo("SFT on the chosen responses, learning rate 0.001, epochs 2");
        assertThat(arms.values()).allSatisfy(arm -> assertThat(arm.words()).isNotEmpty());
    }

    /** Predictions that name no group are grouped by the facts in their ids, where the experiment says what is known. */
    @Test
    void factsInIdsAreGroups() throws Exception {
        List<Prediction> alone = new ArrayList<>();
        List<Prediction> grouped = new ArrayList<>();
        for (int q = 0; q < 30; q++) {
            String id = "fact" + q / 3 + "-" + q % 3;
            String said = q / 3 % 2 == 0 ? "A" : "B";
            alone.add(new Prediction(id, "en", "A", said));
            grouped.add(new Prediction(id, "en", "A", said, "fact" + q / 3, null));
        }
        Files.createDirectories(folder.resolve("out/eval-before"));
        Jsonl.write(folder.resolve("out/eval-before/predictions.jsonl"), alone);
        Json.write(folder.resolve("out/eval-before/eval.json"), Evaluation.of(alone, 3));
        ExperimentFiles known =
                new ExperimentFiles(config("knowledge: known.jsonl\n").with(3, folder.resolve("out")));
        assertThat(known.predictions("eval-before")).isEqualTo(grouped);
        assertThat(known.evaluation("eval-before")).isEqualTo(Evaluation.of(grouped, 3));
        ExperimentFiles unknown = new ExperimentFiles(config("").with(3, folder.resolve("out")));
        assertThat(unknown.predictions("eval-before")).isEqualTo(alone);
        assertThat(unknown.evaluation("eval-before"))
                .isEqualTo(Evaluation.of(alone, 3))
                .isNotEqualTo(Evaluation.of(grouped, 3));
    }

    /** Responses that are there already are not sampled again; only who samples in another way, or from another model, asks. */
    @Test
    void samplesOfAnotherRun() throws Exception {
        assertThat(stages("samples: other/samples.jsonl\n"))
                .containsExactly("eval-before", "samples", "vote", "pairs", "dpo", "eval-after");
        assertThat(
                        stages(
                                "samples: [a.jsonl, b.jsonl]\nbaselines: [iterative]\narms: {hot: {sample: {temperature: 1.3}}}\n"))
                .containsExactly(
                        "eval-before",
                        "samples",
                        "vote",
                        "pairs",
                        "dpo",
                        "eval-after",
                        "iterative-sample",
                        "iterative-vote",
                        "iterative-pairs",
                        "iterative",
                        "eval-iterative",
                        "hot-sample",
                        "hot-vote",
                        "hot-pairs",
                        "hot",
                        "eval-hot");
        assertThatThrownBy(() -> config("samples: out/samples.jsonl\n"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("samples");
        Path bare = Files.writeString(
                folder.resolve("bare.yaml"), "model: base\nsamples: s.jsonl\nevaluation: e.jsonl\noutput: out\n");
        assertThat(ExperimentFile.read(bare, Map.of()).questions()).isEmpty();
        assertThatThrownBy(() -> ExperimentFile.read(bare, Map.of("baselines", "[iterative]")))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("iterative")
                .hasMessageContaining("questions");
        Path none = Files.writeString(folder.resolve("none.yaml"), "model: base\nsamples: s.jsonl\noutput: out\n");
        assertThatThrownBy(() -> ExperimentFile.read(none, Map.of()))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("evaluation");
    }

    @Test
    void armsMaySampleInAnotherWay() throws Exception {
        ExperimentConfig config = config("sample: {responses: 4}\narms: {hot: {sample: {temperature: 1.3}}}\n");
        SampleOptions hot = config.arms().get("hot").sample(config.sample());
        assertThat(hot.filter().temperature()).isEqualTo(1.3);
        assertThat(hot.responses()).isEqualTo(4);
        assertThat(stages("arms: {same: {sample: {responses: 8}}}\n")).doesNotContain("same-sample");
        assertThatThrownBy(() -> config("arms: {hot: {sample: {temperature: -1}}}\n"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("hot")
                .hasMessageContaining("temperature must be");
        assertThatThrownBy(() -> config("arms: {hot: {sample: {heat: 1}}}\n"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("sample.heat");
    }

    @Test
    void wrongArmsAreNamed() {
        assertThatThrownBy(() -> config("baselines: [magic]\n"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("magic")
                .hasMessageContaining("self-consistency");
        assertThatThrownBy(() -> config("arms: {mine: {dpo: {bet: 1}}}\n"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("mine")
                .hasMessageContaining("dpo.bet");
        assertThatThrownBy(() -> config("arms: {mine: {vote: {vote_by: dice}}}\n"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("vote_by");
        assertThatThrownBy(() -> config("arms: {mine: {colour: red}}\n"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("colour");
        assertThatThrownBy(() -> config("arms: {\"../x\": {rounds: 2}}\n"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("../x");
        assertThatThrownBy(() -> stages("arms: {dpo: {rounds: 2}}\n"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("dpo");
    }
}
