package org.calm4j.calm.option;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * A component of a record that somebody may set: on the command line as {@code --lora-rank}, in a YAML file as {@code lora_rank}, after the
 * component's name. This is the one place that says what it is and what it is by default; what it may be, the record's constructor checks.
 */
@Target(ElementType.RECORD_COMPONENT)
@Retention(RetentionPolicy.RUNTIME)
public @interface Option {
    /** In the place of {@link #standard}: none, that is null, 0 or false. */
    String NONE = "none given";

    /** For the help; other options stand in it as <code>{lora_rank}</code>, the default as <code>${DEFAULT-VALUE}</code>. */
    String value();

    /** What stands for the value in the help; of an enum its values, where nothing is said. */
    String label() default "";

    /** The default, as one would write it on the command line. */
    String standard() default NONE;

    /** Other names, such as those of TRL and transformers. */
    String[] also() default {};

    /** All that it may be, for the shell's completion and, as <code>${COMPLETION-CANDIDATES}</code>, for the help. */
    Class<? extends Iterable<String>> choices() default None.class;

    /** Whether a list may be given as one word, with commas; otherwise the option is given once for each. */
    boolean splits() default true;

    /** Not a part of what is compared to see whether a stage has run, unless it is given: for options that came later. */
    boolean later() default false;

    /** No {@link #choices}. */
    interface None extends Iterable<String> {}
}
