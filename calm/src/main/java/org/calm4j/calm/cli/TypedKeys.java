package org.calm4j.calm.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.calm4j.calm.cli.RecipeFile.Value;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * Flags among a training command's arguments that are keys of other programs' recipes, such as {@code --eval_strategy steps}, or that have a value
 * of theirs, such as {@code --optim adamw_torch}. Switches of ours may have one, as there: {@code --share-prompts True}.
 *
 * @param keys by name, with underscores
 * @param others the arguments without them
 */
record TypedKeys(Map<String, Value> keys, List<String> others) {
    /** Values that the flag of the same name does not take here. */
    private static final Map<String, Predicate<String>> OF_OTHERS = Map.of(
            "max_steps", "-1"::equals,
            "warmup_steps", Recipe::isShare,
            "optim", RecipeKeys.OPTIMIZERS::containsKey,
            "report_to", value -> !Set.of("none", "tensorboard").contains(value));

    /** Steps that mean something only under a strategy of theirs, where there is one. */
    private static final Map<String, String> UNDER =
            Map.of("eval_steps", "--eval-strategy", "save_steps", "--save-strategy");

    static TypedKeys of(CommandSpec command, List<String> arguments) {
        TypedKeys typed = new TypedKeys(new LinkedHashMap<>(), new ArrayList<>());
        int next = 0;
        while (next < arguments.size()) {
            int end = next + 1;
            while (end < arguments.size() && !arguments.get(end).matches("-[^\\d.].*")) {
                end++;
            }
            typed.take(command, arguments.subList(next, end), arguments);
            next = end;
        }
        return typed;
    }

    /**
     * @param words a flag and what follows it
     * @param all the arguments
     */
    private void take(CommandSpec command, List<String> words, List<String> all) {
        String[] first = words.getFirst().split("=", 2);
        String key = first[0].replaceFirst("^--", "").replace('-', '_');
        List<String> values = new ArrayList<>(words.subList(1, words.size()));
        if (first.length == 2) {
            values.addFirst(first[1]);
        }
        OptionSpec option = command.findOption(first[0]);
        Value value = new Value(values.isEmpty() ? List.of("true") : values, Value.TYPED);
        boolean isTheirs = option == null
                ? first[0].startsWith("--") && RecipeKeys.isKnown(key)
                : OF_OTHERS.getOrDefault(key, each -> false).test(value.text())
                        || UNDER.containsKey(key)
                                && all.stream().anyMatch(each -> each.split("=", 2)[0].equals(UNDER.get(key)));
        if (isTheirs) {
            // Last of two holds, in its place.
            keys.remove(key);
            keys.put(key, value);
        } else if (option != null && option.arity().max() == 0 && value.isTruth()) {
            if (value.isTrue()) {
                others.add(first[0]);
            }
        } else {
            others.addAll(words);
        }
    }
}
