package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.calm4j.calm.stage.ImportStage;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code calm import}. */
@Command(name = "import", sortOptions = false, description = {"Other people's data to ours: the CALM authors' lists, X-CSQA and CommonsenseQA, MedQA, Alpaca, ShareGPT,",
    "recognised by content. Ids are the position in the file, from 0, where an item has none."},
        footer = {"", "Example: calm import x_csqa_cn_train_sampled.json --language zh --output samples-zh.jsonl"})
final class ImportCommand extends CalmCommand {
    @Parameters(paramLabel = "FILE", arity = "1..*", description = "A JSON list or JSON Lines; several are one after the other.")
    private List<Path> files;

    @Option(names = "--language", paramLabel = "L", required = true, description = "ISO 639-1, such as en or zh.")
    private String language;

    @Option(names = "--output", paramLabel = "FILE", required = true, description = "Questions, samples or training texts, JSON Lines.")
    private Path output;

    @Override
    void run() {
        ImportStage.Summary summary = new ImportStage(files, language, output).run();
        summary.problems().forEach(problem -> say("calm import: left out " + problem));
        String answered = summary.answered() == null ? ""
                : String.format(Locale.ROOT, ", an answer in %.1f %% of the responses", 100 * summary.answered());
        result(summary, summary.items() + " items of " + summary.format().name().toLowerCase(Locale.ROOT).replace('_', ' ') + ", "
                + summary.skipped() + " left out" + answered + ". In " + output);
    }
}
