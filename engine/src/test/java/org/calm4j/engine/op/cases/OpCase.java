package org.calm4j.engine.op.cases;

import java.lang.reflect.RecordComponent;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.calm4j.engine.tensor.DType;

/** One case of an operation: a record of shape, types and flags, whose name says all of them and asks for this case again. */
public interface OpCase {
    /** Makes inputs, runs the operation and its backward pass, and checks what they give. Every tensor and random number comes from the trial. */
    void run(Trial trial);

    /** The operation: the record's name in lower case, without "Case". */
    default String op() {
        String name = getClass().getSimpleName().replaceFirst("Case$", "");
        return name.substring(0, 1).toLowerCase(Locale.ROOT) + name.substring(1);
    }

    /** Such as {@code rmsNorm(t=3,c=65,w=f16)}; a flag is there only where it is set. */
    default String name() {
        return Stream.of(getClass().getRecordComponents())
                .map(component -> component.getName() + "=" + value(component))
                .filter(text -> !text.endsWith("=false"))
                .map(text -> text.replace("=true", ""))
                .collect(Collectors.joining(",", op() + "(", ")"));
    }

    private String value(RecordComponent component) {
        try {
            component.getAccessor().setAccessible(true);
            Object value = component.getAccessor().invoke(this);
            return value instanceof DType type
                    ? type.name().toLowerCase(Locale.ROOT)
                    : String.valueOf(value).replaceFirst("\\.0$", "");
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * Of how many cases an emulated backend runs one.
     *
     * @param wanted what it asks for; fewer where few cases are there
     */
    default int oneOf(int wanted) {
        return wanted;
    }
}
