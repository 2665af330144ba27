package org.calm4j.calm.inspect;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.calm4j.calm.report.HeatPage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Results of the commands as pages: the cells are the results', and a text of theirs is never markup. */
class PagesTest {
    @TempDir
    private Path folder;

    private Path results(String... lines) throws IOException {
        return Files.write(folder.resolve("results.jsonl"), List.of(lines));
    }

    private String html(HeatPage page) throws IOException {
        Path file = folder.resolve("page.html");
        page.write(file);
        return Files.readString(file);
    }

    private static List<String> texts(HeatPage page, int section, int heat) {
        return page.sections().get(section).heats().get(heat).rows().stream()
                .flatMap(row -> row.cells().stream())
                .map(HeatPage.Cell::text)
                .toList();
    }

    @Test
    void lensHasTheLastLayerOnTop() throws IOException {
        HeatPage page = Pages.lens(
                results(
                        "{\"id\":\"<b>\",\"layer\":0,\"position\":0,\"top\":[{\"token_id\":3,\"token\":\" <i>\",\"logprob\":-1}],\"logprob\":-0.5}",
                        "{\"id\":\"<b>\",\"layer\":0,\"position\":1,\"top\":[{\"token_id\":4}],\"logprob\":null}",
                        "{\"id\":\"<b>\",\"layer\":1,\"position\":0,\"top\":[{\"token_id\":5,\"token\":\"x\"}],\"logprob\":0}",
                        "{\"id\":\"<b>\",\"layer\":1,\"position\":1,\"top\":[{\"token_id\":6,\"token\":\"y\"}],\"logprob\":null}"));
        assertThat(texts(page, 0, 0)).containsExactly("x", "y", "␣<i>", "4");
        assertThat(html(page))
                .contains("Text &lt;b&gt;", "␣&lt;i&gt;", "--v:0.6065", "--v:1.0", "next token 60.7 %")
                .doesNotContain("<i>", "<b>");
    }

    @Test
    void patchIsTheShareOfTheWay() throws IOException {
        HeatPage page = Pages.patch(
                results(
                        "{\"id\":1,\"clean\":3.0,\"corrupted\":-1.0,\"effect\":[[-1.0,3.0],[1.0,-3.0]],\"attribution\":[[0,0],[0,0]]}"));
        assertThat(texts(page, 0, 0)).containsExactly("0", "100", "50", "-50");
        assertThat(texts(page, 0, 1)).containsExactly("25", "25", "25", "25");
        assertThat(html(page)).contains("class=\" low\"", "class=\"high\"", "By attribution");
    }

    @Test
    void attributionHasHeadsAndFeedForward() throws IOException {
        HeatPage page = Pages.attribution(
                results(
                        "{\"id\":1,\"logit_difference\":2.5,\"embed\":0.5,\"heads\":[[1.0,-2.0]],\"mlp\":[0.25],\"attn_bias\":[0],\"norm_bias\":0}"));
        assertThat(texts(page, 0, 0)).containsExactly("1.000", "-2.000", "0.250");
        assertThat(page.sections().getFirst().heats().getFirst().columns()).containsExactly("head 0", "head 1", "MLP");
    }

    @Test
    void similarityIsByLayerAndPair() throws IOException {
        HeatPage page = Pages.similarity(results(
                "{\"layer\":0,\"languages\":[\"en\",\"ja\"],\"cka\":null,\"cosine\":0.5,\"retrieval\":0.25}",
                "{\"layer\":1,\"languages\":[\"en\",\"ja\"],\"cka\":0.9,\"cosine\":0.6,\"retrieval\":1.0}"));
        assertThat(texts(page, 0, 0)).containsExactly("25", "100");
        assertThat(texts(page, 1, 0)).containsExactly("–", "90");
        assertThat(texts(page, 2, 0)).containsExactly("50", "60");
    }

    @Test
    void diffPutsTheTensorsOfTheLayersSideBySide() throws IOException {
        HeatPage page = Pages.diff(results(
                "{\"name\":\"model.layers.0.mlp.up_proj.weight\",\"relative\":0.5,\"effective_rank\":3.0}",
                "{\"name\":\"model.layers.1.mlp.up_proj.weight\",\"relative\":0.25,\"effective_rank\":2.0}",
                "{\"name\":\"lm_head.weight\",\"relative\":null,\"effective_rank\":1.0}"));
        assertThat(texts(page, 0, 0)).containsExactly("50.0 %", "25.0 %");
        assertThat(texts(page, 0, 1)).containsExactly("–");
        assertThat(texts(page, 1, 0)).containsExactly("3.000", "2.000");
    }

    @Test
    void stepHasLayersAndCosines() throws IOException {
        HeatPage page = Pages.step(results(
                "{\"kind\":\"step\",\"step\":1}",
                "{\"kind\":\"layer\",\"name\":\"layer 0\",\"layer\":0,\"gradient_norm\":0.5,\"weight_norm\":2.0,\"update_norm\":0.1,\"update_to_weight\":0.05}",
                "{\"kind\":\"cosine\",\"languages\":[\"en\",\"ja\"],\"layer\":null,\"cosine\":-0.5}"));
        assertThat(texts(page, 0, 0)).containsExactly("0.500", "0.100", "0.050");
        assertThat(texts(page, 1, 0)).containsExactly("·", "-0.50", "-0.50", "·");
    }

    @Test
    void neuronsHaveTheLossesOfEachLanguage() throws IOException {
        HeatPage page = Pages.neurons(
                results(
                        "{\"kind\":\"neuron\",\"layer\":0,\"neuron\":1}",
                        "{\"kind\":\"loss\",\"silenced\":null,\"random\":false,\"neurons\":0,\"losses\":{\"en\":1.0},\"changes\":{\"en\":0.0}}",
                        "{\"kind\":\"loss\",\"silenced\":\"en\",\"random\":true,\"neurons\":4,\"losses\":{\"en\":1.5},\"changes\":{\"en\":0.5,\"ja\":-0.25}}"));
        assertThat(texts(page, 0, 0)).containsExactly("0.500", "-0.250");
        assertThat(html(page)).contains("en, as many at random (4)");
    }
}
