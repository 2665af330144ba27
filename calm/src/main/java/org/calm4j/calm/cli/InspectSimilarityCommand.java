package org.calm4j.calm.cli;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.calm4j.calm.inspect.Pages;
import org.calm4j.calm.inspect.SimilarityStage;
import org.calm4j.calm.inspect.SimilarityStage.Similarity;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code calm inspect similarity}. */
@Command(
        name = "similarity",
        sortOptions = false,
        description = {
            "Measures how similar languages are inside, by layer and pair of languages.",
            "Linear CKA, cosine, and how often a text is nearest to its translation; a text is the mean of its tokens' streams."
        },
        footer = {"", "Example: calm inspect similarity --model base --input parallel.jsonl --output similarity.jsonl"})
final class InspectSimilarityCommand extends CalmCommand {
    @Mixin
    private ModelOptions model = new ModelOptions();

    @Mixin
    private final InputAndOutput files = new InputAndOutput(
            "Lines with id, language and text or input_ids, the same ids in all languages, JSON Lines.",
            "Lines with layer, languages, cka, cosine and retrieval, JSON Lines.");

    @Mixin
    private final PageOption page = new PageOption();

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        try (Backend backend = device.open(this);
                ModelFolder folder = model.open(this, backend)) {
            List<Similarity> all = new SimilarityStage(files.input(), files.output()).run(folder, progress());
            String text = all.stream()
                    .map(each -> String.format(
                            Locale.ROOT,
                            "%5d  %-8s  %6s  %6.3f  %8.1f %%%n",
                            each.layer(),
                            String.join(" ", each.languages()),
                            each.cka() == null ? "-" : String.format(Locale.ROOT, "%.3f", each.cka()),
                            each.cosine(),
                            100 * each.retrieval()))
                    .collect(Collectors.joining());
            page.write(files.output(), Pages::similarity);
            result(all, "layer  pair         CKA  cosine  retrieval\n" + text + "In " + files.output());
        }
    }
}
