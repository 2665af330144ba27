package org.calm4j.calm.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.calm4j.calm.world.WorldConfig;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExperimentFileTest {
    @TempDir
    private Path folder;

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("run.yaml"), text);
    }

    @Test
    void settingsAndOverrides() throws IOException {
        Path file = file("""
                model: base
                questions: [en.jsonl, fr.jsonl]
                output: out
                sample:
                  responses: 4
                dpo:
                  learning_rate: 1e-5
                """);
        ExperimentConfig config =
                ExperimentFile.read(file, Map.of("dpo.learning_rate", "2e-5", "dpo.lora_rank", "8", "seed", "7"));
        assertThat(config.model()).isEqualTo(Path.of("base"));
        assertThat(config.questions()).hasSize(2);
        assertThat(config.sample().responses()).isEqualTo(4);
        assertThat(config.seed()).isEqualTo(7);
        assertThat(config.dpo().training().rate().learningRate()).isEqualTo(2e-5);
        assertThat(config.dpo().training().lora().loraRank()).isEqualTo(8);
        assertThat(config.dpo().preference().strength()).isEqualTo(0.1);
    }

    @Test
    void anOverrideMayGiveWhatTheFileLacks() throws IOException {
        Path file = file("questions: [en.jsonl]\noutput: out\n");
        assertThat(ExperimentFile.read(file, Map.of("model", "base")).model()).isEqualTo(Path.of("base"));
        assertThatThrownBy(() -> ExperimentFile.read(file, Map.of()))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("model");
    }

    @Test
    void brokenYamlIsToldWithItsLine() throws IOException {
        Path tab = file("model: base\n\tquestions: [en.jsonl]\n");
        assertThatThrownBy(() -> ExperimentFile.read(tab, Map.of()))
                .hasMessageContaining("run.yaml:2")
                .hasMessageContaining("TAB");
        Path open = file("model: base\nquestions: [en.jsonl\noutput: out\n");
        assertThatThrownBy(() -> ExperimentFile.read(open, Map.of()))
                .hasMessageContaining("run.yaml:3")
                .hasMessageContaining("expected ',' or ']'");
    }

    @Test
    void wrongValuesAreToldInPlainWords() throws IOException {
        String needed = "model: base\nquestions: en.jsonl\noutput: out\n";
        assertThat(ExperimentFile.read(file(needed + "dpo:\n"), Map.of()).questions())
                .containsExactly(Path.of("en.jsonl"));
        Map<String, String> problems = Map.of(
                "seed: 1.5",
                "run.yaml:4: seed: 1.5 is not a whole number",
                "sample: {responses: 2.7}",
                "sample.responses: 2.7 is not a whole number",
                "sample: {responses: 0}",
                "run.yaml: sample.responses must be at least 1",
                "dpo: 5",
                "run.yaml:4: dpo: expected a section with keys and values",
                "vote: {tie: coin}",
                "vote.tie: coin is not one of abstain, skip, language-order, logprob",
                "dpo: {learning_rate: fast}",
                "dpo.learning_rate: fast is not a number",
                "dpo: {lora_rank: -1}",
                "run.yaml: dpo.lora_rank must be at least 0",
                "dpo: {in_force: 3}",
                "unknown key 'dpo.in_force'");
        for (Map.Entry<String, String> problem : problems.entrySet()) {
            Path file = file(needed + problem.getKey() + "\n");
            assertThatThrownBy(() -> ExperimentFile.read(file, Map.of()))
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining(problem.getValue())
                    .message()
                    .doesNotContain("jackson")
                    .doesNotContain("`");
        }
        Path file = file("model: base\nquestions: en.jsonl\noutput: ./base\n");
        assertThatThrownBy(() -> ExperimentFile.read(file, Map.of())).hasMessageContaining("the model's own folder");
    }

    @Test
    void anUnknownKeyIsNamedWithItsLine() throws IOException {
        Path file = file("model: base\nquestions: [en.jsonl]\noutput: out\ndpo:\n  learnin_rate: 1\n");
        assertThatThrownBy(() -> ExperimentFile.read(file, Map.of()))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("run.yaml:5")
                .hasMessageContaining("dpo.learnin_rate")
                .hasMessageContaining("near: learning_rate,");
        Path good = file("model: base\nquestions: [en.jsonl]\noutput: out\n");
        assertThatThrownBy(() -> ExperimentFile.read(good, Map.of("dpo.beat", "1")))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("set: ")
                .hasMessageContaining("dpo.beat")
                .matches(e -> ((CalmException) e).kind() == CalmException.Kind.USAGE);
    }

    /** Of a problem while a stage runs; of a name that several sections have, none is guessed. */
    @Test
    void aSettingIsAKeyOfItsSection() {
        assertThat(ExperimentFile.key(Setting.of("learning_rate"))).isEqualTo("dpo.learning_rate");
        assertThat(ExperimentFile.key(Setting.of("margin_weights"))).isEqualTo("pairs.margin_weights");
        assertThat(ExperimentFile.key(Setting.of("max_new_tokens").at(9))).isEqualTo("max_new_tokens 9");
        assertThat(ExperimentFile.key(Setting.of("device").at("cpu"))).isEqualTo("device cpu");
    }

    @Test
    void wrongTypesAndBrokenYamlSayWhere() throws IOException {
        Path type = file("model: base\nquestions: [en.jsonl]\noutput: out\nseed: many\n");
        assertThatThrownBy(() -> ExperimentFile.read(type, Map.of()))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("run.yaml:4")
                .hasMessageContaining("seed");
        Path twice = file("model: base\nmodel: other\n");
        assertThatThrownBy(() -> ExperimentFile.read(twice, Map.of()))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("run.yaml:2");
        Path broken = file("model: [base\noutput: out\n");
        assertThatThrownBy(() -> ExperimentFile.read(broken, Map.of()))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("run.yaml:2");
        assertThatThrownBy(() -> ExperimentFile.read(folder.resolve("no.yaml"), Map.of()))
                .hasMessageContaining("no such file");
    }

    /** The world of the demo is read by the same rules. */
    @Test
    void aWorldIsAFileToo() throws IOException {
        WorldConfig world = world(
                file("languages: [es, ru, sw]\ncoverage: {language: {es: 0.5}}\ntexts: {walks: 0}\n"),
                Map.of("texts.guesses", "7"));
        assertThat(world.hubs()).containsExactly("es", "ru");
        assertThat(world.coverage().get("language")).containsEntry("es", 0.5).containsEntry("ru", 0.3);
        assertThat(world.texts().walks()).isZero();
        assertThat(world.texts().guesses()).isEqualTo(7);
        assertThat(world.texts().fictional())
                .isEqualTo(WorldConfig.standard().texts().fictional());
        assertThat(world(null, Map.of())).isSameAs(WorldConfig.standard());
        assertThat(world(null, Map.of("held_out", "0.5")).heldOut()).isEqualTo(0.5);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        hubz: [en]                              | run.yaml:   | unknown key 'hubz'
        territories: many                       | run.yaml:1  | many is not a whole number
        held_out: 1                             | run.yaml    | held_out must be from 0 to below 1
        hubs: [xx]                              | run.yaml    | hubs must be some of the languages
        coverage: {capital: {en: 1}}            | run.yaml    | coverage.capital: the relations are region language
        coverage: {region: {en: 2}}             | run.yaml    | coverage.region.en must be from 0 to 1
        texts: {detoured: 1.5}                  | run.yaml    | detoured must be from 0 to 1
        texts: {tokens: 0}                      | run.yaml    | tokens must be at least 1
        """)
    void whatMakesNoWorldIsToldWithItsKey(String text, String where, String problem) throws IOException {
        Path file = file(text + "\n");
        assertThatThrownBy(() -> world(file, Map.of()))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining(where)
                .hasMessageContaining(problem);
    }

    private static WorldConfig world(Path file, Map<String, String> overrides) {
        return ExperimentFile.read(file, overrides, WorldConfig.class, WorldConfig.standard());
    }
}
