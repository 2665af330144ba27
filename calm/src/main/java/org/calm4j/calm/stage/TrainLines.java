package org.calm4j.calm.stage;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.calm4j.calm.data.HeldOut;
import org.calm4j.calm.data.TrainingData;
import org.calm4j.calm.option.DataOptions;
import org.calm4j.calm.option.PreferenceOptions;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.Mismatched;
import org.calm4j.engine.train.Replay;

/** The lines that a training run reads, as tokens of its model. */
final class TrainLines {
    private final TrainStage stage;
    private final TrainingData reader;
    private final Set<TrainingData> readers;
    private final List<? extends Example> all;
    private final HeldOut parts;
    private final List<? extends Example> trained;
    private final Replay replay;

    /** Reads what is trained on. */
    TrainLines(TrainStage stage, ModelFolder start, Consumer<String> say) {
        this.stage = stage;
        CausalLm lm = start.model();
        DataOptions options = stage.training().data();
        TrainingData whole = new TrainingData(
                start.tokenizer(),
                start.chatTemplate(),
                lm.config().vocabulary().size(),
                lm.config().positions().limit(),
                options.truncation(),
                say);
        TrainingData spoken = options.applyChatTemplate() ? whole.talking() : whole;
        reader = options.maxSamples() == null ? spoken : spoken.first(options.maxSamples());
        TrainingData streaming = options.streaming() ? reader.streaming() : reader;
        readers = Set.copyOf(List.of(whole, reader, streaming));
        all = lines(streaming, stage.data());
        parts = options.valSize() == null ? null : HeldOut.of(all.size(), options.valSize(), stage.seed());
        trained = parts == null ? all : HeldOut.of(all, parts.trained());
        replay = readReplay(whole);
        int end = start.tokenizer() == null ? -1 : start.tokenizer().eosId();
        if (readers.stream().anyMatch(TrainingData::endsTexts)
                && !lm.config().vocabulary().eos().contains(end)) {
            say.accept("texts end with " + start.tokenizer().token(end) + " (" + end
                    + "), at which generation with this model does not stop: eos_token_id is "
                    + lm.config().vocabulary().eos() + "; the tokenizer's and the model's configuration should agree");
        }
    }

    /** Lines that are trained on. */
    int count() {
        return trained.size();
    }

    /** They, with what a loss takes from other lines of their steps. */
    List<? extends Example> trained(int steps) {
        return readsMismatched()
                ? Mismatched.trained(
                        trained,
                        stage.training().settings(steps, stage.preference(), stage.seed()),
                        steps,
                        reader.longest())
                : trained;
    }

    private boolean readsMismatched() {
        return stage.preference() != null && stage.preference().readsMismatched();
    }

    /** Documents that steps mix in. */
    Replay replay() {
        return replay;
    }

    /** The lines that are evaluated on; none without evaluation. */
    List<? extends Example> heldOut() {
        if (stage.saving().evalSteps() == 0) {
            return List.of();
        }
        List<? extends Example> held =
                parts == null ? lines(reader, List.of(stage.saving().evalData())) : HeldOut.of(all, parts.held());
        return readsMismatched()
                ? Mismatched.evaluated(held, stage.training().steps().batchSize(), reader.longest())
                : held;
    }

    /** What was cut of all that was read so far. */
    TrainingData.Cut cut() {
        return readers.stream().map(TrainingData::cut).reduce(new TrainingData.Cut(0, 0), TrainingData.Cut::and);
    }

    private List<? extends Example> lines(TrainingData reader, List<Path> files) {
        PreferenceOptions preference = stage.preference();
        if (preference == null) {
            return stage.training().data().assistantOnlyLoss()
                    ? reader.all(files, reader::answers)
                    : reader.all(files, reader::documents);
        }
        if (preference.unpaired()) {
            return reader.all(files, reader::unpaired);
        }
        return preference.twoLanguages()
                ? reader.all(files, reader::twoLanguagePairs)
                : reader.all(files, reader::pairs);
    }

    /** Without shares the files are one. */
    private Replay readReplay(TrainingData reader) {
        List<List<Example.Document>> sources = new ArrayList<>();
        for (Path file : stage.training().replay().files()) {
            sources.add(reader.documents(file));
        }
        return stage.training().replay().replayShares() == null
                ? Replay.of(sources.stream().flatMap(List::stream).toList())
                : new Replay(sources, stage.training().replay().replayShares());
    }
}
