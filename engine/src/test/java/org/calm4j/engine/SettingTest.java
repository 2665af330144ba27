package org.calm4j.engine;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class SettingTest {
    private final CalmException problem = CalmException.usage(
            "try a lower ",
            Setting.of("learning_rate"),
            ", or ",
            Setting.of("lora_rank").at(8));

    @Test
    void aMessageNamesSettingsAsItsReaderKnowsThem() {
        assertThat(problem).hasMessage("try a lower learningRate, or loraRank 8");
        assertThat(problem.message(Setting::flag)).isEqualTo("try a lower --learning-rate, or --lora-rank 8");
        assertThat(problem.in("dpo").message(Setting::key))
                .isEqualTo("try a lower dpo.learning_rate, or dpo.lora_rank 8");
    }

    @Test
    void wordsAroundAMessageLeaveItsSettings() {
        CalmException within = problem.in("dpo").in("run").within("a.yaml: ", "; see ", Setting.OUTPUT);
        assertThat(within.message(Setting::key))
                .isEqualTo("a.yaml: try a lower dpo.learning_rate, or dpo.lora_rank 8; see output");
        assertThat(within.kind()).isEqualTo(CalmException.Kind.USAGE);
        assertThat(problem.as(CalmException.Kind.BAD_INPUT).kind().exitCode()).isEqualTo(3);
    }
}
