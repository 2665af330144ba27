package org.calm4j.calm.option;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * A component of a record that can be set: on the command line as {@code --lora-rank}, in a YAML file as {@code lora_rank}, after the
 * component's name. Its description and default are defined here alone; its range is checked by the record's constructor.
 */
@Target(ElementType.RECORD_COMPONENT)
@Retention(RetentionPolicy.RUNTIME)
public @interface Option {
    /** For {@link #standard}: no default, that is null, 0 or false. */
    String NONE = "none given";

    /** The whole number for {@code auto}. */
    int AUTO = -1;

    /** Text of the help; it names other options as <code>{lora_rank}</code>, the default as <code>${DEFAULT-VALUE}</code>. */
    String value();

    /** Label of the value in the help; by default, the values of an enum. */
    String label() default "";

    /** The default, as one would write it on the command line. */
    String standard() default NONE;

    /** Other names, such as those of TRL and transformers. */
    String[] also() default {};

    /** All values, for the shell's completion and, as <code>${COMPLETION-CANDIDATES}</code>, for the help. */
    Class<? extends Iterable<String>> choices() default None.class;

    /** Whether a list may be given as one word, with commas; otherwise the option is repeated for each value. */
    boolean splits() default true;

    /** Whether a whole number may be the word {@code auto}, which is {@link #AUTO}. */
    boolean auto() default false;

    /** Excluded from the comparison whether a stage has run, unless it is given: for options that were added later. */
    boolean later() default false;

    /** No {@link #choices}. */
    interface None extends Iterable<String> {}
}
