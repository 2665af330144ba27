package org.calm4j.calm.option;

import com.fasterxml.jackson.annotation.JacksonAnnotationsInside;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import com.fasterxml.jackson.databind.annotation.JsonSerialize;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** A record of {@link Option}s, and of records of them: one flat section of a YAML file, or the options of a command. */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@JacksonAnnotationsInside
@JsonDeserialize(using = OptionsReader.class)
@JsonSerialize(using = OptionsWriter.class)
public @interface OptionRecord {
    /** The heading of its options in a command's help; none where they stand with the command's own. */
    String value() default "";
}
