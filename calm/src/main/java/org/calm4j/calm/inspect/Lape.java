package org.calm4j.calm.inspect;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Language activation probability entropy (LAPE, Tang et al. 2024, arXiv 2402.16438, section 2.2): a neuron is specific to languages if it is
 * active in few of them. The thresholds are those of the paper and of its authors' code.
 *
 * @param topRate share of all neurons that are selected, those of the lowest entropy
 * @param filterRate a neuron is left out unless one of its probabilities is above this quantile of all of them
 * @param activationBarRatio a selected neuron belongs to the languages in which its probability is above this quantile
 */
public record Lape(double topRate, double filterRate, double activationBarRatio) {
    public static final Lape PAPER = new Lape(0.01, 0.95, 0.95);

    /**
     * @param neuron index
     * @param entropy of its probabilities' shares, in nats
     * @param languages indices, at least one if the bar is not above the filter
     */
    record Selected(int neuron, double entropy, List<Integer> languages) {}

    /**
     * The selected neurons, by ascending entropy.
     *
     * @param probabilities [neuron][language] of being active at a token
     */
    List<Selected> select(double[][] probabilities) {
        double[] all = Arrays.stream(probabilities)
                .flatMapToDouble(Arrays::stream)
                .sorted()
                .toArray();
        double filter = quantile(all, filterRate);
        double bar = quantile(all, activationBarRatio);
        int most = (int) Math.rint(probabilities.length * topRate);
        return IntStream.range(0, probabilities.length)
                .filter(neuron -> Arrays.stream(probabilities[neuron]).anyMatch(each -> each > filter))
                .mapToObj(neuron ->
                        new Selected(neuron, entropy(probabilities[neuron]), active(probabilities[neuron], bar)))
                .sorted(Comparator.comparingDouble(Selected::entropy))
                .limit(most)
                .toList();
    }

    /** The smallest value that this share of them does not exceed, as PyTorch's {@code kthvalue} of {@code round(n · share)}. */
    private static double quantile(double[] ascending, double share) {
        return ascending[Math.max(1, (int) Math.rint(ascending.length * share)) - 1];
    }

    private static List<Integer> active(double[] probabilities, double bar) {
        List<Integer> languages = new ArrayList<>();
        for (int language = 0; language < probabilities.length; language++) {
            if (probabilities[language] > bar) {
                languages.add(language);
            }
        }
        return languages;
    }

    /** {@code −Σ p′ log p′} of {@code p′ = p/Σp}. */
    static double entropy(double[] probabilities) {
        double sum = Arrays.stream(probabilities).sum();
        return Arrays.stream(probabilities)
                .map(each -> each / sum)
                .filter(share -> share > 0)
                .map(share -> -share * Math.log(share))
                .sum();
    }
}
