package org.calm4j.calm.option;

import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.engine.Setting;
import org.calm4j.engine.loss.ConsistencyLoss;
import org.calm4j.engine.loss.Divergence;
import org.calm4j.engine.loss.LossParameters;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.loss.UnpairedLoss;

/**
 * How dpo learns from a pair.
 *
 * @param beta null for the loss's own default: 1 for dco, which treats both languages alike with it, 0.1 for the others
 */
@OptionRecord("Loss")
public record PreferenceOptions(
        @Option(value = "Default 0.1; with dco 1.", label = "X")
        Double beta,

        @Option(
                value =
                        "One or more of ${COMPLETION-CANDIDATES}; sigmoid (default) is DPO, sft the mean negative log-likelihood of "
                                + "the chosen, dco Direct Consistency Optimization, on pairs in two languages; kto and apo_zero_unpaired are for single "
                                + "completions with a label; all others as in TRL.",
                label = "NAME,…",
                standard = "sigmoid",
                choices = PreferenceOptions.LossTypes.class)
        List<String> lossType,

        @Option(value = "One for each of {loss_type}; default 1 each.", label = "X,…", standard = "")
        List<Double> lossWeights,

        @Option(
                value = "Share of pairs assumed to be the wrong way round; default ${DEFAULT-VALUE}.",
                label = "X",
                standard = "0")
        double labelSmoothing,

        @Option(
                value =
                        "What holds the policy to the reference: ${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}, which is DPO.",
                standard = "reverse_kl",
                later = true)
        Divergence.Kind fDivergenceType,

        @Option(value = "α of alpha_divergence; default 0.5.", label = "X", later = true)
        Double fAlphaDivergenceCoef,

        @Option(value = "τ of discopop; default 0.05.", label = "X", later = true)
        Double discopopTau,

        @Option(value = "Target margin of simpo; default 0.5.", label = "X", later = true)
        Double simpoGamma,

        @Option(
                value =
                        "What tokens of the longer completion past the shorter one's length count (LD-DPO), 0 to 1; default 1.",
                label = "X",
                later = true)
        Double ldAlpha,

        @Option(
                value = "Weight of the chosen's mean negative log-likelihood in cpo (default 1) and simpo (default 0).",
                label = "X",
                later = true)
        Double cpoAlpha,

        @Option(value = "Factor on the losses of desirable completions in kto; default 1.", label = "X", later = true)
        Double desirableWeight,

        @Option(value = "Factor on the losses of undesirable completions in kto; default 1.", label = "X", later = true)
        Double undesirableWeight,

        @Option(value = "Pairs count the less, the less likely the model itself is to write them (WPO).", later = true)
        boolean useWeighting,

        PromptOptions prompts,

        ReferenceOptions reference,

        @Option(value = "Default: the starting model, without its adapter.", label = "DIR")
        Path referenceModel,

        @Option(
                value =
                        "A PEFT folder on the reference. With the folder of {adapter} the reference is the model that training starts "
                                + "from, as in a later round of iterative DPO.",
                label = "DIR")
        Path referenceAdapter) {
    /** All that {@code loss_type} may name. */
    static final class LossTypes implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Stream.of(PreferenceLoss.NAMES, List.of(ConsistencyLoss.DCO), UnpairedLoss.NAMES)
                    .flatMap(List::stream)
                    .iterator();
        }
    }

    public PreferenceOptions {
        lossType = List.copyOf(lossType);
        lossWeights = List.copyOf(lossWeights);
        double strength = strength(beta, lossType);
        Setting.of("beta").check(strength > 0, "must be above 0");
        Setting.of("label_smoothing").check(labelSmoothing >= 0 && labelSmoothing < 0.5, "must be from 0 to below 0.5");
        PreferenceLoss.checkWeights(lossType, lossWeights);
        boolean unpaired = lossType.stream().anyMatch(UnpairedLoss.NAMES::contains);
        Setting.of("loss_type")
                .check(
                        !unpaired || lossType.size() == 1,
                        "has " + String.join(", ", lossType)
                                + ": a loss on single completions stands by itself, without one on pairs");
        Setting.of("label_smoothing").check(labelSmoothing == 0 || !unpaired, "is for pairs, not for ", loss(lossType));
        Setting.of("desirable_weight").check(isFactor(desirableWeight), "must not be below 0");
        Setting.of("undesirable_weight").check(isFactor(undesirableWeight), "must not be below 0");
        String[] single = UnpairedLoss.NAMES.toArray(String[]::new);
        checkBelongs("desirable_weight", desirableWeight, lossType, single);
        checkBelongs("undesirable_weight", undesirableWeight, lossType, single);
        List<PreferenceLoss.Named> named = named(lossType);
        Setting.of("label_smoothing")
                .check(
                        labelSmoothing > 0 || !lossType.contains("exo_pair"),
                        "must be above 0 with exo_pair, such as 1e-3");
        Setting.of("f_divergence_type")
                .check(
                        fDivergenceType == Divergence.Kind.REVERSE_KL
                                || named.stream().anyMatch(each -> each.sees() == PreferenceLoss.Sees.SCORES),
                        "changes nothing in ",
                        Setting.of("loss_type").at(String.join(",", lossType)));
        checkBelongs(
                "f_alpha_divergence_coef",
                fAlphaDivergenceCoef,
                fDivergenceType == Divergence.Kind.ALPHA_DIVERGENCE,
                Setting.of("f_divergence_type").at(Divergence.Kind.ALPHA_DIVERGENCE));
        Setting.of("reference_model")
                .check(
                        referenceModel == null || !referenceFree(lossType),
                        "is not read with ",
                        Setting.of("loss_type").at(String.join(",", lossType)));
        Setting.of("ld_alpha")
                .check(
                        ldAlpha == null
                                || !lossType.contains(ConsistencyLoss.DCO)
                                        && !unpaired
                                        && named.stream()
                                                .allMatch(each -> each.sees() != PreferenceLoss.Sees.LOG_PROBS
                                                        || each.name().equals("sft")),
                        "is for losses with a reference, on pairs in one language");
        Setting.of("ld_alpha").check(ldAlpha == null || ldAlpha >= 0 && ldAlpha <= 1, "must be from 0 to 1");
        Setting.of("loss_type")
                .check(
                        !lossType.contains(ConsistencyLoss.DCO)
                                || lossType.stream().noneMatch(type -> type.startsWith("aot")),
                        "cannot be aot beside dco: it sorts pairs of one language");
        Setting.of("use_weighting")
                .check(
                        !useWeighting
                                || !unpaired
                                        && !lossType.contains(ConsistencyLoss.DCO)
                                        && lossType.stream().noneMatch(type -> type.startsWith("aot")),
                        "weighs pairs in one language each by itself, which ",
                        loss(lossType),
                        " does not take");
        Setting.of("sync_ref_model")
                .check(
                        !reference.syncRefModel() || !referenceFree(lossType),
                        "has no reference to sync with ",
                        loss(lossType));
        Setting.of("sync_ref_model")
                .check(
                        !reference.syncRefModel() || referenceAdapter == null,
                        "cannot be given with ",
                        Setting.of("reference_adapter"),
                        ": a reference follows with all of its weights");
        Setting.of("precompute_ref_log_probs")
                .check(
                        !reference.precomputeRefLogProbs() || !referenceFree(lossType),
                        "has no reference to compute with ",
                        loss(lossType));
        checkBelongs("discopop_tau", discopopTau, lossType, "discopop");
        checkBelongs("simpo_gamma", simpoGamma, lossType, "simpo");
        checkBelongs("cpo_alpha", cpoAlpha, lossType, "cpo", "simpo");
        Setting.of("discopop_tau").check(discopopTau == null || discopopTau > 0, "must be above 0");
        Setting.of("cpo_alpha").check(cpoAlpha == null || cpoAlpha >= 0, "must not be below 0");
    }

    /** The losses on pairs among them; an unknown name is wrong usage. */
    private static List<PreferenceLoss.Named> named(List<String> lossType) {
        return lossType.stream()
                .filter(type -> !type.equals(ConsistencyLoss.DCO) && !UnpairedLoss.NAMES.contains(type))
                .map(PreferenceLoss::named)
                .toList();
    }

    private static void checkBelongs(String option, Object value, List<String> lossType, String... types) {
        checkBelongs(
                option,
                value,
                Stream.of(types).anyMatch(lossType::contains),
                Setting.of("loss_type").at(String.join(" or ", types)));
    }

    private static void checkBelongs(String option, Object value, boolean given, Setting owner) {
        Setting.of(option).check(value == null || given, "needs ", owner);
    }

    private static Setting loss(List<String> lossType) {
        return Setting.of("loss_type").at(String.join(",", lossType));
    }

    private static boolean isFactor(Double weight) {
        return weight == null || weight >= 0 && !weight.isInfinite();
    }

    private static double strength(Double beta, List<String> lossType) {
        return beta != null ? beta : lossType.contains(ConsistencyLoss.DCO) ? 1 : 0.1;
    }

    /** The β in force. */
    public double strength() {
        return strength(beta, lossType);
    }

    /** Whether a line of data has a question in two languages. */
    public boolean twoLanguages() {
        return lossType.contains(ConsistencyLoss.DCO);
    }

    /** Whether a line of data has one completion and a label. */
    public boolean unpaired() {
        return UnpairedLoss.NAMES.contains(lossType.getFirst());
    }

    /** Whether the loss looks at completions that do not belong to their prompts. */
    public boolean readsMismatched() {
        return unpaired() && unpairedLoss().readsMismatched();
    }

    /** The same with a reference that has this adapter. */
    public PreferenceOptions against(Path adapter) {
        return new PreferenceOptions(
                beta,
                lossType,
                lossWeights,
                labelSmoothing,
                fDivergenceType,
                fAlphaDivergenceCoef,
                discopopTau,
                simpoGamma,
                ldAlpha,
                cpoAlpha,
                desirableWeight,
                undesirableWeight,
                useWeighting,
                prompts,
                reference,
                referenceModel,
                adapter);
    }

    /** By name, the value in force of an option that was not given. */
    public Map<String, Object> inForce() {
        Map<String, Object> inForce = new HashMap<>();
        inForce.put("beta", strength());
        inForce.put("loss_weights", lossWeights.isEmpty() ? Collections.nCopies(lossType.size(), 1.0) : lossWeights);
        if (reference.syncRefModel()) {
            inForce.put("ref_model_mixup_alpha", reference.mixupAlpha());
            inForce.put("ref_model_sync_steps", reference.syncSteps());
        }
        return inForce;
    }

    /**
     * Whether no loss reads a reference, so that none is run: the logged rewards are then of the policy alone. With {@code sft} by itself one is,
     * for the rewards, as in TRL.
     */
    public boolean referenceFree() {
        return referenceFree(lossType);
    }

    private static boolean referenceFree(List<String> lossType) {
        return !lossType.contains(ConsistencyLoss.DCO)
                && lossType.stream().noneMatch(UnpairedLoss.NAMES::contains)
                && !lossType.equals(List.of("sft"))
                && named(lossType).stream().allMatch(each -> each.sees() == PreferenceLoss.Sees.LOG_PROBS);
    }

    /** LD-DPO's α in force; 1 where it changes nothing. */
    public double tailShare() {
        return or(ldAlpha, 1);
    }

    /** The loss on pairs; null if they are in two languages, or lines are no pairs. */
    PreferenceLoss loss() {
        return twoLanguages() || unpaired() ? null : PreferenceLoss.of(lossType, lossWeights, parameters());
    }

    /** The loss on pairs in two languages; null if they are in one. */
    ConsistencyLoss consistencyLoss() {
        return twoLanguages() ? ConsistencyLoss.of(lossType, lossWeights, parameters()) : null;
    }

    /** The loss on single completions; null on pairs. */
    UnpairedLoss unpairedLoss() {
        if (!unpaired()) {
            return null;
        }
        double weight = lossWeights.isEmpty() ? 1 : lossWeights.getFirst();
        return UnpairedLoss.of(
                lossType.getFirst(),
                new UnpairedLoss.Parameters(
                        strength(), weight * or(desirableWeight, 1), weight * or(undesirableWeight, 1)));
    }

    private LossParameters parameters() {
        return new LossParameters(
                strength(),
                labelSmoothing,
                new Divergence(fDivergenceType, or(fAlphaDivergenceCoef, Divergence.ALPHA)),
                or(discopopTau, LossParameters.DISCOPOP_TAU),
                or(simpoGamma, LossParameters.SIMPO_GAMMA),
                cpoAlpha,
                useWeighting);
    }

    private static double or(Double value, double standard) {
        return value != null ? value : standard;
    }
}
