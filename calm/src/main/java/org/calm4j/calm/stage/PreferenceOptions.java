package org.calm4j.calm.stage;

import java.nio.file.Path;
import java.util.List;
import org.calm4j.engine.loss.PreferenceLoss;
import picocli.CommandLine.Option;

/** The options of dpo. */
public final class PreferenceOptions extends TrainingOptions {
    @Option(names = "--beta", paramLabel = "X", defaultValue = "0.1", description = "Default ${DEFAULT-VALUE}.")
    public double beta = 0.1;

    @Option(names = "--loss-type", paramLabel = "NAMES", split = ",", defaultValue = "sigmoid",
            description = "sigmoid (DPO, default), sft (mean negative log-likelihood of the chosen), or both: sigmoid,sft.")
    public List<String> lossType = List.of("sigmoid");

    @Option(names = "--loss-weights", paramLabel = "X,…", split = ",", description = "One for each of --loss-type; default 1 each.")
    public List<Double> lossWeights = List.of();

    @Option(names = "--label-smoothing", paramLabel = "X", defaultValue = "0",
            description = "Share of pairs believed to be the wrong way round; default ${DEFAULT-VALUE}.")
    public double labelSmoothing;

    @Option(names = "--reference-model", paramLabel = "DIR", description = "Default: the starting model, without its adapter.")
    public Path referenceModel;

    @Override
    void check() {
        super.check();
        check(beta > 0, "--beta must be above 0");
        check(labelSmoothing >= 0 && labelSmoothing < 0.5, "--label-smoothing must be from 0 to below 0.5");
        loss();
    }

    @Override
    PreferenceLoss loss() {
        return PreferenceLoss.of(lossType, lossWeights == null ? List.of() : lossWeights, beta, labelSmoothing);
    }

    @Override
    double rewardScale() {
        return beta;
    }
}
