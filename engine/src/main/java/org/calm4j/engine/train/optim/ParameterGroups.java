package org.calm4j.engine.train.optim;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.text.BoundedRegex;

/**
 * Learning rates and weight decays of some weights, by regular expressions that are found in their names; the first one that fits holds.
 *
 * @param learningRates peaks, whose schedule is the run's
 * @param weightDecays also for weights of one dimension
 * @param loraPlusRatio LoRA+ (Hayou et al. 2024): the rate of B and of vectors as a multiple of A's; 1 without
 */
public record ParameterGroups(
        Map<String, Double> learningRates, Map<String, Double> weightDecays, double loraPlusRatio) {
    public static final ParameterGroups NONE = new ParameterGroups(Map.of(), Map.of(), 1);
    /** The name of LoRA+'s group, found in B's name. */
    private static final String LORA_B = "lora_B";
    /** The name of what an optimizer leaves to AdamW at a rate of its own. */
    private static final String ADAMW = "adamw";

    /**
     * Weights of one learning rate.
     *
     * @param name the expression; null for the rest of the weights
     * @param schedule of its rate
     * @param members their places in the list of all
     */
    public record Group(String name, Schedule schedule, List<Integer> members) {}

    /**
     * All weights in groups; without expressions one.
     *
     * @param others the optimizer's own peak for weights that no expression fits, null for the run's
     */
    public List<Group> groups(List<Tensor> weights, Schedule schedule, Function<Tensor, Double> others) {
        requireMatches(learningRates, "learning_rates", weights);
        requireMatches(weightDecays, "weight_decays", weights);
        Map<String, Group> groups = new LinkedHashMap<>();
        for (int i = 0; i < weights.size(); i++) {
            Double other = others.apply(weights.get(i));
            String named = groupOf(weights.get(i));
            String name = named == null && other != null ? ADAMW : named;
            double peak = named == null && other != null ? other : peak(named, schedule);
            groups.computeIfAbsent(name, of -> new Group(of, schedule.withPeak(peak), new ArrayList<>()))
                    .members()
                    .add(i);
        }
        return List.copyOf(groups.values());
    }

    private double peak(String group, Schedule schedule) {
        return group == null ? schedule.peak() : learningRates.getOrDefault(group, loraPlusRatio * schedule.peak());
    }

    private String groupOf(Tensor weight) {
        String named = first(learningRates, weight, "learning_rates");
        boolean plus = weight.name().contains(LORA_B) || weight.name().contains(".lora_") && weight.rank() == 1;
        return named == null && loraPlusRatio != 1 && plus ? LORA_B : named;
    }

    /** @param otherwise for weights of two or more dimensions that no expression fits */
    public double weightDecay(Tensor weight, double otherwise) {
        String named = first(weightDecays, weight, "weight_decays");
        return named != null ? weightDecays.get(named) : weight.rank() >= 2 ? otherwise : 0;
    }

    private static String first(Map<String, Double> values, Tensor weight, String setting) {
        return values.keySet().stream()
                .filter(each -> BoundedRegex.occurs(each, weight.name(), setting))
                .findFirst()
                .orElse(null);
    }

    private static void requireMatches(Map<String, Double> values, String setting, List<Tensor> weights) {
        List<String> unused = new ArrayList<>(values.keySet());
        weights.forEach(weight -> unused.remove(first(values, weight, setting)));
        if (!unused.isEmpty()) {
            throw CalmException.usage(
                    Setting.of(setting),
                    " has " + unused.getFirst()
                            + ", which is the first to fit none of the trained weights; their names are like "
                            + weights.getFirst().name());
        }
    }
}
