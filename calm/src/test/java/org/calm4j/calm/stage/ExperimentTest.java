package org.calm4j.calm.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExperimentTest {
    @TempDir
    Path folder;

    private ExperimentConfig config(String more) throws Exception {
        Path file = Files.writeString(folder.resolve("run.yaml"), "model: base\nquestions: [en.jsonl]\noutput: out\n" + more);
        return ExperimentFile.read(file, Map.of());
    }

    private List<String> stages(String more) throws Exception {
        return new Experiment(config(more), null, Progress.NONE).plan().stream().map(StageLedger.Planned::name).toList();
    }

    @Test
    void armsShareTheStagesThatDoNotDiffer() throws Exception {
        assertThat(stages("")).containsExactly("eval-before", "sample", "vote", "pairs", "dpo", "eval-after");
        // SFT learns from CALM's pairs, the truth votes anew; nobody but a second round samples again.
        assertThat(stages("baselines: [sft, truth, iterative]\n")).containsExactly("eval-before", "sample", "vote", "pairs", "dpo", "eval-after",
                "sft-documents", "sft", "eval-sft", "truth-vote", "truth-pairs", "truth", "eval-truth", "iterative-sample", "iterative-vote",
                "iterative-pairs", "iterative", "eval-iterative");
        // The first of the curve is what English decides alone.
        assertThat(stages("baselines: [english-pivot]\nlanguage_curve: [en, fr, de]\n")).endsWith("english-pivot-vote", "english-pivot-pairs",
                "english-pivot", "eval-english-pivot", "eval-languages-1", "languages-2-vote", "languages-2-pairs", "languages-2", "eval-languages-2");
        assertThat(stages("arms: {mine: {dpo: {beta: 0.5}, rounds: 1}}\n")).endsWith("mine", "eval-mine");
    }

    @Test
    void anArmChangesWhatItNames() throws Exception {
        ExperimentConfig config = config("dpo: {learning_rate: 1e-3, lora_rank: 4}\nbaselines: [scpo, sft]\narms: {mine: {dpo: {beta: 0.5}}}\n");
        Arm mine = config.arms().get("mine");
        assertThat(((PreferenceOptions) mine.training(config.dpo())).beta).isEqualTo(0.5);
        assertThat(mine.training(config.dpo()).learningRate).isEqualTo(1e-3);
        assertThat(config.dpo().beta).isNull();
        assertThat(config.arms().get("scpo").pairs(config.pairs()).marginWeights).isTrue();
        TrainingOptions sft = config.arms().get("sft").training(config.dpo());
        assertThat(sft).isNotInstanceOf(PreferenceOptions.class);
        assertThat(sft.loraRank).isEqualTo(4);
        // It comes back from the copy beside the results.
        Json.write(folder.resolve("copy.json"), config);
        ExperimentConfig copy = Json.read(folder.resolve("copy.json"), ExperimentConfig.class);
        assertThat(Json.compact(copy)).isEqualTo(Json.compact(config));
    }

    @Test
    void wrongArmsAreNamed() {
        assertThatThrownBy(() -> config("baselines: [magic]\n")).isInstanceOf(CalmException.class).hasMessageContaining("magic")
                .hasMessageContaining("self-consistency");
        assertThatThrownBy(() -> config("arms: {mine: {dpo: {bet: 1}}}\n")).isInstanceOf(CalmException.class).hasMessageContaining("mine")
                .hasMessageContaining("dpo.bet");
        assertThatThrownBy(() -> config("arms: {mine: {vote: {vote_by: dice}}}\n")).isInstanceOf(CalmException.class).hasMessageContaining("vote_by");
        assertThatThrownBy(() -> config("arms: {mine: {colour: red}}\n")).isInstanceOf(CalmException.class).hasMessageContaining("colour");
        assertThatThrownBy(() -> config("arms: {\"../x\": {rounds: 2}}\n")).isInstanceOf(CalmException.class).hasMessageContaining("../x");
        assertThatThrownBy(() -> stages("arms: {dpo: {rounds: 2}}\n")).isInstanceOf(CalmException.class).hasMessageContaining("dpo");
    }
}
