package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.calm4j.calm.tool.ImportStage;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code calm import}. */
@Command(
        name = "import",
        sortOptions = false,
        description = {
            "Converts data of other formats, recognised by content.",
            "The CALM authors' lists, X-CSQA, CommonsenseQA, ARC, OpenBookQA, MedQA, MedMCQA, MMLU, MMMLU, Global-MMLU, MMLU-Pro, KMMLU, CMMLU, "
                    + "C-Eval, INCLUDE, M3Exam, AGIEval, RACE, HellaSwag, XCOPA, XStoryCloze, WinoGrande, SIQA, PIQA, TruthfulQA (mc1), Belebele, "
                    + "BMLAMA, Alpaca, ShareGPT; as JSON, JSON Lines, CSV, TSV (not Parquet). Ids "
                    + "are the position in the file, from 0, where an item has none. Items that are left out or odd are counted "
                    + "and shown."
        },
        footer = {
            "",
            "Items are known by their fields:",
            "instruction, input, output (and pred); question.stem, question.choices, answerKey;",
            "question, options, answer_idx; question, A, B, …, answer; question, choices, answer;",
            "question, opa, opb, …, cop; ctx, endings, label; premise, choice1, choice2, label;",
            "flores_passage, question, mc_answer1…; Prompt, Ans, Candidate Ans; id, question, choices;",
            "conversations.",
            "",
            "Example: calm import x_csqa_cn_train_sampled.json --language zh --output samples-zh.jsonl"
        })
final class ImportCommand extends CalmCommand {
    @Parameters(paramLabel = "FILE", arity = "1..*", description = "Several files are read one after the other.")
    private List<Path> files;

    @Option(
            names = "--language",
            paramLabel = "L",
            description = "ISO 639-1, such as en or zh; needed where the items do not state it.")
    private String language;

    @Option(
            names = "--answers-from",
            paramLabel = "0|1|text",
            description =
                    "Meaning of numeric answers: positions of options from 0 or from 1, or texts of options. Needed where the items "
                            + "do not show it; the reading is reported.")
    private String answersFrom;

    @Option(
            names = "--output",
            paramLabel = "FILE",
            required = true,
            description = "Questions, samples or training texts, JSON Lines.")
    private Path output;

    @Option(
            names = "--parallel",
            paramLabel = "FILE",
            description =
                    "A file of another language, already imported: report which ids are missing or extra, and which answers "
                            + "differ. May be repeated.")
    private List<Path> parallel = new ArrayList<>();

    @Option(
            names = "--align",
            description =
                    "Take the ids from the --parallel file, where missing or extra items have shifted the positions.")
    private boolean align;

    @Option(
            names = "--report",
            paramLabel = "FILE",
            description = "Write all problems, JSON Lines; without it the first of each kind are shown.")
    private Path report;

    @Override
    void run() {
        ImportStage.Summary summary =
                new ImportStage(files, language, answersFrom, parallel, align, output, report).run();
        summary.notes().forEach(note -> say("calm import: " + note));
        summary.examples().forEach(problem -> say("calm import: " + problem.text()));
        String answered = summary.answered() == null
                ? ""
                : String.format(
                        Locale.ROOT,
                        ", an answer in %.1f %% of the responses (%d against the text beside the label)",
                        100 * summary.answered(),
                        summary.againstText());
        String problems = summary.problems().entrySet().stream()
                .map(entry -> ", " + entry.getValue() + " " + entry.getKey())
                .collect(Collectors.joining());
        result(
                summary,
                summary.items() + " items of " + summary.layout().text() + ", " + summary.skipped() + " left out"
                        + problems + answered + ". In " + output);
    }
}
