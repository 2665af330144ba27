package org.calm4j.calm.option;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** On a component that is itself a record of options: their defaults here, as {@code name=value}. */
@Target(ElementType.RECORD_COMPONENT)
@Retention(RetentionPolicy.RUNTIME)
@interface Defaults {
    String[] value() default {};

    /** Options without a default here. */
    boolean none() default false;
}
